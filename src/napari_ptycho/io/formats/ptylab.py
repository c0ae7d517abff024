"""Scans of PtyLab: `ptychogram` and `encoder` at the root, all lengths in metres.

Facts: the documentation and the reader of PtyLab. Fourier ptychography uses the same names and is
refused.
"""

from pathlib import Path

import h5py
import numpy as np

from napari_ptycho.errors import ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.attributes import Attributes
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.formats import HDF5_FILE, Format, stored
from napari_ptycho.io.formats.beam import energy_of
from napari_ptycho.io.hdf5_frames import Hdf5Frames
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Floats

FRAMES, POSITIONS, ORIENTATION = "ptychogram", "encoder", "orientation"
FOURIER = ("zled", "magnification")


def recognises(file: h5py.File) -> bool:
    """Whether a file has frames under PtyLab's name."""
    return FRAMES in file


def read(file: h5py.File, request: Request) -> Scan:
    """Read a scan.

    Raises:
        NeedsPositions: It has no encoder.
        ScanError: It is one of Fourier ptychography, or contradicts itself.
    """
    path = Path(file.filename)
    if "zled" in file or ("magnification" in file and "zo" not in file):
        has = " and ".join(name for name in FOURIER if name in file)
        raise ScanError(
            f"{path.name}: is a measurement of Fourier ptychography (it has {has}), where the "
            "light is tilted and not the sample moved; only scans can be reconstructed here"
        )
    frames = hdf5.require(file, FRAMES, "a PtyLab scan")
    if frames.ndim != 3 or 0 in frames.shape:
        raise ScanError(f"{path.name}: '{FRAMES}' has shape {frames.shape}; need (N, H, W)")
    draft = Draft(path, Hdf5Frames(frames), None, sources={"patterns": f"file: /{FRAMES}"})
    draft.positions = _positions(file, frames.shape[0])
    if draft.positions is not None:
        draft.sources["positions_m"] = f"file: /{POSITIONS}"
    _experiment(file, draft)
    _orientation(file, draft, request)
    return draft.scan(request)


def _positions(file: h5py.File, n: int) -> Floats | None:
    """Return (n, 2) positions (row, column); PtyLab takes (2, n) too, and then from their mean."""
    dataset = hdf5.find(file, POSITIONS)
    if dataset is None:
        return None
    places = stored.numbers(dataset).astype(np.float64)
    if places.ndim == 2 and places.shape[0] == 2 and places.shape[1] != 2:
        places = places.T - places.mean(axis=1)
    if places.ndim != 2 or places.shape[1] != 2:
        raise ScanError(
            f"{Path(file.filename).name}: '{POSITIONS}' has shape {dataset.shape}; need ({n}, 2)"
        )
    return np.asarray(places)


def _experiment(file: h5py.File, draft: Draft) -> None:
    for field, name in (
        ("distance_m", "zo"),
        ("detector_pixel_m", "dxd"),
        ("energy_ev", "wavelength"),
    ):
        dataset = hdf5.find(file, name)
        value = hdf5.number(dataset, hdf5.LENGTHS)
        if dataset is None or value is None:
            continue
        value = abs(value)
        if field == "energy_ev":
            draft.geometry |= dict(zip((field, "particle"), energy_of(value), strict=True))
        else:
            draft.geometry[field] = (value, value) if field == "detector_pixel_m" else value
        draft.sources[field] = f"file: /{name}"
    colours = hdf5.find(file, "spectralDensity")
    if colours is not None and colours.size > 1:
        draft.notes.append(
            f"The light has {colours.size} wavelengths (spectralDensity); one is reckoned with."
        )


def _orientation(file: h5py.File, draft: Draft, request: Request) -> None:
    """Say which orientation PtyLab gives the frames, unless the person has said one."""
    dataset = hdf5.find(file, ORIENTATION)
    values = np.ravel(
        Attributes(file).get(ORIENTATION, 0) if dataset is None else stored.loaded(dataset)
    )
    if values.size != 1 or values.dtype.kind not in "uif" or request.layout.orientation:
        return
    if 0 < values[0] < 8:
        draft.notes.append(
            f"PtyLab turns these frames by orientation {values[0]:.0f} before it uses them; here "
            "they are as stored: set the same orientation when the file is opened."
        )


FORMAT = Format(
    title="scans of PtyLab",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_scan=read,
)
