"""Scans in a folder with one NPY file per frame."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import FileError
from napari_ptycho.io.archive import Header, read_header
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.files import translated
from napari_ptycho.io.formats import FOLDER, Format, numbered, rasters
from napari_ptycho.io.frames import Frames
from napari_ptycho.model import Scan

FRAME_NDIM = 2


class ArrayFiles(Frames):
    """Frames that are NPY files of one array (H, W) each."""

    def __init__(self, paths: Sequence[Path], header: Header) -> None:
        """Remember the files.

        Args:
            paths: One for each frame, in order.
            header: Of the first file.
        """
        super().__init__(paths, (len(paths), *header.shape), header.dtype)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return stored frames."""
        block = np.empty((stop - start, *self._all[1:]), self.dtype)
        for number in range(start, stop):
            path = self.parts[number]
            found = header_of(path)
            if (found.shape, found.dtype) != (self._all[1:], self.dtype):
                raise FileError(
                    f"{path.name}: holds {found.dtype} of shape {found.shape}, but the first frame "
                    f"is {self.dtype} of shape {self._all[1:]}; all frames of a scan must be alike"
                )
            with translated(path):
                block[number - start] = np.load(path, allow_pickle=False)
        return block


def header_of(path: Path) -> Header:
    """Return shape and type of the array in a whole NPY file.

    Raises:
        FileError: It is damaged, pickled, cut short or still being written.
    """
    with translated(path), path.open("rb") as file:
        shape, _, dtype = read_header(file)
        needed, there = math.prod(shape) * dtype.itemsize + file.tell(), path.stat().st_size
    if dtype.hasobject or needed > there:
        raise FileError(
            f"{path.name}: needs {needed} bytes of plain numbers, but {there} are there; it is "
            "damaged, pickled or still being written"
        )
    return Header(shape, dtype)


def recognises(path: Path) -> bool:
    """Whether a folder holds two NPY files of one frame or more, named by their numbers."""
    paths = _series(path) if path.is_dir() else []
    return len(paths) > 1 and len(header_of(paths[0]).shape) == FRAME_NDIM


def _series(folder: Path) -> list[Path]:
    return numbered.largest_set([p for p in folder.iterdir() if p.suffix.lower() == ".npy"])[0]


def read_scan(path: Path, request: Request) -> Scan:
    """Read the files of a folder in the order of their numbers.

    Positions come from the caller, or from the one table in the folder called positions*.

    Raises:
        NeedsPositions: There are none.
        ScanError: The files hold no frames (H, W).
        FileError: A file is damaged or unlike the others.
    """
    paths = _series(path)
    notes = [f"{len(paths)} files were read in the order {paths[0].name} ... {paths[-1].name}."]
    request = numbered.with_table(path, request, notes)
    frames = ArrayFiles(paths, header_of(paths[0]))
    draft = Draft(path, frames, None, sources={"patterns": "file"}, notes=notes)
    draft.sources["probe"] = "unknown"
    return rasters.scan(draft, request, f"{len(paths)} NPY files")


FORMAT = Format(
    title="folders with one NPY file per frame",
    containers=(FOLDER,),
    recognises=recognises,
    read_scan=read_scan,
    checked="folders written with NumPy",
)
