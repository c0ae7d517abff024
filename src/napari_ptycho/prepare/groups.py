"""Which frames go into which bin: decided from the positions and the path alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Floats, Ints
from napari_ptycho.prepare.raster import Raster, find_raster

Size = int | tuple[int, int]
Neighbours = Literal["path", "space"]

JUMP = 5
"""A step this many times the median step ends a line of a scan that is no raster."""


@dataclass(frozen=True, eq=False)
class Groups:
    """N frames in B bins; the bins are ordered along the path, by their first frame."""

    bin: Ints
    """(N,) bin of each frame."""
    frames: Ints
    """(N,) frames bin by bin, ascending within a bin."""
    first: Ints
    """(B,) where each bin begins in `frames`."""
    count: Ints
    """(B,) frames in each bin."""
    full: int
    """Frames a bin should have; those with fewer are the leftovers."""

    def __len__(self) -> int:
        return len(self.count)

    def members(self, number: int) -> Ints:
        """Return the frames of one bin."""
        return self.frames[self.first[number] : self.first[number] + self.count[number]]

    def mean(self, values: Floats) -> Floats:
        """Average (N, 2) values over each bin."""
        return np.add.reduceat(values[self.frames], self.first, axis=0) / self.count[:, None]

    @property
    def smaller(self) -> int:
        """How many bins have fewer frames than they should."""
        return int((self.count < self.full).sum())


def check_size(size: Size | Sequence[int], neighbours: str) -> Size:
    """Return a bin size as an int or a pair of ints.

    Raises:
        OptionsError: No such size or no such choice of neighbours.
    """
    if neighbours not in get_args(Neighbours):
        raise OptionsError(f"neighbours is {neighbours!r}; it must be one of path, space")
    pair = isinstance(size, Sequence | np.ndarray)
    sides = tuple(size) if isinstance(size, Sequence | np.ndarray) else (size,)
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in sides)
    if len(sides) != 1 + pair or not whole or min(sides) < 1:
        raise OptionsError(
            f"bin size is {size!r}; it must be a number of positions (4) or "
            "rows and columns (2, 2), each at least 1"
        )
    return (int(sides[0]), int(sides[1])) if pair else int(sides[0])


def group(scan: Scan, size: Size, neighbours: Neighbours = "path") -> Groups:
    """Decide which frames are summed.

    Args:
        scan: Only its positions are looked at.
        size: Positions per bin, or rows and columns of a raster block.
        neighbours: Of an int size, whether neighbours are consecutive "path" or near in "space".

    Raises:
        OptionsError: `size` or `neighbours` is none.
        ScanError: A block of rows and columns is asked for, but the scan is no raster.
    """
    size = check_size(size, neighbours)
    if isinstance(size, tuple):
        raster = find_raster(scan)
        if raster is None:
            raise ScanError(
                f"{scan.name}: the positions form no raster, which bins of {size[0]}x{size[1]} "
                f"need; give a number of positions instead, such as {math.prod(size)}"
            )
        return _collect(_blocks(raster, size), math.prod(size))
    if neighbours == "space":
        return _collect(_compact(scan.positions, size), size)
    breaks = _breaks(scan.positions, find_raster(scan))
    return _collect(_consecutive(breaks, size, len(scan)), size)


def _collect(label: Ints, full: int) -> Groups:
    """Turn any labels into bins numbered by their first frame."""
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    number = rank[inverse]
    count = np.bincount(number)
    return Groups(number, np.argsort(number, kind="stable"), np.cumsum(count) - count, count, full)


def _blocks(raster: Raster, size: tuple[int, int]) -> Ints:
    """Label raster blocks of size (rows along y, columns along x)."""
    lines, columns = size if raster.fast_axis == "x" else size[::-1]
    across = -(-raster.columns // columns)
    return (raster.line // lines) * across + raster.index // columns


def _breaks(positions: Floats, raster: Raster | None) -> Ints:
    """List the frames before which a line ends: (breaks,) in 1 .. N - 1."""
    if raster is not None and raster.changes <= len(positions) / 2:
        return np.flatnonzero(np.diff(raster.line)) + 1
    steps = np.hypot(*np.diff(positions, axis=0).T)
    if not len(steps):
        return np.empty(0, np.int64)
    return np.flatnonzero(steps > JUMP * np.median(steps)) + 1


def _consecutive(breaks: Ints, n: int, total: int) -> Ints:
    """Label runs of n consecutive frames that cross no break."""
    begins = np.concatenate([[0], breaks]).astype(np.int64)
    lengths = np.diff(np.append(begins, total))
    runs = -(-lengths // n)
    line = np.repeat(np.arange(len(begins)), lengths)
    return (np.cumsum(runs) - runs)[line] + (np.arange(total) - begins[line]) // n


def _compact(positions: Floats, n: int) -> Ints:
    """Label compact groups of n: halve the frames across their longer side until n are left.

    All groups but one have n frames. Every round splits all parts at once, so that a million
    frames take some twenty sorts (a k-d tree with equal leaves).
    """
    total = len(positions)
    order = np.arange(total)
    sizes = np.array([total])
    while sizes.max() > n:
        first = np.cumsum(sizes) - sizes
        part = np.repeat(np.arange(len(sizes)), sizes)
        placed = positions[order]
        low = np.minimum.reduceat(placed, first, axis=0)
        high = np.maximum.reduceat(placed, first, axis=0)
        axis = np.argmax(high - low, axis=1)[part]
        key = np.take_along_axis(placed, axis[:, None], axis=1)[:, 0]
        other = np.take_along_axis(placed, 1 - axis[:, None], axis=1)[:, 0]
        order = order[np.lexsort((other, key, part))]
        groups = -(-sizes // n)
        left = np.where(groups > 1, (groups // 2) * n, sizes)
        sizes = np.stack([left, sizes - left], axis=1).ravel()
        sizes = sizes[sizes > 0]
    label = np.empty(total, np.int64)
    label[order] = np.repeat(np.arange(len(sizes)), sizes)
    return label
