"""Scans in CXI files (cxidb.org, version 1.3 to 1.6): cdtools, SHARP, PyNX, Ptychodus.

A CXI file does not say whether it is far or near field; the caller does.
"""

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.constants import c, e, h

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.draft import Draft
from napari_ptycho.io.formats import HDF5_FILE, Format, stored
from napari_ptycho.io.hdf5_frames import Hdf5Frames
from napari_ptycho.io.masks import good_pixels
from napari_ptycho.io.quantities import PHOTON_EV, PHOTON_J

A_CXI_SCAN = "a CXI scan"
FRAMES = ("data_1/data", "instrument_1/detector_1/data")
TRANSLATIONS = (
    "data_1/translation",
    "sample_1/geometry_1/translation",
    "instrument_1/detector_1/translation",
)
MASKS = ("instrument_1/detector_1/mask", "data_1/mask")
MONITOR = "data_1/monitor"
NOT_READ = {
    "instrument_1/detector_1/data_dark": "a dark frame, which was not subtracted",
    "instrument_1/detector_1/dark": "a dark frame, which was not subtracted",
    "instrument_1/source_1/illumination": "a probe, which was not read: files do not agree on "
    "whether it is in the sample or the detector plane",
}
WAVELENGTH_M = (1e-12, 1e-7)


def recognises(file: h5py.File) -> bool:
    """Whether a file has the frames of a CXI entry."""
    return bool(_entries(file))


def _entries(file: h5py.File) -> list[str]:
    """Return the entries with frames, in the order of their numbers."""
    names = [name for name in file if re.fullmatch(r"entry_\d+", name)]
    names.sort(key=lambda name: int(name.split("_")[1]))
    return [name for name in names if any(_is_there(file, f"{name}/{tail}") for tail in FRAMES)]


def _is_there(file: h5py.File, name: str) -> bool:
    """Whether a name is in the file, even as a broken link (then `read` says what is broken)."""
    folder, _, last = name.rpartition("/")
    group = file.get(folder)
    return isinstance(group, h5py.Group) and last in group


def read(file: h5py.File) -> Draft:
    """Read frames, positions and what is known of the experiment.

    Raises:
        ScanError: Frames or positions are missing.
        FileError: A link, a filter or a virtual source is broken.
    """
    entry, *others = _entries(file)
    frames = _frames(file, entry)
    if frames.ndim != 3:
        raise ScanError(
            f"{Path(file.filename).name}: {frames.name} has shape {frames.shape}; need (N, H, W)"
        )
    notes: list[str] = []
    if others:
        notes.append(f"The file has more entries ({', '.join(others)}); {entry} was read.")
    sources = {"patterns": f"file: {frames.name}"}
    path = Path(file.filename)
    draft = Draft(path, Hdf5Frames(frames), np.empty((0, 2)), "m", sources=sources, notes=notes)
    detector = _Part(file, entry, draft)
    draft.positions = _positions(detector, frames.shape[0])
    detector.pixels()
    detector.distance()
    detector.energy()
    _mask(detector)
    _monitor(detector)
    draft.sources["probe"] = "unknown"
    for name, what in NOT_READ.items():
        if _is_there(file, f"{entry}/{name}"):
            draft.notes.append(f"{entry}/{name} holds {what}.")
    return draft


def _frames(file: h5py.File, entry: str) -> h5py.Dataset:
    """Return the frames; `data_1/data` is often a link, and often a broken one."""
    problem: FileError | None = None
    for tail in FRAMES:
        try:
            found = hdf5.find(file, f"{entry}/{tail}")
        except FileError as error:
            problem = problem or error
            continue
        if found is not None:
            return found
    if problem is not None:
        raise problem
    return hdf5.require(file, f"{entry}/{FRAMES[0]}", A_CXI_SCAN)


