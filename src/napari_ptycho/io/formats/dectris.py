"""Masters of DECTRIS detectors (EIGER, PILATUS4, SELUN, ARINA): NeXus NXmx, legacy and v2024.2.

Facts: DECTRIS' documentation of its FileWriter, and a file of an ARINA. A legacy master links to
files with the frames, which need not exist yet; v2024.2 has one dataset (images, channels, H, W).
Neither ever has positions.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_ptycho.io import hdf5
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.formats import HDF5_FILE, Format, stored
from napari_ptycho.io.formats.beam import energy_of, off_centre
from napari_ptycho.io.formats.dectris_frames import DATA, FIRST_IMAGE, frames_of, links
from napari_ptycho.io.masks import good_pixels
from napari_ptycho.model import Scan

DETECTOR = "entry/instrument/detector"
SPECIFIC = f"{DETECTOR}/detectorSpecific"
ELECTRON_DETECTORS = ("ARINA", "ELA", "QUADRO", "SINGLA")
ENERGIES = (
    "entry/instrument/beam/incident_energy",
    f"{SPECIFIC}/photon_energy",
    f"{DETECTOR}/photon_energy",
)
WAVELENGTHS = ("entry/instrument/beam/incident_wavelength", "entry/sample/beam/incident_wavelength")
DISTANCES = (f"{DETECTOR}/detector_distance", f"{DETECTOR}/distance")
LIMITS = (f"{DETECTOR}/saturation_value", f"{SPECIFIC}/countrate_correction_count_cutoff")


def recognises(file: h5py.File) -> bool:
    """Whether a file is a master, or one of the files with frames that a master links to."""
    if not isinstance(file.get(DATA), h5py.Group):
        return False
    definition = file.get("entry/definition")
    if isinstance(definition, h5py.Dataset) and hdf5.text(definition) == "NXmx":
        return True
    frames = file.get(f"{DATA}/data")
    own = isinstance(frames, h5py.Dataset) and FIRST_IMAGE in frames.attrs
    return own or SPECIFIC in file or bool(links(file))


@dataclass
class _Master:
    """A master that is read, and the draft its values go into."""

    file: h5py.File
    draft: Draft
    channel: str = ""
    """Of several thresholds the one that is read."""

    def number(self, names: tuple[str, ...], factors: dict[str, float]) -> tuple[float, str] | None:
        """Return the first number that is known, without its sign, and where it is."""
        for name in names:
            value = hdf5.number(hdf5.find(self.file, name), factors)
            if value is not None:
                return abs(value), name
        return None

    def found(self, field: str, value: Any, name: str) -> None:
        self.draft.geometry[field] = value
        self.draft.sources[field] = f"file: /{name}"


def read(file: h5py.File, request: Request) -> Scan:
    """Read a scan; its positions come from elsewhere.

    Raises:
        NeedsPositions: Nobody says where the probe stood.
        ScanError: The parts do not fit each other.
        FileError: A part other than the last ones is missing.
    """
    notes: list[str] = []
    frames, channel, source = frames_of(file, request, notes)
    sources = {"patterns": f"file: /{source}"}
    draft = Draft(Path(file.filename), frames, None, sources=sources, notes=notes)
    master = _Master(file, draft, channel)
    if "entry/instrument" not in file:
        notes.append("This file has frames only; its master has the mask and the experiment too.")
    for look in (_count, _mask, _energy, _geometry, _centre, _limit):
        look(master)
    return draft.scan(request)


def _count(master: _Master) -> None:
    """Say so where there are not as many frames as were asked for."""
    counts = [master.number((f"{SPECIFIC}/{name}",), {}) for name in ("nimages", "ntrigger")]
    n = master.draft.patterns.shape[0]
    known = [count[0] for count in counts if count is not None]
    if len(known) < len(counts):
        return
    expected = round(known[0] * known[1])
    master.draft.expected = expected
    if expected != n:
        master.draft.notes.append(f"{n} of {expected} frames expected are there.")


def _mask(master: _Master) -> None:
    shape = tuple(master.draft.patterns.shape[1:])
    places = (f"{DETECTOR}/{master.channel}_channel", SPECIFIC, DETECTOR)
    for name in (f"{place}/pixel_mask" for place in places):
        dataset = hdf5.find(master.file, name)
        if dataset is None:
            continue
        if dataset.shape != shape or dataset.dtype.kind not in "biu":
            master.draft.notes.append(
                f"The pixel mask /{name} ({dataset.dtype} of shape {dataset.shape}) does not fit "
                f"frames of {shape} and was not used."
            )
            continue
        master.draft.valid, _ = good_pixels(stored.numbers(dataset), name, "NX bits")
        master.draft.sources["valid"] = f"file: /{name}"
        return


def _energy(master: _Master) -> None:
    """Find the energy; a detector of electrons has theirs under the photons' name."""
    description = hdf5.find(master.file, f"{DETECTOR}/description")
    words = "" if description is None or description.shape else hdf5.text(description)
    electrons = any(name in words.upper().split() for name in ELECTRON_DETECTORS)
    energy = master.number(ENERGIES, hdf5.ENERGIES)
    wavelength = _wavelength(master)
    if electrons:
        master.found("particle", "electron", f"{DETECTOR}/description")
        if energy is not None:
            master.found("energy_ev", *energy)
            master.draft.notes.append(
                f"The detector ({words}) counts electrons: {energy[0]:.6g} eV is taken as theirs."
            )
        return
    if energy is None and wavelength is not None:
        energy = energy_of(wavelength[0])[0], wavelength[1]
    if energy is None:
        return
    master.found("energy_ev", *energy)
    if wavelength is not None and abs(energy_of(wavelength[0])[0] / energy[0] - 1) > 0.01:
        master.draft.notes.append(
            f"The file says {energy[0]:.6g} eV, but its wavelength means "
            f"{energy_of(wavelength[0])[0]:.6g} eV; the energy is used."
        )


