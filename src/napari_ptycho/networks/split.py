"""Which pairs teach and which validate: never at random, for windows overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.prepare.raster import find_raster

Ints = NDArray[np.int64]
HALF_SHARED = 0.4  # of a disc's diameter: how far apart two of them share half of their area


@dataclass(frozen=True, eq=False)
class Split:
    """Two sets of pairs that share none."""

    training: Ints
    validation: Ints
    sentence: str
    """How it was made."""
    notes: tuple[str, ...] = ()
    """What the user should know of it."""


def by_lines(
    scan: Scan, corners: Floats, light: NDArray[np.float32], validation: float, train_lines: float
) -> Split:
    """Split one scan by its lines: the last ones validate.

    Windows at the border see what validation windows see. So those are left out whose lit area
    (a disc with the rms radius of the probe's intensity) shares about half or more with that of
    any validation window; at most half of the training windows, for a scan may be smaller than
    its probe. Then a note says so. Where positions make no raster, as many stretches of the path
    as the root of their number take the place of lines.

    Args:
        scan: Whose lines are looked for.
        corners: (N, 2) windows in pixels.
        light: (h, w) intensity of the probe.
        validation: Share of the lines in use that validate.
        train_lines: Share of the lines that is in use, from the first on.

    Raises:
        ScanError: Too few lines to teach and to validate.
    """
    line, what = _lines(scan)
    rows = int(line.max()) + 1
    used = max(1, round(train_lines * rows))
    held = max(1, round(validation * used))
    if held >= used:
        raise ScanError(
            f"{scan.name}: {used} of {rows} {what} cannot both teach and validate; need at least "
            "2, and a smaller share for validation"
        )
    teaches = np.flatnonzero(line < used - held)
    validates = np.flatnonzero((line >= used - held) & (line < used))
    distance = scipy.spatial.cKDTree(corners[validates]).query(corners[teaches])[0]
    wanted = HALF_SHARED * _diameter(light)
    guard = min(wanted, float(np.median(distance)))
    kept = teaches[distance >= guard]
    sentence = (
        f"the last {held} of {used} {what} validate (of {rows} in all); {len(teaches) - len(kept)} "
        f"patterns closer to them than {guard:.1f} px are left out"
    )
    notes: tuple[str, ...] = ()
    if guard < wanted:
        notes = (
            f"{scan.name}: the scan is hardly larger than its probe: what validates shares most of "
            f"its area with what teaches ({guard:.1f} px apart, half of the light is "
            f"{wanted:.1f} px), so validation looks better than it is",
        )
    return Split(kept, validates, sentence, notes)


def by_scans(scans: Sequence[Scan], validation: float, train_lines: float) -> Split:
    """Split several scans: the last ones validate, as many as come closest to the share.

    Args:
        scans: At least two; nothing is known of whether they show the same place.
        validation: Share of the patterns that validate.
        train_lines: Share of each scan's lines that is in use, from the first on.
    """
    ends = np.cumsum([len(scan) for scan in scans])
    used = []
    for scan, end in zip(scans, ends, strict=True):
        line, _ = _lines(scan)
        inside = line < max(1, round(train_lines * (int(line.max()) + 1)))
        used.append(np.flatnonzero(inside) + end - len(scan))
    sizes = np.array([len(frames) for frames in used])
    shares = np.cumsum(sizes[::-1])[:-1] / sizes.sum()
    held = 1 + int(np.argmin(np.abs(shares - validation)))
    names = ", ".join(scan.name for scan in scans[-held:])
    return Split(
        np.concatenate(used[:-held]),
        np.concatenate(used[-held:]),
        f"{held} of {len(scans)} scans validate: {names}",
    )


def _lines(scan: Scan) -> tuple[Ints, str]:
    """Return the line of each pattern, counted from where the scan began, and what it is called."""
    raster = find_raster(scan)
    if raster is None:
        stretches = max(1, round(len(scan) ** 0.5))
        return np.arange(len(scan)) * stretches // len(scan), "stretches of the path"
    backwards = raster.rows > 1 and np.polyfit(np.arange(len(scan)), raster.line, 1)[0] < 0
    line = raster.rows - 1 - raster.line if backwards else raster.line
    return line, "scan lines"


def _diameter(light: NDArray[np.float32]) -> float:
    """Return the diameter in pixels of a disc with the rms radius of an intensity (h, w)."""
    y, x = np.indices(light.shape, dtype=np.float64)
    total = light.sum(dtype=np.float64)
    spread = [((a - (a * light).sum() / total) ** 2 * light).sum() / total for a in (y, x)]
    return float(np.sqrt(8 * sum(spread)))
