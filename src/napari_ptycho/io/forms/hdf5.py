"""The one way to new HDF5 files, and what goes into several kinds of them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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


def put(group: h5py.Group, name: str, value: Any, unit: str) -> None:
    """Write a value with its unit."""
    group[name] = value
    group[name].attrs["units"] = unit


def group_of(parent: h5py.Group, name: str, kind: str, **attributes: Any) -> h5py.Group:
    """Return a group of a NeXus class, made if it is not there."""
    group = parent.require_group(name)
    group.attrs.update({"NX_class": kind, **attributes})
    return group
