"""How many frames of a dataset are written: its shape may run ahead of what is in the file."""

from collections.abc import Iterator
from itertools import count, product, takewhile
from math import ceil, prod
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.io.files import read_head
from napari_ptycho.io.frames import Frames, Joined
from napari_ptycho.io.hdf5_frames import Hdf5Frames
from napari_ptycho.io.superblock import Writer, writer_of

COUNTER, ANNOUNCED = "frames_written", "frames_expected"
"""Numbers beside the frames, or in a group above them, by which a writer can say how far it is."""
MANY = 2000
"""Of more new frames, first look whether all chunks are there at once."""
BLOCK = 32
"""Frames of which so many in a row are empty may be the end of what is written."""


class Written:
    """Counts the frames that are there, without going twice over those that it has counted."""

    def __init__(self) -> None:
        self._counted: dict[str, int] = {}

    def count(self, frames: Frames) -> int:
        """Return how many of the first frames are there; none before them is missing."""
        if isinstance(frames, Joined):
            return self._of_pieces(frames)
        if not isinstance(frames, Hdf5Frames):
            return frames.shape[0]
        key = f"{frames.path}:{frames.name}"
        known = min(self._counted.get(key, 0), frames.shape[0])
        with frames.dataset() as dataset:
            self._counted[key] = n = _written(frames, dataset, known)
        return n

    def _of_pieces(self, frames: Joined) -> int:
        total = 0
        for piece in frames.pieces:
            n = self.count(piece)
            total += n
            if n < piece.shape[0]:
                break
        return total


def announced(frames: Frames) -> int | None:
    """Return how many frames a dataset is made for; None where it may grow without an end."""
    if not isinstance(frames, Hdf5Frames):
        return None
    with frames.dataset() as dataset:
        told = _said(dataset, ANNOUNCED)
        if told is not None:
            return told
        lengths = [dataset.maxshape[axis] for axis in frames.scan_axes]
        return None if None in lengths else prod(lengths)


def _said(dataset: h5py.Dataset, name: str) -> int | None:
    """Return a whole number by its name: beside a dataset, or in the groups above."""
    group = dataset.parent
    while True:
        found = group.get(name)
        if isinstance(found, h5py.Dataset) and found.size == 1 and found.dtype.kind in "ui":
            return int(np.ravel(found[()])[0])
        if group.name == "/":
            return None
        group = group.parent


def _written(frames: Hdf5Frames, dataset: h5py.Dataset, known: int) -> int:
    """Return how many frames are there, those known among them."""
    total = frames.shape[0]
    told = _said(dataset, COUNTER)
    if told is not None:
        total = max(known, min(told, total))
    early = dataset.id.get_create_plist().get_alloc_time() == h5py.h5d.ALLOC_TIME_EARLY
    if dataset.chunks is None or early or dataset.is_virtual:
        return total if told is not None else _filled(frames, dataset, known, total)
    n = _allocated(frames, dataset, known, total)
    together = frames.chunks[0] if frames.chunks else 1
    closed = writer_of(read_head(frames.path)) is Writer.NONE
    if told is not None or together == 1 or closed or n == 0:
        return n
    last = (n - 1) // together * together  # the writer may still hold a part of this chunk
    return _filled(frames, dataset, max(known, last), n)


def _allocated(frames: Hdf5Frames, dataset: h5py.Dataset, known: int, total: int) -> int:
    """Return how many of the first frames have all their chunks in the file."""
    sides = zip(dataset.shape, dataset.chunks, strict=True)
    if total - known > MANY and dataset.id.get_num_chunks() == prod(ceil(n / c) for n, c in sides):
        return total
    for number in range(known, total):
        for place in _places(frames, dataset, number):
            try:
                dataset.id.read_direct_chunk(place)
            except RuntimeError:  # never written
                return number
    return total


def _places(frames: Hdf5Frames, dataset: h5py.Dataset, number: int) -> Iterator[tuple[int, ...]]:
    """Yield where the chunks of a frame begin."""
    index = map(int, np.unravel_index(number, frames.scan_shape))
    at = {**dict(zip(frames.scan_axes, index, strict=True)), **frames.fixed}
    yield from product(
        *(
            [at[axis] // chunk * chunk] if axis in at else range(0, length, chunk)
            for axis, (length, chunk) in enumerate(zip(dataset.shape, dataset.chunks, strict=True))
        )
    )


def _filled(frames: Hdf5Frames, dataset: h5py.Dataset, known: int, total: int) -> int:
    """Return how many frames there are up to the last one that is known not to be empty.

    Beyond an empty stretch single frames are tried: the shutter may have been closed for a while.
    """
    n = start = known
    while start < total:
        lit = _lit(frames.read(start, min(start + BLOCK, total)), dataset.fillvalue)
        if len(lit):
            n, start = start + int(lit[-1]) + 1, start + BLOCK
            continue
        tried = takewhile(lambda at: at < total, (start + BLOCK * 2**power for power in count()))
        beyond = [at for at in tried if len(_lit(frames.read(at, at + 1), dataset.fillvalue))]
        if not beyond:
            break
        n, start = beyond[-1] + 1, beyond[-1] + 1
    return n


def _lit(block: NDArray[Any], empty: Any) -> NDArray[np.intp]:
    """Return which frames hold anything but the value of pixels that were never written."""
    return np.flatnonzero(((block != empty) & (block == block)).any(axis=(1, 2)))
