"""Numbers that are positions: their unit, their axes, their order, the frames they belong to."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io.hdf5 import LENGTHS
from napari_ptycho.io.layout import Layout
from napari_ptycho.model.arrays import Floats

LARGEST_SCAN_M = 0.05
SMALLEST_SCAN_M = 1e-9
LARGEST_STEP_UM = 5.0
MOST_VALUES = 2**25
"""Of one dataset or table; more are no positions."""
_UNIT = re.compile(r"\s*[_\s\[(](m|mm|um|µm|μm|nm|px)[\])]?$")
_PIXELS = ("px", "pixel", "pixels")
_PLAIN = {"m": "metres", "um": "micrometres", "px": "object pixels"}


@dataclass(frozen=True)
class Places:
    """Probe positions as they were found."""

    values: Floats
    """(n, 2) (y, x) in `unit`."""
    unit: str
    """m or px."""
    source: str = ""
    """Where they came from: "file: ..." or "user"; empty where the draft knows."""
    notes: list[str] = field(default_factory=list)


def metres_per(unit: str) -> float | None:
    """Return how many metres a unit of length has, None if it is none."""
    return LENGTHS.get(unit.strip().lower())


def unit_in(name: str) -> str:
    """Return the unit at the end of a name ("x_um", "y [mm]"), "" if there is none."""
    found = _UNIT.search(name.strip().lower())
    return found.group(1) if found else ""


def without_unit(name: str) -> str:
    """Return a name without the unit at its end."""
    return _UNIT.sub("", name.strip().lower())


def in_unit_of(values: NDArray[Any], unit: str, other: str) -> NDArray[Any]:
    """Return lengths in the unit of their neighbours, unchanged where either is not told."""
    factor, wanted = metres_per(unit), metres_per(other)
    if factor is None or wanted is None or factor == wanted:
        return values
    return np.asarray(values, np.float64) * (factor / wanted)


def measured(values: NDArray[Any], told: str, layout: Layout, what: str) -> Places:
    """Return (n, 2) positions in metres or pixels.

    The person's unit comes first, then what the file tells, then the size of the numbers.

    Args:
        values: (n, 2) (y, x) as stored.
        told: Unit by attribute or name; "" if there is none.
        layout: Unit that the person says.
        what: Where they are, as the person reads it.
    """
    notes: list[str] = []
    values = np.asarray(values, np.float64)
    unit = told.strip()
    if layout.position_unit != "auto":
        if unit and _per(unit) not in (None, _per(layout.position_unit)):
            notes.append(f"{what} says '{unit}', but {layout.position_unit} was asked for.")
        unit = layout.position_unit
    elif unit and _per(unit) is None:
        notes.append(f"{what} is in '{unit}', which is no length.")
        unit = ""
    if not unit:
        unit, span = _by_size(values)
        notes.append(
            f"{what} has no unit; it spans {span:.3g} and was taken as {_PLAIN[unit]}. "
            "If that is wrong, set the unit of the positions."
        )
    factor = _per(unit)
    if factor is None or unit.lower() in _PIXELS:
        return Places(values, "px", f"file: {what}", notes)
    return Places(values * factor, "m", f"file: {what}", notes + _doubt(values * factor, unit))


def _per(unit: str) -> float | None:
    return -1.0 if unit.lower() in _PIXELS else metres_per(unit)


def _by_size(values: Floats) -> tuple[str, float]:
    """Return the unit that the size of numbers suggests, and how far they span."""
    finite = values[np.isfinite(values).all(axis=1)]
    span = _span(finite)
    if 0 < span < LARGEST_SCAN_M:
        return "m", span
    steps = np.hypot(*np.diff(finite, axis=0).T) if len(finite) > 1 else np.zeros(1)
    whole = bool((finite == np.rint(finite)).all())
    return ("px" if whole or np.median(steps) > LARGEST_STEP_UM else "um"), span


def _span(finite: Floats) -> float:
    return float(np.ptp(finite, axis=0).max()) if len(finite) else 0.0


def _doubt(metres: Floats, unit: str) -> list[str]:
    span = _span(metres[np.isfinite(metres).all(axis=1)])
    if span == 0 or SMALLEST_SCAN_M <= span <= LARGEST_SCAN_M:
        return []
    return [
        f"The positions span {span:.3g} m, which is no scan: are they really in {unit}? "
        "If not, set the unit of the positions."
    ]


def stacked(values: NDArray[Any], n: int, what: str) -> NDArray[Any]:
    """Return (N, 2) or (N, 3) of one array: (N, 2), (2, N), (ny, nx, 2), (1, 1, N, 3), ...

    Raises:
        ScanError: It has no axis of length 2 or 3, or holds no numbers.
    """
    values = _numbers(values, what)
    kept = values.reshape([length for length in values.shape if length != 1])
    if n == 1 and kept.shape in ((2,), (3,)):
        kept = kept[np.newaxis]
    options = []
    if kept.ndim >= 2 and kept.size:
        if kept.shape[-1] in (2, 3):
            options.append(kept.reshape(-1, kept.shape[-1]))
        if kept.shape[0] in (2, 3):
            options.append(kept.reshape(kept.shape[0], -1).T)
    if not options:
        raise ScanError(f"{what} has shape {values.shape}; positions need ({n}, 2) or (2, {n})")
    return next((option for option in options if len(option) == n), options[0])


def ordered(columns: NDArray[Any], usual: str, layout: Layout) -> NDArray[Any]:
    """Return (N, 2) of columns (N, 2) or (N, 3).

    Args:
        columns: As stored; of three, the first may count the frames, else the last is z.
        usual: "yx" or "xy", which comes first in such a file.
        layout: Where the person says the order, the columns stay as stored: `arranged` turns them.
    """
    if columns.shape[1] == 3 and np.array_equal(columns[:, 0], np.arange(len(columns))):
        columns = columns[:, 1:]
    turn = layout.position_order == "auto" and usual == "xy"
    return columns[:, 1::-1] if turn else columns[:, :2]


def meshed(
    y: NDArray[Any], x: NDArray[Any], n: int, what: str, grid: tuple[int, ...] = ()
) -> NDArray[Any]:
    """Return (N, 2) of the positions of rows and those of columns.

    As many of both belong together one by one; (C,) and (D,) are the axes of a raster of n = C * D
    frames, and so are (C,) or (D,) beside (C, D).

    Args:
        y: Any shape.
        x: Any shape.
        n: Number of frames.
        what: Where they are, as the person reads it.
        grid: Scan axes of the frames, where they are not flat.

    Raises:
        ScanError: They fit neither each other nor the frames.
    """
    y, x = (_squeezed(_numbers(values, what)) for values in (y, x))
    if y.size == x.size == n or (y.ndim > 1 and y.shape == x.shape):
        return np.stack([y.ravel(), x.ravel()], axis=1)
    if y.ndim == x.ndim == 1 and y.size * x.size == n <= MOST_VALUES:
        x_is_slow = grid[-2:] == (x.size, y.size) != (y.size, x.size)
        y, x = np.meshgrid(y, x, indexing="xy" if x_is_slow else "ij")
    elif y.ndim == 1 and x.ndim == 2 and y.size in (1, len(x)):
        y = np.broadcast_to(y[:, np.newaxis], x.shape)
    elif x.ndim == 1 and y.ndim == 2 and x.size in (1, y.shape[1]):
        x = np.broadcast_to(x, y.shape)
    elif y.size != 1 and x.size == 1:
        x = np.broadcast_to(x.ravel()[0], y.shape)
    elif x.size != 1 and y.size == 1:
        y = np.broadcast_to(y.ravel()[0], x.shape)
    if y.size != x.size:
        raise ScanError(
            f"{what} have {y.size} and {x.size} values, which fit neither each other nor {n} frames"
        )
    return np.stack([y.ravel(), x.ravel()], axis=1)


def _squeezed(values: NDArray[Any]) -> NDArray[Any]:
    """Return an array without axes of length 1, at least one axis left."""
    return np.atleast_1d(np.squeeze(values))


def _numbers(values: NDArray[Any], what: str) -> NDArray[Any]:
    values = np.asarray(values)
    if values.dtype.kind not in "buif":
        raise ScanError(f"{what} is {values.dtype}; positions need numbers")
    return values.astype(np.float64)


def by_frame(values: NDArray[Any], index: NDArray[Any], n: int) -> tuple[NDArray[Any], list[str]]:
    """Return positions in the order of the frames they name, NaN where none does.

    Several samples of a frame give the middle between the first and the last.

    Args:
        values: (k, 2).
        index: (k,) numbers of the frames, from 0, or from 1 where they run to n.
        n: Number of frames.

    Returns:
        (n, 2) positions, or (m, 2) if m frames from 0 on are named, and what is to be said.
    """
    finite = np.isfinite(index)
    index, values = index[finite], values[finite]
    odd = (index != np.rint(index)) | (index < 0) | (index > 2**53)
    if not len(index) or odd.any():
        return values, ["The numbers of the frames are no whole numbers from 0; they are not used."]
    notes = []
    if index.max() == n and index.min() >= 1:
        index = index - 1
        notes.append("The numbers of the frames count from 1.")
    numbers, first = np.unique(index.astype(np.int64), return_index=True)
    last = len(index) - 1 - np.unique(index[::-1].astype(np.int64), return_index=True)[1]
    if len(numbers) < len(index):
        notes.append(
            f"{len(index)} samples of {len(numbers)} frames: the middle between the first and the "
            "last of each frame is used."
        )
    middles = (values[first] + values[last]) / 2
    if np.array_equal(numbers, np.arange(len(numbers))):
        return middles, notes
    if numbers[-1] >= n:
        notes.append(f"They go to number {numbers[-1]}, but there are {n} frames.")
    placed, here = np.full((n, 2), np.nan), numbers < n
    placed[numbers[here]] = middles[here]
    return placed, notes


def moves(places: Places) -> bool:
    """Whether the probe moved along both axes."""
    finite = places.values[np.isfinite(places.values).all(axis=1)]
    return len(finite) > 0 and bool((np.ptp(finite, axis=0) > 0).all())


def first_that_moves(candidates: Iterable[Places]) -> Places | None:
    """Return the first positions that change along both axes, else the first; None of nothing.

    Read-back positions are all the same where an encoder was off; set values then stand in.
    """
    still = None
    for candidate in candidates:
        if moves(candidate):
            if still is None:
                return candidate
            note = (
                f"{still.source.removeprefix('file: ')} does not change along both axes (was the "
                f"encoder off?); {candidate.source.removeprefix('file: ')} is used instead."
            )
            return replace(candidate, notes=[note, *candidate.notes])
        still = still or candidate
    return still
