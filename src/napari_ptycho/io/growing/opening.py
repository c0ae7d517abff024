"""From a path to the scan that grows there."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_ptycho.errors import FileError
from napari_ptycho.io.draft import Request
from napari_ptycho.io.files import HDF5, kind_of, read_head, stranger, translated
from napari_ptycho.io.growing import Growing
from napari_ptycho.io.growing.files import GrowingFile
from napari_ptycho.io.growing.folder import GrowingFolder
from napari_ptycho.io.growing.reading import GrowingReading
from napari_ptycho.io.layout import Layout
from napari_ptycho.model import Geometry
from napari_ptycho.prepare.detector import DetectorOptions


def opened(
    path: str | os.PathLike[str],
    geometry: Geometry | Mapping[str, Any] | None,
    layout: Layout | None,
    positions: str | os.PathLike[str] | None,
    detector: DetectorOptions | None,
) -> Growing:
    """Return the growing scan at a path; the arguments are those of `read_scan`.

    The path need not be there yet: without an ending it will be a folder, else an HDF5 file.

    Raises:
        FileError: The folder of the file is not there, or the file is of a kind that does not grow.
        OptionsError: `geometry` names an unknown field or holds no number.
    """
    path = Path(path)
    second = None if positions is None else Path(positions).expanduser()
    request = Request(geometry, 0, layout or Layout(), second)
    request.overrides()  # wrong ones now, and not when the first frames come
    with translated(path, "find"):
        path = path.expanduser()
        if not path.parent.is_dir():
            raise FileError(f"{path.parent}: no such folder; make it before {path.name} is watched")
        there = path.is_file() and path.stat().st_size > 0
        folder = path.is_dir() or (not path.exists() and not path.suffix)
    reading = GrowingReading(request, detector, by_saved=layout is None)
    if folder:
        return GrowingFolder(path, reading)
    if there and kind_of(head := read_head(path)) != HDF5:
        kind = kind_of(head)
        what = f"a {kind} file" if kind else stranger(head)
        raise FileError(
            f"{path.name}: this is {what}; while they are written, scans are read from HDF5 files "
            "(SWMR), DECTRIS masters and folders of TIFF or NPY frames"
        )
    return GrowingFile(path, reading)
