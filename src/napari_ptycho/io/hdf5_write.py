"""The one way to new HDF5 files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import h5py

from napari_ptycho.io.atomic import written


@contextmanager
def created(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Give a new file, which takes the name of `path` when the block ends well.

    It has no cache of chunks: where the disk is full, HDF5 2.0 would end the whole process over
    one that it cannot empty. So write whole chunks.

    Raises:
        FileError: As `atomic.written`.
    """
    with written(path) as temporary, h5py.File(temporary, "w", rdcc_nbytes=0) as file:
        yield file
