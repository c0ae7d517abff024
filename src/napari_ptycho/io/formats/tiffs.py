"""Scans in TIFF: a file of many pages, or a folder with one file per frame. Tags are ignored."""

import struct
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.files import translated
from napari_ptycho.io.formats import FOLDER, TIFF_FILE, Format, numbered, rasters
from napari_ptycho.io.formats.raw_frames import RawFrames
from napari_ptycho.io.frames import Frames, Joined
from napari_ptycho.io.tiff_check import check_chain, check_page
from napari_ptycho.model import Scan

ENDINGS = (".tif", ".tiff")
LEAST_BYTES = 16
"""A TIFF header and an entry; fewer bytes are no TIFF at all."""


class Pages(Frames):
    """Frames that are pages of one TIFF file, packed or not next to each other."""

    def __init__(self, path: Path, count: int, page: Any) -> None:
        """Remember the file.

        Args:
            path: The file.
            count: Its pages.
            page: The first of them.
        """
        super().__init__((path,), (count, *page.shape), page.dtype)
        self._file: tifffile.TiffFile | None = None
        self._lock = Lock()

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return stored frames."""
        block = np.empty((stop - start, *self._all[1:]), self.dtype)
        with self._lock:
            if self._file is None:
                self._file = _opened(self.path)
            for number in range(start, stop):
                page = self._file.pages[number]
                _check(self.path, page, self._all[1:], self.dtype, number)
                block[number - start] = page.asarray()
        return block

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_file": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "_lock": Lock()})


class Series(Frames):
    """Frames that are TIFF files of one image each."""

    def __init__(self, paths: Sequence[Path], page: Any) -> None:
        """Remember the files.

        Args:
            paths: One for each frame, in order.
            page: Of the first file.
        """
        super().__init__(paths, (len(paths), *page.shape), page.dtype)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return stored frames."""
        block = np.empty((stop - start, *self._all[1:]), self.dtype)
        for number in range(start, stop):
            path = self.parts[number]
            with translated(path), _opened(path) as file:
                page = file.pages.first
                _check(path, page, self._all[1:], self.dtype, 0)
                block[number - start] = page.asarray()
        return block


def single_page(path: Path) -> Any:
    """Return the one page of a TIFF file that is a frame.

    Raises:
        FileError: It is damaged, still being written, or has more pages.
    """
    with translated(path), _opened(path) as file:
        page = file.pages.first
        check_page(path, page)
        if len(file.pages) > 1 or page.ndim != 2:
            raise FileError(f"{path.name}: {len(file.pages)} images of {page.shape}; need one")
        return page


def _opened(path: Path) -> tifffile.TiffFile:
    """Open a file; OME's words, which may name other files, are not heeded."""
    return tifffile.TiffFile(path, is_ome=False)


def _check(
    path: Path, page: Any, shape: tuple[int, ...], dtype: np.dtype[Any], number: int
) -> None:
    """Refuse a page that is not like the first, or claims more than its file can hold."""
    if tuple(page.shape) != shape or page.dtype != dtype:
        raise FileError(
            f"{path.name}: page {number} is {page.dtype} of shape {tuple(page.shape)}, but the "
            f"first frame is {dtype} of shape {shape}; all frames of a scan must be alike"
        )
    check_page(path, page)


def recognises(path: Path) -> bool:
    """Whether a file is a TIFF with a header, or a folder holds two TIFF files or more."""
    if path.is_dir():
        return len(_series(path)[0]) > 1
    return path.stat().st_size >= LEAST_BYTES


