"""Images on coarser grids and back, by their frequencies (numpy).

The central 1/k of a far-field detector sees the same window in pixels that are k times larger.
"""

import numpy as np
import scipy
from numpy.typing import NDArray

Waves = NDArray[np.complexfloating]


def lowest(waves: Waves, k: int) -> Waves:
    """Return waves (..., H, W) with only their lowest frequencies, (..., H // k, W // k)."""
    h, w = waves.shape[-2:]
    spectrum = scipy.fft.fft2(waves)[..., _low(h, k), :][..., :, _low(w, k)]
    small: Waves = scipy.fft.ifft2(spectrum) / k**2
    return small


def filled(waves: Waves, small: Waves) -> Waves:
    """Return waves (..., H, W) with their lowest frequencies replaced by those of `small`."""
    h, w = waves.shape[-2:]
    k = h // small.shape[-2]
    spectrum = scipy.fft.fft2(waves)
    rows, columns = np.ix_(_low(h, k), _low(w, k))
    spectrum[..., rows, columns] = scipy.fft.fft2(small) * k**2
    whole: Waves = scipy.fft.ifft2(spectrum)
    return whole


def _low(n: int, k: int) -> NDArray[np.int64]:
    """Return the indices of the n / k lowest frequencies of an axis of n."""
    half = n // k // 2
    return np.r_[0 : n // k - half, n - half : n]