class _Part:
    """One entry of a file, and the draft its values go into."""

    def __init__(self, file: h5py.File, entry: str, draft: Draft) -> None:
        self.file, self.entry, self.draft = file, entry, draft

    def find(self, tail: str) -> h5py.Dataset | None:
        return hdf5.find(self.file, f"{self.entry}/{tail}")

    def number(self, tail: str, factors: dict[str, float]) -> float | None:
        """Return a number in base units, None if it is missing, zero, or makes no sense."""
        dataset = self.find(tail)
        value = hdf5.number(dataset, factors)
        if dataset is not None and value is None:
            self.note(f"{dataset.name} says nothing (zero, not a number, or no known unit).")
        return value

    def note(self, sentence: str) -> None:
        self.draft.notes.append(sentence)

    def found(self, name: str, value: Any, tail: str) -> None:
        self.draft.geometry[name] = value
        self.draft.sources[name] = f"file: /{self.entry}/{tail}"

    def pixels(self) -> None:
        base = "instrument_1/detector_1"
        sizes = [self.number(f"{base}/{axis}_pixel_size", hdf5.LENGTHS) for axis in "yx"]
        tail = f"{base}/x_pixel_size"
        basis = self.basis()
        if basis is not None and None in sizes:
            lengths = np.linalg.norm(basis, axis=1).tolist()
            sizes = [size or length or None for size, length in zip(sizes, lengths, strict=True)]
            tail = f"{base}/basis_vectors"
        known = [abs(size) for size in sizes if size is not None]
        if not known:
            return
        if len(known) == 1:
            self.note("Only one of x_pixel_size and y_pixel_size is there; pixels are square.")
        self.found("detector_pixel_m", (known[0], known[-1]), tail)

    def distance(self) -> None:
        tail = "instrument_1/detector_1/distance"
        value = self.number(tail, hdf5.LENGTHS)
        if value is None:
            corner = self.find("instrument_1/detector_1/corner_position")
            if corner is None or corner.size != 3:
                return
            tail, value = (
                "instrument_1/detector_1/corner_position",
                float(np.ravel(stored.loaded(corner))[2]),
            )
        if value < 0:
            self.note(f"The distance in the file is negative ({value:g} m); its size is used.")
        if np.isfinite(value) and value != 0:
            self.found("distance_m", abs(value), tail)

    def energy(self) -> None:
        tail = "instrument_1/source_1/wavelength"
        wavelength = self.number(tail, hdf5.LENGTHS)
        energy = self._source_energy()
        if wavelength is not None and WAVELENGTH_M[0] < wavelength < WAVELENGTH_M[1]:
            of_wave = h * c / (e * wavelength)
            if energy is not None and abs(energy - of_wave) > 0.01 * of_wave:
                self.note(
                    f"The file says {energy:.6g} eV, but its wavelength means {of_wave:.6g} eV; "
                    "the wavelength is used."
                )
            self.found("energy_ev", of_wave, tail)
            return
        if wavelength is not None:
            self.note(f"A wavelength of {wavelength:g} m is none of X-rays and was not used.")
        if energy is not None:
            self.found("energy_ev", energy, "instrument_1/source_1/energy")

    def _source_energy(self) -> float | None:
        """Return the photon energy in eV; CXI wants joules, files have eV and keV too."""
        tail = "instrument_1/source_1/energy"
        dataset = self.find(tail)
        value = self.number(tail, hdf5.ENERGIES)
        if dataset is None or value is None:
            return None
        if hdf5.unit(dataset):
            energy, told = value, hdf5.unit(dataset)
        elif PHOTON_J[0] < value < PHOTON_J[1]:
            return value / e
        elif PHOTON_J[0] < value * 1e-10 < PHOTON_J[1]:  # PyNX before October 2018
            energy, told = value * 1e-10 / e, "joules, 1e10 times too large"
        elif 0.05 <= value <= 200:
            energy, told = value * 1e3, "keV"
        else:
            energy, told = value, "eV"
        if not PHOTON_EV[0] <= energy <= PHOTON_EV[1]:
            self.note(f"{dataset.name} = {value:g} is no photon energy (the machine's?); not used.")
            return None
        first = np.ravel(dataset[(0,) * dataset.ndim])[0]
        self.note(f"{dataset.name} = {first:g} was taken as {told}: {energy:.6g} eV.")
        return energy

    def basis(self) -> NDArray[np.float64] | None:
        """Return the detector's (slow, fast) axes, (2, 3) in the laboratory, if they are told."""
        dataset = self.find("instrument_1/detector_1/basis_vectors")
        if dataset is None or dataset.shape not in ((2, 3), (3, 2)):
            return None
        vectors = stored.numbers(dataset).astype(np.float64)
        vectors = vectors if vectors.shape == (2, 3) else vectors.T
        lengths = np.linalg.norm(vectors, axis=1)
        return vectors if np.isfinite(vectors).all() and (lengths > 0).all() else None


