"""Sparse sampling: a scan of every k-th pattern only, as if the stage had made fewer stops."""

import math
from dataclasses import replace

import numpy as np

from napari_ptycho.errors import OptionsError
from napari_ptycho.model import Scan
from napari_ptycho.prepare.groups import Neighbours, Size
from napari_ptycho.prepare.halves import take
from napari_ptycho.prepare.report import BinningReport, binning_report


def keep_every(scan: Scan, every: int) -> Scan:
    """Return a scan of the first pattern of every k along the path; the rest is left out.

    Args:
        scan: N patterns. A lazy scan gives a lazy scan.
        every: k; 1 returns the scan itself.

    Returns:
        ceil(N / k) patterns, the ones that a prediction with the same `every` uses. The name says
        it, for what is made of them is not what is made of all; so does a note.

    Raises:
        OptionsError: `every` is no whole number from 1 on.
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise OptionsError(f"every is {every!r}; it must be a whole number from 1 on")
    if every == 1:
        return scan
    frames = np.arange(0, len(scan), every)
    note = f"Of {len(scan)} patterns, {len(frames)} were kept: 1 in {every} along the path."
    came = scan.sources.get("patterns", "unknown")
    return replace(
        take(scan, frames),
        sources={**scan.sources, "patterns": f"kept 1 in {every} from {came}"},
        name=f"{scan.name} · 1 in {every}",
        notes=(*scan.notes, note),
    )


def sparse_report(
    scan: Scan, every: int, size: Size, neighbours: Neighbours = "path"
) -> BinningReport:
    """Tell what `keep_every` and then `bin_positions` would do, against the whole scan.

    Args:
        scan: N patterns.
        every: As in `keep_every`.
        size: As in `bin_positions`.
        neighbours: As in `bin_positions`.

    Raises:
        OptionsError: `every`, `size` or `neighbours` is none.
        ScanError: (ny, nx) is asked for, but what is kept is no raster.
    """
    if every == 1:
        return binning_report(scan, size, neighbours)
    one = math.prod(size if isinstance(size, tuple) else (size,)) == 1
    after = binning_report(keep_every(scan, every), 1 if one else size, neighbours)
    before, kept = binning_report(scan, 1), f"1 pattern in {every}"
    return replace(
        after,
        label=kept if one else f"{after.label} of {kept}",
        frames=(before.frames[0], after.frames[1]),
        counts=(before.counts[0], after.counts[1]),
        step=(before.step[0], after.step[1]),
        overlap=(before.overlap[0], after.overlap[1]),
        memory_bytes=(before.memory_bytes[0], after.memory_bytes[1]),
        epoch_s=(before.epoch_s[0], after.epoch_s[1]),
    )
