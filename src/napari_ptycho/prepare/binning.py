"""Position binning: sum the counts of neighbouring positions into one pattern.

A scan in memory is summed at once. A lazy scan gives a lazy scan again: each block of bins is
summed when somebody reads it, from the runs of frames it needs, so that memory holds one block and
one run however long the scan is. numpy's in-place add with a wider output is the fastest sum there
is for this (`benchmarks/binning.py` compares it with reading the file alone).
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from dask.base import is_dask_collection
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Bools, Ints
from napari_ptycho.prepare.groups import Groups, Neighbours, Size, check_size, group
from napari_ptycho.prepare.lazy import promised, read, runs

BLOCK_BYTES = 16 * 2**20
BLOCK_BYTES_MOST = 256 * 2**20
RUN = 256
"""Frames in memory that are summed together."""
REREAD = 1.5
"""Blocks grow (up to `BLOCK_BYTES_MOST`) while more than this many times all frames are read."""


def bin_positions(scan: Scan, size: Size, neighbours: Neighbours = "path") -> Scan:
    """Sum neighbouring patterns; each bin stands at the mean position of its frames.

    Counts are conserved exactly: integers are summed as uint32 or uint64, whichever cannot
    overflow, floats as float64. A pixel is valid in a bin if it is valid in all its frames.
    What is left over at the end of a line or of the scan stays, as a smaller bin; `exposure` holds
    the frames in each bin (or the sum of their exposures), and a note says how many are smaller.

    Args:
        scan: N patterns. A lazy scan gives a lazy scan.
        size: n positions per bin, or (ny, nx): a block of a raster, ny rows (along y) times nx
            columns (along x) in space. 1 and (1, 1) return the scan itself.
        neighbours: Of n positions: "path" takes consecutive ones, never across the end of a line
            of a raster nor across a jump; "space" takes compact groups, wherever the path went
            (the frames are halved across their longer side until n are left).

    Returns:
        The binned scan, in the order in which the path enters the bins. Its name tells the bins, so
        that what is made of it does not take the place of what is made of all patterns.

    Raises:
        OptionsError: `size` or `neighbours` is none.
        ScanError: (ny, nx) is asked for, but the scan is no raster; or a sum would not fit.
    """
    size = check_size(size, neighbours)
    if math.prod(size if isinstance(size, tuple) else (size,)) == 1:
        return scan
    groups = group(scan, size, neighbours)
    dtype = sum_dtype(scan, int(groups.count.max()))
    label = size_label(size, neighbours)
    exposure = np.ones(len(scan)) if scan.exposure is None else scan.exposure
    given = "positions_px" if scan.positions_m is None else "positions_m"
    means: dict[str, Any] = {given: groups.mean(scan.positions)}
    came = {name: scan.sources.get(name, "unknown") for name in ("patterns", given)}
    return replace(
        scan,
        patterns=_binned(_Bins(scan.patterns, groups, np.add, dtype)),
        valid=_binned_valid(scan, groups),
        exposure=np.add.reduceat(exposure[groups.frames], groups.first),
        sources={
            **scan.sources,
            **{name: f"binned {label} from {source}" for name, source in came.items()},
            "exposure": f"binned {label}",
        },
        name=f"{scan.name} · {label}",
        notes=(*scan.notes, _note(groups, label)),
        **means,
    )


def size_label(size: Size, neighbours: str = "path") -> str:
    """Name a bin size: "2x2", "4 along the path", "4 in space"."""
    if isinstance(size, tuple):
        return f"{size[0]}x{size[1]}"
    return f"{size} {'in space' if neighbours == 'space' else 'along the path'}"


def _note(groups: Groups, label: str) -> str:
    total, bins = len(groups.bin), len(groups)
    note = f"Positions were binned {label}: {total} patterns were summed into {bins}."
    if groups.smaller:
        note += (
            f" {groups.smaller} bins are leftovers of {int(groups.count.min())} to "
            f"{groups.full - 1} instead of {groups.full} patterns."
        )
    return note


def sum_dtype(scan: Scan, n: int) -> np.dtype[Any]:
    """Choose a dtype that holds the sum of any n frames; memory tells the largest count."""
    source = np.dtype(scan.patterns.dtype)
    if source.kind == "f":
        return np.dtype(np.promote_types(source, np.float64))
    top = int(np.iinfo(source).max)
    if source.itemsize >= 4 and not scan.is_lazy:
        top = int(scan.patterns.max())
    return np.dtype(np.uint32 if n * top < 2**32 else np.uint64)


def _binned_valid(scan: Scan, groups: Groups) -> Any:
    assert scan.valid is not None  # set on construction
    if scan.valid.ndim == 2:
        return scan.valid
    return _binned(_Bins(scan.valid, groups, np.logical_and, np.dtype(bool)))


def _binned(bins: "_Bins") -> Any:
    """Sum now, or promise to, as the source does."""
    if not is_dask_collection(bins.source):
        return bins[:]
    return promised(bins, _bins_per_block(bins), "binned")


@dataclass(frozen=True, eq=False)
class _Bins:
    """(B, H, W) sums (or products) of frames, computed where they are indexed."""

    source: Any
    """(N, H, W) numpy or dask."""
    groups: Groups
    add: np.ufunc
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(B, H, W)."""
        return len(self.groups), int(self.source.shape[1]), int(self.source.shape[2])

    @property
    def ndim(self) -> int:
        """3."""
        return 3

    def __getitem__(self, key: Any) -> NDArray[Any]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        wanted = np.arange(len(self.groups))[first]
        low = int(wanted.min()) if wanted.size else 0
        block = self._sum(low, int(wanted.max()) + 1 if wanted.size else 0)
        if not np.array_equal(wanted, np.arange(low, low + len(block))):
            block = block[wanted - low]
        return np.asarray(block[(..., *rest)] if wanted.ndim == 0 else block[(slice(None), *rest)])

    def _sum(self, start: int, stop: int) -> NDArray[Any]:
        out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        empty = np.ones(len(out), bool)
        frames = self.needs(start, stop)
        lazy = is_dask_collection(self.source)
        for run in runs(frames, self.source.chunks[0][0] if lazy else RUN):
            low, high = int(run[0]), int(run[-1]) + 1
            block = self.source[low:high]
            if lazy:
                block = read(block)
            if lazy or block.dtype.itemsize == 8:
                self._check(low, block)
            self._add(out, block, run - low, self.groups.bin[run] - start, empty)
        return out

    def _add(
        self, out: NDArray[Any], block: NDArray[Any], places: Ints, bins: Ints, empty: Bools
    ) -> None:
        """Add frames of a block to their bins; the first one fills a bin that is empty.

        Counts of a block are mostly small: then the frames of a bin are added in the narrow dtype
        that they have, which is quicker, and widened once.
        """
        narrow = block.dtype == self.dtype or (
            block.dtype.kind == "u"
            and int(self.groups.count.max()) * int(block.max()) <= np.iinfo(block.dtype).max
        )
        part = np.empty(block.shape[1:], block.dtype)
        order = np.argsort(bins, kind="stable")
        ends = np.flatnonzero(np.diff(bins[order])) + 1
        for members in np.split(order, ends):
            first, *others = (block[place] for place in places[members].tolist())
            number = bins[members[0]]
            target = out[number]
            while narrow and others:
                first = self.add(first, others.pop(), out=part)
            if empty[number]:
                np.copyto(target, first, casting="unsafe")
                empty[number] = False
            else:
                others.append(first)
            for frame in others:
                self.add(target, frame, out=target, casting="unsafe")

    def needs(self, start: int, stop: int) -> Ints:
        """List the frames of some bins, ascending."""
        first = self.groups.first
        end = first[stop] if stop < len(first) else len(self.groups.frames)
        return np.sort(self.groups.frames[first[start] : end]) if stop > start else first[:0]

    def _check(self, low: int, block: NDArray[Any]) -> None:
        """Refuse what a sum in unsigned integers would hide."""
        if block.dtype.kind == "i" and block.min() < 0:
            frame = low + int(np.argmin(block.reshape(len(block), -1).min(axis=1)))
            raise ScanError(
                f"pattern {frame} has a count of {block.min()}; need counts >= 0 "
                "(mask what the detector marks with negative codes)"
            )
        if block.dtype.kind in "iu" and block.dtype.itemsize == 8:
            most = int(self.groups.count.max())
            if int(block.max()) * most >= 2**64:
                raise ScanError(f"{most} patterns of up to {block.max()} counts have no sum")


def _bins_per_block(bins: _Bins) -> int:
    """Choose how many bins are summed at once: few, but enough not to read frames repeatedly."""
    total = len(bins.groups)
    each = max(1, math.prod(bins.shape[1:]) * bins.dtype.itemsize)
    step = _whole(bins, max(1, BLOCK_BYTES // each))
    while step < total and 2 * step * each <= BLOCK_BYTES_MOST:
        if _frames_read(bins, step) <= REREAD * len(bins.groups.bin):
            break
        step *= 2
    return min(step, total)


def _whole(bins: _Bins, step: int) -> int:
    """Round a number of bins so that they need whole chunks of the source, if they can."""
    chunk, n = int(bins.source.chunks[0][0]), len(bins.groups.bin) // len(bins.groups)
    if chunk % n or step * n <= chunk // 2:
        return step
    return max(1, round(step * n / chunk)) * chunk // n


def _frames_read(bins: _Bins, step: int) -> int:
    """Count the frames that are read if so many bins are summed at once."""
    chunk, total = bins.source.chunks[0][0], len(bins.groups)
    starts = range(0, total, step)
    needs = (bins.needs(start, min(start + step, total)) for start in starts)
    return sum(len(np.unique(frames // chunk)) for frames in needs) * int(chunk)
