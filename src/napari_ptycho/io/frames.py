"""Patterns that stay in an HDF5 file until they are read."""

import math
import os
import uuid
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.io import hdf5
from napari_ptycho.io.files import size_text, translated

CHUNK_BYTES = 32 * 2**20
CHUNK_BYTES_MOST = 256 * 2**20

_readers: "weakref.WeakSet[Hdf5Frames]" = weakref.WeakSet()


class Hdf5Frames:
    """(N, H, W) frames of a dataset, some left out; reads whole frames, survives pickling."""

    def __init__(self, dataset: h5py.Dataset, keep: NDArray[np.intp] | None = None) -> None:
        """Remember where the frames lie.

        Args:
            dataset: (n, H, W), open; only its file name and path are kept.
            keep: Ascending numbers of the frames wanted; None means all.
        """
        self.path = Path(dataset.file.filename).absolute()
        self.name = str(dataset.name)
        self.parts = (self.path, *hdf5.virtual_files(dataset))
        self.dtype = np.dtype(dataset.dtype)
        self.chunks: tuple[int, ...] | None = dataset.chunks
        self._all = tuple(int(length) for length in dataset.shape)
        self._file: h5py.File | None = None
        self.keep = keep
        _readers.add(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W) of the frames wanted."""
        n = self._all[0] if self.keep is None else len(self.keep)
        return (n, *self._all[1:])

    @property
    def ndim(self) -> int:
        """3."""
        return len(self._all)

    @property
    def nbytes(self) -> int:
        """Size of the frames wanted, in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __getitem__(self, key: Any) -> NDArray[Any]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, slice):
            start, stop, step = first.indices(self.shape[0])
            numbers = np.arange(start, stop, step)
        else:
            numbers = np.atleast_1d(np.arange(self.shape[0])[first])
        if self.keep is not None:
            numbers = self.keep[numbers]
        if len(numbers) == 0:
            block = np.empty((0, *self._all[1:]), self.dtype)
        else:
            low, high = int(numbers.min()), int(numbers.max())
            with translated(self.path):
                block = self._dataset()[low : high + 1]
            if len(numbers) != high - low + 1 or numbers[0] != low:
                block = block[numbers - low]
        if isinstance(first, int | np.integer):
            return np.asarray(block[0][tuple(rest)])
        return np.asarray(block[(slice(None), *rest)])

    def _dataset(self) -> h5py.Dataset:
        if self._file is None or not self._file.id.valid:
            self._file = hdf5.handle(self.path)
        return self._file[self.name]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        _readers.add(self)

    def per_block(self) -> int:
        """Return how many frames a dask chunk holds: whole HDF5 chunks, about `CHUNK_BYTES`."""
        frame = max(1, self.nbytes // max(1, self.shape[0]))
        together = min(self.chunks[0] if self.chunks else 1, max(1, self.shape[0]))
        if together * frame > CHUNK_BYTES_MOST:
            return int(max(1, CHUNK_BYTES_MOST // frame))
        return int(max(1, CHUNK_BYTES // (frame * together)) * together)

    def advice(self) -> str | None:
        """Return a sentence if the layout in the file makes single frames slow, else None."""
        if not self.chunks or self.chunks[0] == 1:
            return None
        together = self.chunks[0]
        cost = size_text(together * self.nbytes / max(1, self.shape[0]))
        repeated = math.ceil(together / self.per_block())
        again = f"; one pass decompresses everything {repeated} times" if repeated > 1 else ""
        return (
            f"The file keeps {together} frames in one chunk {self.chunks}: showing one frame "
            f"decompresses {together} ({cost}){again}. A copy made with write_scan is quick."
        )

    def lazy(
        self,
        made: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
        dtype: np.dtype[Any] | None = None,
    ) -> da.Array:
        """Return the frames as a dask array, chunked along N only.

        Args:
            made: What is made of (n, H, W) frames as they are read, of the same shape; None: the
                frames themselves.
            dtype: What it makes them of.
        """
        source = self if made is None else _Made(self, made, dtype or self.dtype)
        return da.from_array(  # type: ignore[no-untyped-call]
            source,
            chunks=(self.per_block(), *self.shape[1:]),
            name=f"frames-{uuid.uuid4().hex}",
            asarray=False,
            fancy=True,  # only so does dask ask for one frame where one frame is wanted
            meta=np.empty((0, 0, 0), source.dtype),
        )


class _Made:
    """Frames that pass through a function when read: dask then reads one where one is asked for."""

    def __init__(
        self,
        frames: Hdf5Frames,
        made: Callable[[NDArray[Any]], NDArray[Any]],
        dtype: np.dtype[Any],
    ) -> None:
        self.frames, self.made = frames, made
        self.shape, self.ndim, self.dtype = frames.shape, frames.ndim, dtype

    def __getitem__(self, key: Any) -> NDArray[Any]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        block = self.frames[first]
        if block.ndim == 2:
            return np.asarray(self.made(block[np.newaxis])[0][tuple(rest)])
        return np.asarray(self.made(block)[(slice(None), *rest)])


def in_use(path: Path) -> bool:
    """Whether a lazy scan still reads from this file."""
    if not path.exists():
        return False
    parts = {part for reader in list(_readers) for part in reader.parts}
    return any(part.exists() and os.path.samefile(part, path) for part in parts)  # noqa: PTH121
