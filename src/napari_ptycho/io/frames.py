"""Patterns that stay in their files until they are read."""

import math
import os
import weakref
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io.files import translated
from napari_ptycho.prepare.lazy import promised
from napari_ptycho.prepare.text import size as size_text

if TYPE_CHECKING:
    import dask.array as da

CHUNK_BYTES = 32 * 2**20
CHUNK_BYTES_MOST = 256 * 2**20
KEPT_BYTES = 32 * 2**20
"""Of frames that were decoded together with those asked for."""
MOST_OPEN = 16
MOST_PIXELS = 2**25
"""No frame has more; what claims more is damaged."""

_readers: "weakref.WeakSet[Frames]" = weakref.WeakSet()


class Frames(ABC):
    """(N, H, W) stored frames, some left out; reads whole frames, survives pickling.

    A kind of file has a subclass with `read`, and `close` if it holds something open.
    """

    def __init__(
        self,
        parts: Sequence[Path],
        shape: Sequence[int],
        dtype: Any,
        chunks: tuple[int, ...] | None = None,
    ) -> None:
        """Remember where the frames lie.

        Args:
            parts: The files they are in; the first is the one that errors name.
            shape: (n, H, W) of all frames.
            dtype: As stored.
            chunks: What is decoded together, its first axis along the frames; None: single frames.
        """
        self.parts = tuple(part if part.is_absolute() else part.absolute() for part in parts)
        check_frame(self.path, shape)
        self.dtype = np.dtype(dtype)
        self.chunks = chunks
        self.keep: NDArray[np.intp] | None = None
        """Ascending numbers of the frames wanted; None means all."""
        self._all = tuple(int(length) for length in shape)
        self._kept: tuple[int, int, NDArray[Any]] | None = None
        _readers.add(self)

    @abstractmethod
    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return stored frames (stop - start, H, W), of all there are."""

    def close(self) -> None:  # noqa: B027
        """Let go of open files, if there are any; the next `read` opens them again."""

    def shorten(self, n: int) -> None:
        """Forget what comes after the first n stored frames: it is not written yet."""
        self._all = (min(n, self._all[0]), *self._all[1:])

    @property
    def path(self) -> Path:
        """The file that errors name."""
        return self.parts[0]

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
                block = self._read(low, high + 1)
            if len(numbers) != high - low + 1 or numbers[0] != low:
                block = block[numbers - low]
        if isinstance(first, int | np.integer):
            return np.asarray(block[0][tuple(rest)])
        return np.asarray(block[(slice(None), *rest)])

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        """Return stored frames; of a chunk that holds many, the neighbours are kept too."""
        together = self.chunks[0] if self.chunks else 1
        frame = max(1, math.prod(self._all[1:]) * self.dtype.itemsize)
        step = min(together, KEPT_BYTES // frame)
        if step < 2:
            return self.read(start, stop)
        chunk = start // together * together
        first = chunk + (start - chunk) // step * step
        end = min(first + step, chunk + together, self._all[0])
        if stop > end:
            return self.read(start, stop)
        kept = self._kept
        if kept is None or kept[:2] != (first, end):
            self._kept = kept = (first, end, self.read(first, end))
        return kept[2][start - first : stop - first].copy()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        _readers.add(self)

    def per_block(self) -> int:
        """Return how many frames a dask chunk holds: whole chunks of the file, ~`CHUNK_BYTES`."""
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
    ) -> "da.Array":
        """Return the frames as a dask array, chunked along N only.

        Args:
            made: What is made of (n, H, W) frames as they are read, of the same shape; None: the
                frames themselves.
            dtype: What it makes them of.
        """
        source = self if made is None else _Made(self, made, dtype or self.dtype)
        return promised(source, self.per_block(), "frames")


def check_frame(path: Path, shape: Sequence[int]) -> None:
    """Refuse frames (N, H, W) that no detector has, before anything of their size is made.

    Raises:
        ScanError: H x W is larger than `MOST_PIXELS`.
    """
    height, width = shape[-2:]
    if height * width > MOST_PIXELS:
        raise ScanError(
            f"{path.name}: frames of {height} x {width} pixels; none larger than {MOST_PIXELS} "
            "pixels are read"
        )


class Joined(Frames):
    """Frames of several files (or datasets) one after the other, as if they were one stack."""

    def __init__(self, pieces: Sequence[Frames]) -> None:
        """Join.

        Args:
            pieces: At least one; all (n_i, H, W) of the same H, W and dtype, none with `keep`.
        """
        first = pieces[0]
        self.pieces = tuple(pieces)
        self.ends = list(accumulate(piece.shape[0] for piece in pieces))
        parts = tuple(dict.fromkeys(part for piece in pieces for part in piece.parts))
        super().__init__(parts, (self.ends[-1], *first.shape[1:]), first.dtype, first.chunks)
        self._open: list[int] = []

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return stored frames, from as many files as they lie in."""
        blocks = []
        while start < stop:
            which = bisect_right(self.ends, start)
            before = self.ends[which - 1] if which else 0
            end = min(stop, self.ends[which])
            blocks.append(self._piece(which).read(start - before, end - before))
            start = end
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _piece(self, which: int) -> Frames:
        """Return a piece; of those used before, only the last `MOST_OPEN` stay open."""
        opened = [other for other in self._open if other != which]
        for other in opened[: -MOST_OPEN + 1]:
            self.pieces[other].close()
        self._open = [*opened[-MOST_OPEN + 1 :], which]
        return self.pieces[which]

    def close(self) -> None:
        """Close all pieces."""
        for piece in self.pieces:
            piece.close()
        self._open = []


class _Made:
    """Frames that pass through a function when read: dask then reads one where one is asked for."""

    def __init__(
        self,
        frames: Frames,
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
