"""4D-STEM in EMD files: py4DSTEM 0.14 and later (EMD 1.0), and older ones with Prismatic's.

A data cube is (rows, columns) of the scan, then of the detector. Each axis has a data set of its
places with a unit: dim0 to dim3, in older files dim1 to dim4.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from napari_ptycho.io import hdf5
from napari_ptycho.io.attributes import Attributes
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.formats import HDF5_FILE, Format, electrons, rasters
from napari_ptycho.io.formats.electrons import Axis
from napari_ptycho.io.hdf5_frames import Hdf5Frames
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Floats

MARK = "emd_group_type"
CUBES = ("data", "datacube")
SIMULATION = "4DSTEM_simulation/metadata/metadata_0/original/simulation_parameters"
CALIBRATION = "metadatabundle/calibration"
DEEPEST, MOST_GROUPS = 6, 2000


def recognises(file: h5py.File) -> bool:
    """Whether a file is EMD by its root, and a group marked so holds a data set of four axes."""
    by_name = any(name.startswith("4DSTEM_") for name in file)
    if not by_name and MARK not in file.attrs and "version_major" not in file.attrs:
        return False
    return next(_cubes(file), None) is not None


def _cubes(file: h5py.File) -> Iterator[str]:
    """Yield the paths of the data cubes."""
    waiting, seen = [("", 0)], 0
    while waiting and seen < MOST_GROUPS:
        name, depth = waiting.pop(0)
        group, seen = file[name or "/"], seen + 1
        if MARK in group.attrs:
            found = (f"{name}/{last}" for last in CUBES if _axes(group, last) == 4)
            yield from found
        if depth < DEEPEST:
            waiting += [(f"{name}/{last}", depth + 1) for last in group if _is_group(group, last)]


def _axes(group: h5py.Group, name: str) -> int:
    found = group.get(name, getclass=True)
    return int(group[name].ndim) if found is h5py.Dataset else 0


def _is_group(group: h5py.Group, name: str) -> bool:
    hard = isinstance(group.get(name, getlink=True), h5py.HardLink)
    return hard and group.get(name, getclass=True) is h5py.Group


def read_scan(file: h5py.File, request: Request) -> Scan:
    """Read frames, raster and calibration of the first data cube.

    Raises:
        NeedsPositions: The step of the scan is not calibrated.
        FileError: The data cube cannot be read.
    """
    path = Path(file.filename)
    name, *others = list(_cubes(file))
    dataset = hdf5.require(file, name, "a data cube")
    notes = []
    if others:
        notes.append(f"The file has more data cubes ({', '.join(others)}); {name} was read.")
    axes = _calibrated(file, name)
    detector, scan = ((0, 1), (2, 3)) if electrons.frames_first(axes) else ((2, 3), (0, 1))
    if detector == (0, 1):
        notes.append("By their units, the first two axes are the detector's; they were taken so.")
    frames = Hdf5Frames(dataset, detector)
    draft = Draft(path, frames, None, "m", notes=notes)
    draft.sources |= {"patterns": f"file: {dataset.name}", "probe": "unknown"}
    electrons.geometry(draft, request, _kilovolts(file), [axes[axis] for axis in detector])
    shape = (frames.scan_shape[0], frames.scan_shape[1])
    places = electrons.positions(shape, [axes[axis] for axis in scan])
    if places is not None:
        draft.positions = _turned(file, name, places, notes)
        draft.sources["positions_m"] = "file: calibration of the scan's axes"
    return rasters.scan(
        draft, electrons.intensities(request), f"a data cube of {dataset.shape}", shape
    )


def _calibrated(file: h5py.File, name: str) -> list[Axis]:
    """Return the four axes: as `calibration` says, else as the places along them do."""
    folder = name.rpartition("/")[0]
    from_one = hdf5.find(file, f"{folder}/dim0") is None
    axes = [_axis(hdf5.find(file, f"{folder}/dim{number + from_one}")) for number in range(4)]
    for kind, first in (("R", 0), ("Q", 2)):
        size = _value(file, name, f"{kind}_pixel_size")
        unit = hdf5.find(file, f"{_calibration(name)}/{kind}_pixel_units")
        if size is not None and unit is not None and unit.size == 1:
            axes[first : first + 2] = [Axis(size, hdf5.text(unit))] * 2
    return axes


def _calibration(name: str) -> str:
    return f"{name.strip('/').partition('/')[0]}/{CALIBRATION}"


def _value(file: h5py.File, name: str, what: str) -> float | None:
    found = hdf5.find(file, f"{_calibration(name)}/{what}")
    return hdf5.number(found, {}) if found is not None and found.size == 1 else None


def _axis(places: h5py.Dataset | None) -> Axis:
    if places is None or places.ndim != 1 or len(places) < 2 or places.dtype.kind not in "uif":
        return Axis()
    first, second = np.asarray(places[:2], np.float64).tolist()
    return Axis(second - first, hdf5.unit(places))


def _turned(file: h5py.File, name: str, places: Floats, notes: list[str]) -> Floats:
    """Return the positions in the detector's frame: turned by QR_rotation, then transposed."""
    degrees = _value(file, name, "QR_rotation_degrees")
    radians = _value(file, name, "QR_rotation")
    angle = radians if radians is not None else math.radians(degrees or 0.0)
    if angle:
        cosine, sine = math.cos(angle), math.sin(angle)
        y, x = places.T
        places = np.stack([y * cosine + x * sine, x * cosine - y * sine], axis=1)
        notes.append(
            f"The positions were turned by {math.degrees(angle):.4g} degrees, the file's rotation "
            "of the scan against the detector (QR_rotation)."
        )
    flip = hdf5.find(file, f"{_calibration(name)}/QR_flip")
    if flip is not None and flip.dtype.kind in "bui" and flip.size == 1 and bool(flip[()]):
        places = places[:, ::-1]
        notes.append("Rows and columns of the positions were swapped (QR_flip).")
    return places


def _kilovolts(file: h5py.File) -> tuple[float, str] | None:
    """Return the energy that Prismatic notes, in keV."""
    group = file.get(SIMULATION)
    value = None if group is None else Attributes(group).get("E")
    if value is None or np.asarray(value).dtype.kind not in "uif" or np.size(value) != 1:
        return None
    return float(np.ravel(value)[0]), f"{SIMULATION}: E"


FORMAT = Format(
    title="4D-STEM in EMD: py4DSTEM, Prismatic",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_scan=read_scan,
)
