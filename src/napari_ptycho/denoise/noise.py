"""How strong the noise of an image is, and whether neighbouring pixels share it."""

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.model.arrays import Bools, Floats

MAD = 0.6745  # median of |x| for a normal x of spread 1
SHARED = 1.8
"""Details twice as coarse hold this many times the noise: neighbours share it. White noise has 1 to
1.7 (structure adds to it), noise blurred by 0.8 pixels over 3.3 (tests/denoise)."""


def noise_sigma(image: NDArray[np.floating], area: Bools | None = None) -> float:
    """Estimate the standard deviation of white noise: median of the finest diagonal Haar details.

    Structure adds to it, some 10 % on images full of edges (Donoho & Johnstone 1994).

    Args:
        image: (H, W) real.
        area: (H, W) bool, where to look; everywhere by default.
    """
    details = _details(np.asarray(image, np.float64))
    if area is not None:
        h, w = details.shape
        inside = area[: 2 * h : 2, : 2 * w : 2] & area[1 : 2 * h : 2, 1 : 2 * w : 2]
        details = details[inside] if inside.any() else details
    return float(np.median(np.abs(details)) / MAD)


def pair_sigma(first: Floats, second: Floats, area: Bools) -> float:
    """Return the noise of one of two independent copies: half their difference, over the area."""
    return float(np.std((np.asarray(first, np.float64) - second)[area]) / np.sqrt(2))


def is_white(image: NDArray[np.floating], area: Bools | None = None) -> bool:
    """Whether pixels do not share their noise: details twice as coarse hold no more of it."""
    image = np.asarray(image, np.float64)
    h, w = (n // 2 * 2 for n in image.shape)
    blocks = image[:h, :w].reshape(h // 2, 2, w // 2, 2).sum(axis=(1, 3)) / 2
    coarse = None if area is None else np.asarray(area[:h:2, :w:2])
    return noise_sigma(blocks, coarse) < SHARED * noise_sigma(image, area)


def _details(image: Floats) -> Floats:
    h, w = (n // 2 * 2 for n in image.shape)
    corner = image[:h:2, :w:2] + image[1:h:2, 1:w:2]
    return np.asarray(corner - image[:h:2, 1:w:2] - image[1:h:2, :w:2]) / 2
