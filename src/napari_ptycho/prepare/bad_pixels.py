"""Pixels that do not measure: hot, dead, saturated, or painted by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Bools, Floats
from napari_ptycho.prepare.lazy import mapped, mapped_valid
from napari_ptycho.prepare.survey import Survey
from napari_ptycho.prepare.text import plural

AROUND = np.ones((5, 5), bool)
AROUND[2, 2] = False
SURE = 20.0
"""Counts of the neighbours from which on a pixel that counts nothing is dead: e^-20 by chance."""
MORE = ", and masked since"


def hot_pixels(seen: Survey, times: float) -> Bools:
    """Find pixels whose mean is more than so many times the median of their 24 neighbours.

    Where the neighbours count nothing, one count in all frames together stands for them.

    Returns:
        (H, W) bool; pixels that are never valid are not among them.
    """
    mean = _filled(seen.mean, seen.seen > 0)
    beside = scipy.ndimage.median_filter(mean, footprint=AROUND, mode="nearest")
    return (seen.mean > times * np.maximum(beside, 1 / seen.frames)) & (seen.seen > 0)


def dead_pixels(seen: Survey) -> Bools:
    """Find pixels that count nothing, between others in their row or column that count a lot.

    So single pixels are found, the gaps between the modules of a detector, and a beamstop; the
    dark surroundings of a pattern are not. "A lot" is `SURE` counts in all frames together.

    Returns:
        (H, W) bool; pixels that are never valid are not among them.
    """
    total = _filled(seen.mean, seen.seen > 0) * seen.frames
    around = scipy.ndimage.median_filter(total, size=3, mode="nearest")
    nothing = (seen.total == 0) & (seen.seen > 0)
    single = around >= SURE
    return nothing & (single | _between(around, 0) | _between(around, 1))


def _between(around: Floats, axis: int) -> Bools:
    """Tell where the nearest pixels with any counts, both ways along an axis, have `SURE` ones."""
    values = np.moveaxis(around, axis, 0)
    before = _last_lit(values)
    after = _last_lit(values[::-1])[::-1]
    return np.moveaxis((before >= SURE) & (after >= SURE), 0, axis)


def _last_lit(values: Floats) -> Floats:
    """Return the last value above 0 up to each row, column by column; 0 before the first."""
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(values > 0, rows, -1), axis=0)
    found = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.asarray(np.where(last >= 0, found, 0.0))


def _filled(values: Floats, known: Bools) -> Floats:
    """Give unknown pixels the value of the nearest known one."""
    if known.all() or not known.any():
        return values
    nearest = scipy.ndimage.distance_transform_edt(
        ~known, return_distances=False, return_indices=True
    )
    return np.asarray(values[tuple(nearest)])


def mask_pixels(scan: Scan, bad: Bools, note: str, good: Bools | None = None) -> Scan:
    """Mask pixels in all frames.

    Args:
        scan: A lazy scan gives a lazy scan.
        bad: (H, W) True where a pixel does not measure.
        note: The sentence for `Scan.notes`.
        good: (H, W) True where a pixel measures although it was masked; None: nowhere.

    Raises:
        OptionsError: The shape is not that of a frame.
        ScanError: No pixel is left.
    """
    keep = np.zeros(scan.frame_shape, bool) if good is None else good
    if bad.shape != scan.frame_shape or keep.shape != scan.frame_shape:
        raise OptionsError(
            f"the painted mask has shape {bad.shape}; need that of a frame, {scan.frame_shape}"
        )
    if not (bad.any() or keep.any()):
        return scan
    if (bad & ~keep).all():
        raise ScanError(f"{scan.name}: every pixel would be masked; need some that measure")

    def masked(valid: NDArray[Any]) -> NDArray[Any]:
        return (valid & ~bad) | keep

    return with_valid(scan, mapped_valid(scan, masked, scan.frame_shape), note)


def mask_saturated(scan: Scan, level: float) -> Scan:
    """Mask pixels that reach a level, frame by frame.

    Of a lazy scan nothing is read: its valid pixels are found where they are needed.

    Raises:
        ScanError: Every pixel reaches it.
    """
    assert scan.valid is not None  # set on construction
    flat = scan.valid if scan.valid.ndim == 2 else np.ones(scan.frame_shape, bool)

    def below(block: NDArray[Any]) -> NDArray[Any]:
        return (block < level) & flat

    if not scan.is_lazy:
        highest = scan.patterns.max(axis=0)
        if not (highest >= level).any():
            return replace(scan, notes=(*scan.notes, f"No pixel reaches {level:g} counts."))
    valid = mapped(scan.patterns, below, scan.frame_shape, bool)
    if scan.valid.ndim == 3:
        valid = valid & scan.valid
    share = ""
    if not scan.is_lazy:
        reached = (scan.patterns >= level).sum()
        share = f": {plural(int(reached), 'pixel')} in all frames together"
    note = f"Pixels of {level:g} counts or more were masked, frame by frame (saturated){share}."
    return with_valid(scan, valid, note)


def with_valid(scan: Scan, valid: Any, note: str) -> Scan:
    """Return a scan with other valid pixels and a note."""
    came = scan.sources.get("valid", "default").removesuffix(MORE)
    sources = {**scan.sources, "valid": f"{came}{MORE}"}
    return replace(scan, valid=valid, sources=sources, notes=(*scan.notes, note))
