"""Frames in a dataset of an HDF5 file, whatever the order of its axes."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.io import chunks, hdf5
from napari_ptycho.io.frames import Frames
from napari_ptycho.io.handles import appended, handle


class OpenFrames(Frames):
    """Frames in an HDF5 file, which stays open from the first `read` to `close`."""

    _file: h5py.File | None = None

    def file(self) -> h5py.File:
        """Return the open file."""
        if self._file is None or not self._file.id.valid:
            self._file = handle(self.path)
        return self._file

    def close(self) -> None:
        """Close the file."""
        if self._file is not None and self._file.id.valid:
            self._file.close()
        self._file = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_file": None}


class Hdf5Frames(OpenFrames):
    """Frames of a dataset (..., H, W) or (H, W, ...): scan axes are flattened, row by row."""

    def __init__(
        self,
        dataset: h5py.Dataset,
        frame_axes: tuple[int, int] = (-2, -1),
        fixed: Mapping[int, int] | None = None,
    ) -> None:
        """Remember where the frames lie.

        Args:
            dataset: Of three axes or more, open; only its file name and path are kept.
            frame_axes: Its axes that are rows and columns of a frame.
            fixed: Of axes that are neither frame nor scan (energy, angle, threshold), the index
                that is wanted, by number of the axis.
        """
        lengths = [int(length) for length in dataset.shape]
        count = len(lengths)
        self.name = str(dataset.name)
        self.frame_axes = (frame_axes[0] % count, frame_axes[1] % count)
        self.fixed = {axis % count: int(index) for axis, index in (fixed or {}).items()}
        taken = {*self.frame_axes, *self.fixed}
        self.scan_axes = tuple(axis for axis in range(count) if axis not in taken)
        self.scan_shape = tuple(lengths[axis] for axis in self.scan_axes)
        shape = (math.prod(self.scan_shape), *(lengths[axis] for axis in self.frame_axes))
        self.growing = bool(dataset.file.swmr_mode)
        self._count = count
        path = Path(dataset.file.filename)
        chunks = self._together(dataset.chunks)
        super().__init__((path, *hdf5.virtual_files(dataset)), shape, dataset.dtype, chunks)

    def _together(self, chunks: tuple[int, ...] | None) -> tuple[int, ...] | None:
        """Return the chunks of the file with the scan axes flattened."""
        if chunks is None:
            return None
        frames, whole = 1, 1
        for axis, length in zip(reversed(self.scan_axes), reversed(self.scan_shape), strict=True):
            if chunks[axis] > 1:
                frames = chunks[axis] * whole
            whole *= length
        return (frames, *(chunks[axis] for axis in self.frame_axes))

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return stored frames."""
        with self.dataset() as dataset:
            return self._stored(dataset, start, stop)

    def _stored(self, dataset: h5py.Dataset, start: int, stop: int) -> NDArray[Any]:
        order = sorted(self.frame_axes)
        blocks = []
        for index in self._pieces(start, stop):
            key: list[Any] = [slice(None)] * self._count
            for axis, value in self.fixed.items():
                key[axis] = value
            for axis, place in zip(self.scan_axes, index, strict=True):
                key[axis] = place
            chunks.check(dataset, key)
            block = dataset[tuple(key)]
            # What is left: the one scan axis that was sliced, and the two of the frame.
            left = sorted([*self.scan_axes[-1:], *order])
            wanted = [*self.scan_axes[-1:], *self.frame_axes]
            blocks.append(np.transpose(block, [left.index(axis) for axis in wanted]))
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[int | slice, ...]]:
        """Yield the places along the scan axes, a stretch of the last one at a time."""
        length = self.scan_shape[-1]
        while start < stop:
            *leading, first = np.unravel_index(start, self.scan_shape)
            last = min(int(first) + stop - start, length)
            yield (*map(int, leading), slice(int(first), last))
            start += last - int(first)

    @contextmanager
    def dataset(self) -> Iterator[h5py.Dataset]:
        """Open the dataset; a file that grows is closed again, and read as it is at that time."""
        if self.growing:
            with appended(self.path) as file:
                yield file[self.name]
            return
        yield self.file()[self.name]