def read_scan(path: Path, request: Request) -> Scan:
    """Read the pages of a file or the files of a folder, in the order of their numbers.

    Positions come from the caller, or from the one table in the folder called positions*.

    Raises:
        NeedsPositions: There are none.
        ScanError: The file holds but one image, or images in colour.
        FileError: A page is damaged or unlike the others.
    """
    notes: list[str] = []
    if path.is_dir():
        frames = _of_folder(path, notes)
        request = numbered.with_table(path, request, notes)
    else:
        frames = _of_file(path)
    draft = Draft(path, frames, None, sources={"patterns": "file"}, notes=notes)
    draft.sources["probe"] = "unknown"
    return rasters.scan(draft, request, f"{frames.shape[0]} TIFF images")


def _of_file(path: Path) -> Frames:
    frames = _stack(path)
    if frames is None or frames.shape[0] == 1:
        raise ScanError(
            f"{path.name}: holds one image, not a scan; open the folder of such images, one for "
            "each frame, as a scan"
        )
    return frames


def _stack(path: Path) -> Frames | None:
    """Return the frames of a file of many pages, None if it holds but one image."""
    check_chain(path)
    with _opened(path) as file:
        series, page = file.series[0], file.pages.first
        if page.ndim != 2 or 0 in page.shape:
            raise ScanError(
                f"{path.name}: its images have shape {tuple(page.shape)}; need (H, W), one number "
                "for each pixel"
            )
        check_page(path, page)
        shape = tuple(int(length) for length in series.shape)
        if not file.is_imagej and len(file.series) > 1:
            raise FileError(
                f"{path.name}: its pages are not alike: {shape[-2:]} and "
                f"{tuple(file.series[1].shape[-2:])}; all frames of a scan must be"
            )
        count, start = series.size // page.size, series.dataoffset
        if count <= len(file.pages) and not _is_whole(file):
            raise FileError(
                f"{path.name}: the file ends before its page {len(file.pages)}; it was cut short "
                "or is still being written"
            )
        if count < 2 or shape[-2:] != tuple(page.shape):
            return None
        if start is not None:
            dtype = np.dtype(page.dtype).newbyteorder(file.byteorder)
            return RawFrames(path, (count, shape[-2], shape[-1]), dtype, int(start))
        if len(file.pages) < count:
            raise FileError(f"{path.name}: {len(file.pages)} pages of {count}; the file is damaged")
        return Pages(path, count, page)


def _is_whole(file: tifffile.TiffFile) -> bool:
    """Whether the last page that could be read says that it is the last."""
    form, handle = file.tiff, file.filehandle
    handle.seek(file.pages[-1].offset)
    (tags,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
    handle.seek(tags * form.tagsize, 1)
    (following,) = struct.unpack(form.offsetformat, handle.read(form.offsetsize))
    return bool(following == 0)


def _of_folder(folder: Path, notes: list[str]) -> Frames:
    paths, others = _series(folder)
    if others:
        notes.append(
            f"The folder holds {len(others)} other TIFF files ({others[0].name}, ...); they were "
            "not read."
        )
    notes.append(f"{len(paths)} files were read in the order {paths[0].name} ... {paths[-1].name}.")
    stacks = _stack(paths[0])
    if stacks is not None:
        pieces = [_of_file(path) for path in paths]
        for path, piece in zip(paths, pieces, strict=True):
            if piece.shape[1:] != stacks.shape[1:] or piece.dtype != stacks.dtype:
                raise FileError(
                    f"{path.name}: frames are {piece.dtype} of shape {piece.shape[1:]}, but those "
                    f"of {paths[0].name} are {stacks.dtype} of shape {stacks.shape[1:]}"
                )
        return Joined(pieces)
    with _opened(paths[0]) as file:
        return Series(paths, file.pages.first)


def _series(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the TIFF files that are the frames, in order; and the others."""
    return numbered.largest_set([p for p in folder.iterdir() if p.suffix.lower() in ENDINGS])


FORMAT = Format(
    title="TIFF scans: a stack, or a folder with one file per frame",
    containers=(TIFF_FILE, FOLDER),
    recognises=recognises,
    read_scan=read_scan,
    checked="stacks and folders written with tifffile; measured images",
)