def _wavelength(master: _Master) -> tuple[float, str] | None:
    """Return the wavelength in metres; without a unit it is in angstrom."""
    for name in WAVELENGTHS:
        dataset = hdf5.find(master.file, name)
        value = hdf5.number(dataset, hdf5.LENGTHS)
        if dataset is not None and value is not None:
            return abs(value) * (1.0 if hdf5.unit(dataset) else 1e-10), name
    return None


def _geometry(master: _Master) -> None:
    distance = master.number(DISTANCES, hdf5.LENGTHS)
    if distance is not None:
        master.found("distance_m", *distance)
    sides = [master.number((f"{DETECTOR}/{axis}_pixel_size",), hdf5.LENGTHS) for axis in "yx"]
    known = [side for side in sides if side is not None]
    if known:
        pixel = known[0][0], known[-1][0]
        master.found("detector_pixel_m", pixel, known[-1][1])


def _centre(master: _Master) -> None:
    """Say where the beam hits, if that is not the middle; x counts columns."""
    pixel = master.draft.geometry.get("detector_pixel_m") or (np.inf, np.inf)
    centre = []
    for axis, side in zip("yx", pixel, strict=True):
        dataset = hdf5.find(master.file, f"{DETECTOR}/beam_center_{axis}")
        length = dataset is not None and hdf5.unit(dataset).lower() in hdf5.LENGTHS
        value = hdf5.number(dataset, hdf5.LENGTHS if length else {"pixel": 1.0, "pixels": 1.0})
        centre.append(np.nan if value is None else value / side if length else value)
    note = off_centre((centre[0], centre[1]), tuple(master.draft.patterns.shape[1:]))
    if note is not None:
        master.draft.notes.append(note)


def _limit(master: _Master) -> None:
    limit = master.number(LIMITS, {})
    if limit is not None:
        master.draft.notes.append(
            f"The detector cannot be trusted from {limit[0]:.6g} counts per pixel on: set this as "
            "the saturation level in the Detector section if frames reach it."
        )


FORMAT = Format(
    title="masters of DECTRIS detectors (NXmx)",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_scan=read,
    checked="a genuine pair of files (ARINA); files built to the documented layout",
)
