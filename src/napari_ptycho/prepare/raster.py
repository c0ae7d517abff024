"""Rows and columns of a scan, found from where the probe stood and from nothing else.

Lines are clusters of the coordinate across the fast axis: between two lines there is a gap, inside
a line there is none, however the frames of a line jitter. Every large enough gap size is tried as
the cut, and the cut whose lines are evenly spaced inside and among each other wins. A spiral or a
random trajectory has no such cut.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Floats, Ints

Axis = Literal["x", "y"]

CUTS = 8
"""How many cuts are tried on each axis."""
EVEN = (0.3, 1.8)
"""A step counts as even when it lies between these multiples of the median step."""
UNEVEN = 0.3
"""Largest rms deviation from an even spacing, in steps: uniform jitter of half a step has 0.29."""


@dataclass(frozen=True, eq=False)
class Raster:
    """A scan in lines: which line each frame is on, and where on it.

    Lines count along the slow axis and columns along the fast axis, both in space (towards larger
    coordinates) and not in time, so a snake has the same columns as a plain raster.
    """

    rows: int
    """Number of lines."""
    columns: int
    """Columns of the longest line."""
    line: Ints
    """(N,) line of each frame, 0 .. rows - 1."""
    index: Ints
    """(N,) column of each frame, 0 .. columns - 1; the columns of all lines agree."""
    fast_axis: Axis
    """The axis along which a line runs."""

    @property
    def changes(self) -> int:
        """How often the path goes from one line to another."""
        return int(np.count_nonzero(np.diff(self.line)))


def find_raster(scan: Scan) -> Raster | None:
    """Find the rows and columns of a raster scan, or None where there are none.

    Finds plain rasters, snakes, jittered ones, lines of differing length, missing frames, either
    fast axis, and frames in any order. Spirals, Fermat spirals, circles and random trajectories
    give None, and so does a single line.

    Args:
        scan: Only its positions are looked at, in any unit.
    """
    positions = scan.positions
    best = _along_path([_lines_across(positions, axis) for axis in (0, 1)])
    if best is None or best.changes > len(positions) / 2:
        turned = _turned(positions)
        best = _along_path([best, *(_lines_across(turned, axis) for axis in (0, 1))])
    return None if best is None or _winds(positions, best) else best


def _winds(positions: Floats, raster: Raster) -> bool:
    """Tell whether the path goes in small steps but not along the lines, as a short spiral does."""
    spacing = np.sqrt(np.prod(np.ptp(positions, axis=0)) / len(positions))
    steps = np.hypot(*np.diff(positions, axis=0).T)
    return raster.changes > 1.5 * raster.rows and bool(np.median(steps) < 1.5 * spacing)


def _along_path(found: list[Raster | None]) -> Raster | None:
    """Choose, of a grid that has lines both ways, those the path changes least often."""
    return min((raster for raster in found if raster), key=lambda r: r.changes, default=None)


def _turned(positions: Floats) -> Floats:
    """Turn the positions so that the most common direction of a step lies along x."""
    steps = np.diff(positions, axis=0)
    length = np.hypot(*steps.T)
    short = (length > 0) & (length < 2 * np.median(length))
    wave = (steps[short] @ (1j, 1.0)) ** 2  # twice the angle: back and forth are one direction
    y, x = np.exp(0.5j * np.angle(wave.sum())).imag, np.exp(0.5j * np.angle(wave.sum())).real
    return np.stack([positions @ (x, -y), positions @ (y, x)], axis=1)


def _lines_across(positions: Floats, slow: int) -> Raster | None:
    """Find lines across the axis `slow` (0: lines along x), or None."""
    across, along = positions[:, slow], positions[:, 1 - slow]
    order = np.argsort(across, kind="stable")
    gaps = np.diff(across[order])
    for cut in _cuts(gaps):
        line = np.empty(len(order), np.int64)
        line[order] = np.concatenate([[0], np.cumsum(gaps > cut)])
        rows = int(line.max()) + 1
        centres = np.bincount(line, across) / np.bincount(line)
        misfit = np.sqrt(np.mean((across - centres[line]) ** 2))
        if not _is_even(np.diff(centres)) or misfit > UNEVEN * np.median(np.diff(centres)):
            continue
        index = _columns(line, along)
        if index is not None and len(line) >= rows * (int(index.max()) + 1) / 2:
            return Raster(rows, int(index.max()) + 1, line, index, "x" if slow == 0 else "y")
    return None


def _cuts(gaps: Floats) -> list[float]:
    """List gap sizes that may separate lines: where the sorted gaps fall off most steeply."""
    if len(gaps) < 3 or not gaps.max() > 0:
        return []
    largest = np.sort(gaps)[::-1][: len(gaps) // 2 + 1]
    largest = np.maximum(largest, 1e-6 * largest[0])  # rounding is no structure
    fall = largest[:-1] / largest[1:]
    steepest = np.argsort(-fall, kind="stable")[:CUTS]
    return [float(np.sqrt(largest[k] * largest[k + 1])) for k in steepest if fall[k] > 1.3]


def _is_even(steps: Floats, share: float = 0.85) -> bool:
    """Tell whether a share of the steps is about as long as the median step."""
    middle = np.median(steps) if len(steps) else 0.0
    low, high = EVEN
    return bool(middle > 0 and np.mean((steps > low * middle) & (steps < high * middle)) >= share)


def _columns(line: Ints, along: Floats) -> Ints | None:
    """Number the frames of each line in space, the same way in all lines; None if uneven."""
    order = np.lexsort((along, line))
    row, place = line[order], along[order]
    steps, inside = np.diff(place), np.diff(row) == 0
    if not _is_even(steps[inside]):
        return None
    step = float(np.median(steps[inside]))
    skipping = np.where(inside, np.maximum(1, np.rint(steps / step)), 0)  # a frame may be missing
    fits = [_fit(row, place, ahead.astype(np.int64)) for ahead in (inside, skipping)]
    step, index, begin, misfit = min(fits, key=lambda fit: fit[3])
    if not 0 <= misfit < UNEVEN * step:
        return None
    shift = np.rint((begin - begin.min()) / step).astype(np.int64)
    columns = np.empty_like(index)
    columns[order] = index + shift[row]
    return columns


def _fit(row: Ints, place: Floats, ahead: Ints) -> tuple[float, Ints, Floats, float]:
    """Fit one column spacing to all lines, each with its own start.

    Args:
        row: (N,) line of each frame, ascending.
        place: (N,) coordinate along the line, ascending within a line.
        ahead: (N - 1,) columns from one frame to the next, 0 across the end of a line.

    Returns:
        Spacing, (N,) column in the line, (rows,) start of each line, rms misfit.
    """
    total = np.concatenate([[0], np.cumsum(ahead)])
    count = np.bincount(row)
    first = np.cumsum(count) - count
    index = total - total[first][row]
    middle, offset = np.bincount(row, place) / count, np.bincount(row, index) / count
    column, spot = index - offset[row], place - middle[row]
    step = float(column @ spot) / max(float(column @ column), 1e-300)
    misfit = float(np.sqrt(np.mean((spot - step * column) ** 2)))
    return step, index, middle - step * offset, misfit
