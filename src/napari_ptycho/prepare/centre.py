"""Where zero frequency lies: the centroid of the mean frame, of what is bright there."""

import numpy as np
import scipy

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Bools, Floats
from napari_ptycho.model.geometry import Pair
from napari_ptycho.prepare.bad_pixels import dead_pixels
from napari_ptycho.prepare.survey import survey

BRIGHT = 0.05
"""What is not this share brighter than the background, of the brightest, does not count."""
ROUNDS = 50
STILL_PX = 0.01


def find_centre(scan: Scan) -> Pair:
    """Find zero frequency in the frames as they are.

    The mean frame is smoothed by a median, which removes hot pixels; its background (the median)
    is subtracted; what is brighter than 5 % of the maximum is weighed. Pixels that are not valid,
    dead, or outside the frame have no weight, nor have those opposite them, so that a gap or a
    beamstop does not pull the centre.

    Returns:
        (row, column) in pixels, of pixel centres; zero frequency of a centred frame has
        (H // 2, W // 2).

    Raises:
        ScanError: The frames are of the near field, or hold nothing bright.
    """
    if scan.geometry.propagation == "near":
        raise ScanError(
            f"{scan.name}: near-field frames have no zero frequency; leave the centre as it is"
        )
    seen = survey(scan)
    good = (seen.seen > 0) & ~dead_pixels(seen)
    smooth = scipy.ndimage.median_filter(np.where(good, seen.mean, 0), size=3, mode="constant")
    if not good.any():
        raise ScanError(f"{scan.name}: no valid pixel; correct the mask, or give the centre")
    above = np.clip(smooth - float(np.median(smooth[good])), 0, None)
    light = np.clip(above - BRIGHT * above.max(), 0, None) * good
    if not light.any():
        raise ScanError(
            f"{scan.name}: the mean frame is empty or even, so the centre cannot be found; give it"
        )
    centre = _centroid(light)
    for _ in range(ROUNDS):
        before, centre = centre, _centroid(light * _mirrored(good, centre))
        if not np.isfinite(centre).all():
            centre = before
        if np.abs(centre - before).max() < STILL_PX:
            break
    return float(centre[0]), float(centre[1])


def _centroid(light: Floats) -> Floats:
    total = float(light.sum())
    if total == 0:
        return np.full(2, np.nan)
    y, x = np.arange(light.shape[0]), np.arange(light.shape[1])
    return np.array([light.sum(axis=1) @ y, light.sum(axis=0) @ x]) / total


def _mirrored(good: Bools, centre: Floats) -> Bools:
    """Return (H, W): whether the pixel opposite, through the centre, is good and in the frame."""
    places = []
    inside = np.ones(good.shape, bool)
    for axis, middle in enumerate(centre):
        length = good.shape[axis]
        opposite = np.rint(2 * middle - np.arange(length)).astype(int)
        within = (opposite >= 0) & (opposite < length)
        inside &= within[:, None] if axis == 0 else within[None, :]
        places.append(np.clip(opposite, 0, length - 1))
    return inside & good[np.ix_(*places)]
