"""Rings in Fourier space: windows, sums over rings, and the thresholds of a correlation."""

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.assess.frc_options import THRESHOLDS
from napari_ptycho.model.arrays import Floats

SIGMAS, TAPER = 3.0, 0.125
Images = NDArray[Any]


def windowed(image: Images, window: str, centred: bool = True) -> Images:
    """Return an image times a window; (H, W).

    Args:
        image: (H, W).
        window: "hann", "tukey" (an eighth of the sides falls off), or "none".
        centred: Whether its mean is taken away first; siFRC does not.
    """
    image = image - image.mean() if centred else image
    if window == "none":
        return image
    make = np.hanning if window == "hann" else _tukey
    h, w = image.shape
    return np.asarray(image * np.outer(make(h), make(w)))


def _tukey(n: int) -> Floats:
    return np.asarray(scipy.signal.windows.tukey(n, TAPER))


def frequencies(shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return fy (h, 1) and fx (1, w) in cycles per pixel, in the order of the FFT."""
    return scipy.fft.fftfreq(shape[0])[:, None], scipy.fft.fftfreq(shape[1])[None]


class Rings:
    """Rings of equal width over the frequencies of an image: 1 / N of a cycle per pixel each.

    N is the shorter side and there are N // 2 rings, so of a square image ring r holds the FFT's
    pixels at distance r. Of other images frequencies count, not pixels: all rings stay circles.
    """

    def __init__(self, shape: tuple[int, ...], scheme: str) -> None:
        """Number the pixels.

        Args:
            shape: (H, W).
            scheme: "round" (ring r is from r - 1/2 to r + 1/2), "floor" (from r to r + 1), or
                "siFRC" (half of a pixel to the ring below, half to the ring above).
        """
        side = min(shape)
        self.count = side // 2
        self.x = np.arange(self.count) / side
        """(K,) cycles per pixel."""
        steps = [scipy.fft.fftfreq(n, 1 / n) * (side / n) for n in shape]
        radius = np.hypot(steps[0][:, None], steps[1][None]).ravel()
        self._numbers = {
            "round": lambda: [np.floor(radius + 0.5)],
            "floor": lambda: [np.floor(radius)],
            "siFRC": lambda: [np.floor(radius), np.ceil(radius)],
        }[scheme]()
        self._numbers = [np.minimum(one, self.count).astype(np.intp) for one in self._numbers]
        self.pixels = self.sum(np.ones(shape))
        """(K,) pixels in each ring."""

    def sum(self, values: Images) -> Floats:
        """Return the sums (K,) of real values (H, W) over the rings."""
        flat = values.ravel()
        parts = [np.bincount(one, flat, self.count + 1) for one in self._numbers]
        return np.asarray(np.mean(parts, axis=0)[: self.count])

    def correlate(self, a: Images, b: Images) -> Floats:
        """Return the correlation (K,) of two spectra (H, W), with its sign.

        Re sum(A conj B) / sqrt(sum |A|^2 sum |B|^2) over each ring (van Heel 1987). A ring without
        power has 0. Ring 0 is the mean, which is taken away before: it has 1.
        """
        cross = self.sum((a * b.conj()).real)
        power = self.sum(np.abs(a) ** 2) * self.sum(np.abs(b) ** 2)
        found = np.divide(cross, np.sqrt(power), out=np.zeros_like(cross), where=power > 0)
        found[0] = 1.0
        return found


def threshold(name: str, pixels: Floats) -> Floats:
    """Return a threshold curve (K,).

    With q = 1 / sqrt(n): (s + 2 sqrt(s) q + q) / (s + 2 sqrt(s) q + 1) for an SNR of s (van Heel &
    Schatz 2005); 3 sqrt(2) q, at most 1, for 3-sigma (n pixels are n / 2 numbers of a real image).

    Args:
        name: One of `THRESHOLDS`.
        pixels: (K,) the number n of pixels in each ring.
    """
    kind, q = THRESHOLDS[name], 1 / np.sqrt(np.maximum(pixels, 1))
    if kind.fixed is not None:
        return np.full(len(pixels), kind.fixed)
    if kind.snr is None:
        return np.asarray(np.minimum(SIGMAS * np.sqrt(2) * q, 1))
    above = kind.snr + 2 * np.sqrt(kind.snr) * q
    return np.asarray((above + q) / (above + 1))
