"""The grid score: how far periodic lattices stand out of an image, in dB.

A network that enlarges by transposed convolutions prints lattices of period 2, 4, 8 ... pixels on
what it makes (Odena, Dumoulin & Olah 2016). They show in the residual, noisy minus denoised, where
the object is gone: the power at the lattice's frequencies over that of the same ring.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.model.arrays import Floats

ALARM_DB: Mapping[int, float] = {2: 7.0, 4: 5.0, 8: 2.5, 16: 1.2}
"""Period in pixels -> score above which it is no accident: more than any of 144 residuals of
blurred, TV- and NLM-denoised and noise images had (docs/denoising.md)."""
PERIODS = (2, 4, 8)
"""Those that the networks here can print at their levels of full detail."""
MEDIAN = np.log(2)  # of an exponential distribution of mean 1, as the power of noise has
WIDTH, BEYOND, FEW = 0.02, 0.12, 40
"""Half width of a ring in cycles per pixel; what is taken where it has too few pixels; how few."""
LEAST = 4  # periods that must fit into the image
Ring = tuple[int, NDArray[np.int64]]


def grid_db(image: NDArray[np.floating], periods: tuple[int, ...] = PERIODS) -> dict[int, float]:
    """Return the score of each period that fits into an image: period in pixels -> dB.

    Args:
        image: (H, W) real: a residual, or an image without regular structure of its own.
        periods: To look for, in pixels.
    """
    image = np.asarray(image, np.float64)
    window = np.hanning(image.shape[0])[:, None] * np.hanning(image.shape[1])
    centred = (image - (image * window).sum() / window.sum()) * window
    power = np.abs(scipy.fft.fft2(centred)).ravel() ** 2
    found = {}
    for period, rings in _rings(image.shape[0], image.shape[1], periods).items():
        ratios = [power[at] / (np.median(power[ring]) / MEDIAN + 1e-300) for at, ring in rings]
        if ratios:
            found[period] = float(10 * np.log10(max(float(np.mean(ratios)), 1e-30)))
    return found


def alarms(scores: Mapping[int, float]) -> list[int]:
    """Return the periods whose score is no accident."""
    return [period for period, score in scores.items() if score > alarm_db(period)]


def alarm_db(period: int) -> float:
    """Return the score above which a period is no accident: `ALARM_DB`, or between its values."""
    known = list(ALARM_DB)
    return float(np.interp(np.log2(period), np.log2(known), [ALARM_DB[one] for one in known]))


def lattice_bins(period: int, h: int, w: int) -> list[tuple[int, int]]:
    """Return where in a spectrum (h, w) the frequencies lie that no shorter period has."""
    orders = [(k, ell) for k in range(period) for ell in range(period) if k or ell]
    if period > 2:
        orders = [(k, ell) for k, ell in orders if k % 2 or ell % 2]
    return [(round(k * h / period) % h, round(ell * w / period) % w) for k, ell in orders]


@lru_cache(maxsize=4)
def _rings(h: int, w: int, periods: tuple[int, ...]) -> dict[int, list[Ring]]:
    """Return per period the flat index of each lattice frequency, and the ring it is judged by."""
    radius: Floats = np.hypot(scipy.fft.fftfreq(h)[:, None], scipy.fft.fftfreq(w))
    places = {period: lattice_bins(period, h, w) for period in periods}
    free = np.ones((h, w), bool)
    for y, x in {place for found in places.values() for place in found}:
        free[np.ix_([(y + i) % h for i in (-1, 0, 1)], [(x + i) % w for i in (-1, 0, 1)])] = False
    free[h // 2 + 1 :] = False  # the other half of the spectrum says the same
    width = max(2.5 / min(h, w), WIDTH)
    return {
        period: [
            (y * w + x, _ring(radius, free, float(radius[y, x]), width))
            for y, x in found
            if radius[y, x] >= LEAST / min(h, w) and y <= h // 2
        ]
        for period, found in places.items()
    }


def _ring(radius: Floats, free: NDArray[np.bool_], at: float, width: float) -> NDArray[np.int64]:
    for times in range(1, 9):
        ring = np.flatnonzero((np.abs(radius - at) < times * width) & free)
        if len(ring) >= FEW:
            return ring
    return np.flatnonzero((radius > at - BEYOND) & free)
