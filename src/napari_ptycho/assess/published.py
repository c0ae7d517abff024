"""Numbers as the tables of other papers define them, to compare with those tables only."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.errors import OptionsError
from napari_ptycho.model.arrays import Floats

RADIUS_PX = 5
TOP = 255.0


@dataclass(frozen=True)
class Pty2023:
    """What the tables of Pan et al. 2023 print."""

    psnr_db: float
    """10 log10(255² / MSE) of the stretched images; infinite where they are the same."""
    ssim: float
    """Structural similarity of the stretched images."""
    mse: float
    """Mean of (a / max a - b / max b)², of the images as they are."""


def pty2023(
    image: NDArray[np.floating], truth: NDArray[np.floating], sigma: float = 0.5
) -> Pty2023:
    """Compare a phase or an amplitude with its truth as PtyNet's tables do.

    Pan et al. 2023, iScience 26, 108420. Offset, factor and shift are not what one may think: each
    image is stretched by its own extremes, and nothing is brought onto anything. With the narrow
    window SSIM hardly tells images apart. `assess.metrics` has numbers of use.

    Args:
        image: (H, W) real.
        truth: (H, W) real, the same pixels.
        sigma: Width of the window of SSIM (11 x 11 pixels); 0.5 in the paper's code, 1.5 elsewhere.

    Raises:
        OptionsError: They differ in shape, are complex, have fewer than 11 pixels to a side, or one
            of them has a single value, is not finite, or has a maximum of 0.
    """
    for name, values in (("image", image), ("truth", truth)):
        _check(name, np.asarray(values))
    if image.shape != truth.shape:
        raise OptionsError(f"the image has shape {image.shape}, the truth {truth.shape}")
    one, two = (np.asarray(values, np.float64) for values in (image, truth))
    off = float(np.mean((one / one.max() - two / two.max()) ** 2))
    one, two = stretched(one), stretched(two)
    squares = float(np.mean((one - two) ** 2))
    psnr = 10 * float(np.log10(TOP**2 / squares)) if squares > 0 else float("inf")
    return Pty2023(psnr, _ssim(one, two, sigma), off)


def stretched(image: NDArray[np.floating]) -> Floats:
    """Return an image from 0 to 255, rounded up."""
    low, high = float(image.min()), float(image.max())
    return np.ceil((np.asarray(image, np.float64) - low) / (high - low) * TOP)


def _check(name: str, values: NDArray[np.floating]) -> None:
    if values.dtype.kind == "c":
        raise OptionsError(f"the {name} is complex; take its phase or amplitude")
    if values.ndim != 2 or min(values.shape) <= 2 * RADIUS_PX:
        raise OptionsError(
            f"the {name} has shape {values.shape}; need (H, W) of at least 11 x 11 pixels"
        )
    low, high = values.min(), values.max()
    if not np.isfinite(values).all() or not high > low or high == 0:
        raise OptionsError(
            f"the {name} spans {low:g} to {high:g}; it cannot be stretched, or divided by its "
            "maximum"
        )


def _ssim(one: Floats, two: Floats, sigma: float) -> float:
    """Return the mean SSIM (Wang et al. 2004) where the window lies inside, population moments."""

    def smooth(values: Floats) -> Floats:
        return np.asarray(scipy.ndimage.gaussian_filter(values, sigma, radius=RADIUS_PX))

    mean_one, mean_two = smooth(one), smooth(two)
    spread = smooth(one**2) - mean_one**2 + smooth(two**2) - mean_two**2
    common = smooth(one * two) - mean_one * mean_two
    light, contrast = (0.01 * TOP) ** 2, (0.03 * TOP) ** 2
    each = (2 * mean_one * mean_two + light) * (2 * common + contrast)
    each /= (mean_one**2 + mean_two**2 + light) * (spread + contrast)
    return float(each[RADIUS_PX:-RADIUS_PX, RADIUS_PX:-RADIUS_PX].mean())
