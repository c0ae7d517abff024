"""Any HDF5 file, read as a person says it: `Layout.frames` names its frames."""

from pathlib import Path

import h5py

from napari_ptycho.errors import ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.formats import HDF5_FILE, Format
from napari_ptycho.io.hdf5_frames import Hdf5Frames
from napari_ptycho.model import Scan

FRAME_AXES = {"last": (-2, -1), "first": (0, 1)}


def read_scan(file: h5py.File, request: Request) -> Scan:
    """Read the scan that the layout names.

    Raises:
        ScanError: Something named is not there or does not fit; `NeedsPositions` if none are named.
        FileError: A link, a filter or a virtual source is broken.
    """
    return read(file, request).scan(request)


def read(file: h5py.File, request: Request) -> Draft:
    """Read the frames; what else the layout names follows when the scan is made.

    Raises:
        ScanError: They are not there, or have too few axes.
        FileError: A link, a filter or a virtual source is broken.
    """
    layout = request.layout
    dataset = hdf5.require(file, layout.frames, "a file of this layout")
    name, shape = Path(file.filename).name, tuple(map(int, dataset.shape or ()))
    frame_axes = FRAME_AXES[layout.frame_axes]
    taken = {axis % max(1, len(shape)) for axis in frame_axes}
    others = [axis for axis in range(len(shape)) if axis not in taken]
    fixed = _fixed(name, shape, others, request)
    scan_axes = [axis for axis in others if axis not in fixed]
    if not scan_axes or 0 in shape:
        raise ScanError(
            f"{name}: '{layout.frames}' has shape {shape}; need one axis or more for the scan and "
            "two for the frame"
        )
    notes = []
    if sum(shape[axis] > 1 for axis in scan_axes) > 1:
        sides = " x ".join(str(shape[axis]) for axis in scan_axes)
        notes.append(f"'{layout.frames}' holds {sides} frames; they are taken row by row.")
    sources = {"patterns": f"file: /{layout.frames.strip('/')}", "probe": "unknown"}
    frames = Hdf5Frames(dataset, frame_axes, fixed)
    return Draft(Path(file.filename), frames, None, sources=sources, notes=notes)


def _fixed(
    name: str, shape: tuple[int, ...], others: list[int], request: Request
) -> dict[int, int]:
    """Return the axis that is neither scan nor frame, and the place on it that is wanted."""
    layout, number = request.layout, request.layout.extra
    if number is None:
        return {}
    if number >= len(others):
        raise ScanError(f"{name}: '{layout.frames}' has shape {shape}; it has no extra axis")
    axis = others[number]
    if layout.extra_index >= shape[axis]:
        raise ScanError(
            f"{name}: the extra axis of '{layout.frames}' has {shape[axis]} places; "
            f"there is none of number {layout.extra_index}"
        )
    return {axis: layout.extra_index}


FORMAT = Format(
    title="HDF5 files by a layout",
    containers=(HDF5_FILE,),
    recognises=lambda file: True,
    read_scan=read_scan,
)
