"""HDF5 files opened for reading, also those that another program writes at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

import h5py

from napari_ptycho.errors import FileError
from napari_ptycho.io.files import read_head
from napari_ptycho.io.superblock import Writer, stored_size, writer_of
from napari_ptycho.prepare.text import size as size_text

LOCKED: dict[str, Any] = {}
UNLOCKED: dict[str, Any] = {"locking": False}
APPENDED: dict[str, Any] = {"locking": False, "swmr": True}
"""Sees what a writer appends; does not look whether the file is whole."""

ALONE = RLock()
"""Held while a growing file is open: who opens a file again in a process sees it as the first did,
and to refresh a dataset that is open twice breaks it (HDF5 2.0: "can't insert duplicate key")."""


@contextmanager
def appended(path: Path) -> Iterator[h5py.File]:
    """Open a file that may still be written, as it is now, and close it soon.

    Raises:
        FileError: It cannot be opened.
    """
    with ALONE:
        file = handle(path, growing=True)
        try:
            yield file
        finally:
            file.close()


def handle(path: Path, growing: bool = False) -> h5py.File:
    """Return an open h5py.File; the caller closes it.

    A process can have a file open in one way at a time, so other ways are tried too.

    Args:
        path: The file.
        growing: Open it without a lock, which would keep a writer out, and read what one appends.

    Raises:
        FileError: It cannot be opened.
    """
    head = read_head(path)
    writer = writer_of(head)
    ways = [LOCKED, UNLOCKED]
    if writer is Writer.SWMR or (growing and (stored_size(head) or 0) <= path.stat().st_size):
        ways = [APPENDED, UNLOCKED, LOCKED]
    problems: list[OSError] = []
    for way in ways:
        try:
            return h5py.File(path, "r", **way)
        except OSError as error:  # locked by a writer, or a network disk that knows no locks
            problems.append(error)
    raise _not_opened(path, writer, problems[0]) from problems[0]


def _not_opened(path: Path, writer: Writer, error: OSError) -> FileError:
    expected, size = stored_size(read_head(path)), path.stat().st_size
    if expected is not None and expected > size:
        return FileError(
            f"{path.name}: the file is incomplete, {size_text(size)} of {size_text(expected)}; "
            "copy it again, or wait until it is written"
        )
    if writer is Writer.ALONE:
        return FileError(
            f"{path.name}: a program has it open for writing, or died while it had; wait until it "
            "is closed, or switch SWMR on in the program that writes (after a crash: h5clear -s)"
        )
    return FileError(f"{path.name}: the HDF5 file is damaged or still being written: {error}")