def _positions(part: _Part, n: int) -> NDArray[np.float64]:
    """Return (n, 2) probe positions (y, x) in metres.

    The file has the motion of the *sample*, in a frame whose x points left and y up seen along the
    beam, so that the two signs cancel: rows go with +y, columns with +x.
    """
    dataset = next((found for tail in TRANSLATIONS if (found := part.find(tail))), None)
    if dataset is None:
        raise ScanError(
            f"{part.draft.file.name}: no positions; {A_CXI_SCAN} must have one of "
            + ", ".join(f"{part.entry}/{tail}" for tail in TRANSLATIONS)
        )
    moved = stored.numbers(dataset).astype(np.float64)
    if moved.ndim != 2 or not {2, 3} & set(moved.shape):
        raise ScanError(
            f"{part.draft.file.name}: {dataset.name} has shape {moved.shape}; need ({n}, 3)"
        )
    if moved.shape[1] not in (2, 3) or (moved.shape[0] in (2, 3) and moved.shape[0] != n):
        moved = moved.T
    if unit := hdf5.unit(dataset):
        if unit.lower() not in hdf5.LENGTHS:
            raise ScanError(
                f"{part.draft.file.name}: {dataset.name} is in '{unit}'; need a length such as m"
            )
        moved = moved * hdf5.LENGTHS[unit.lower()]
    part.draft.sources["positions_m"] = f"file: {dataset.name}"
    slow, fast = _axes(part, moved.shape[1])
    with np.errstate(invalid="ignore"):  # infinite positions are dropped later
        return np.stack([-(moved @ slow), -(moved @ fast)], axis=1) + 0.0


def _axes(part: _Part, dimensions: int) -> NDArray[np.float64]:
    """Return unit vectors along the rows' and the columns' direction, (2, dimensions)."""
    usual = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]])
    basis = part.basis()
    if basis is not None:
        told = basis / np.linalg.norm(basis, axis=1, keepdims=True)
        if not np.allclose(told, usual, atol=1e-3):
            part.note(
                "The detector's basis vectors are not the usual ones (slow -y, fast -x); "
                "the positions were projected on them."
            )
            return told[:, :dimensions]
    return usual[:, :dimensions]


def _mask(part: _Part) -> None:
    dataset = next((found for tail in MASKS if (found := part.find(tail))), None)
    if dataset is None:
        return
    mask = stored.loaded(dataset)
    if mask.dtype.kind not in "buif":
        raise ScanError(f"{part.draft.file.name}: {dataset.name} is {mask.dtype}; need numbers")
    mask = mask[0] if mask.ndim == 3 and len(mask) == 1 else mask
    part.draft.valid, _ = good_pixels(mask, dataset.name, "CXI bits")
    part.draft.sources["valid"] = f"file: {dataset.name}"


def _monitor(part: _Part) -> None:
    dataset = part.find(MONITOR)
    if dataset is None or dataset.dtype.kind not in "uif" or not dataset.size:
        return
    part.draft.monitor = stored.numbers(dataset)
    part.draft.sources["exposure"] = f"file: {dataset.name}"


FORMAT = Format(
    title="CXI scans",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_scan=lambda file, request: read(file).scan(request),
    checked="a measured scan (PETRA III P25); files built to the documented layout",
)
