"""What was taken away: the residual, original minus denoised, should be noise and nothing else.

Three signs that it is not, none of which asks the photons: a lattice in some part of it, structure
of any kind (it is not as white as the noise), and blobs. The noise of a reconstruction is neither
white nor equally strong everywhere; half the difference of two half reconstructions has the
same strength and the same correlations, and is what the residual is measured against.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from napari_ptycho.assess.rectangle import largest_rectangle
from napari_ptycho.denoise.noise import noise_sigma
from napari_ptycho.model.arrays import Bools, Floats

LOCAL_ALARM = 30.0
"""Of the local grid map: noise reaches 22, light filters 28, a strong blur 35 (levels.py)."""
WHITE_ALARM_Z = 10.0
BLOB_ALARM_Z = 6.0
LOCAL_PX = 6.0  # sigma of the places that the local grid map tells apart
LOCAL_PERIODS = (2, 4)
LEAST_F = 0.2  # cycles per pixel: slower waves of these periods are structure
LAGS = 8
TAPER = 0.25  # share of the image over which a window falls to its edges
SMOOTH_BINS = 3.0  # of the noise spectrum


@dataclass(frozen=True, eq=False)
class Noise:
    """How strong the noise of an image is, where, and how it is correlated."""

    sigma: Floats
    """(H, W) standard deviation at each pixel."""
    sample: Floats | None = None
    """(H, W) noise with the same statistics, in units of sigma; None: taken as white."""

    @classmethod
    def of_halves(cls, first: Floats, second: Floats, area: Bools) -> "Noise":
        """Return the noise of the mean of two independent halves (H, W): half their difference."""
        half = np.where(area, np.asarray(first, np.float64) - second, 0) / 2
        half = np.where(area, half - half[area].mean(), 0)
        share = scipy.ndimage.gaussian_filter(area.astype(float), LOCAL_PX) + 1e-9
        power = scipy.ndimage.gaussian_filter(half**2, LOCAL_PX) / share
        sigma = np.sqrt(np.maximum(power, 1e-3 * power[area].mean() + 1e-30))
        return cls(sigma, half / sigma)

    @classmethod
    def white(cls, image: Floats, area: Bools) -> "Noise":
        """Return white noise as strong as the finest details of an image (H, W) say."""
        return cls(np.full(image.shape, max(noise_sigma(image, area), 1e-30)))


def local_grid(residual: Floats, area: Bools) -> Floats:
    """Map how strong lattices of period 2 and 4 are at each place: (H, W), NaN outside.

    M(r) = max over k of |G * (d exp(-2 pi i k r))|^2 4 pi s^2 / (local variance of d), with G a
    Gaussian of s = 6 pixels; for white noise each is exponential of mean 1.

    Args:
        residual: (H, W) real.
        area: (H, W) bool, where it means something.
    """
    d = np.where(area, residual, 0)
    share = scipy.ndimage.gaussian_filter(area.astype(float), 3 * LOCAL_PX) + 1e-9
    d = np.where(area, d - scipy.ndimage.gaussian_filter(d, 3 * LOCAL_PX) / share, 0)
    variance = scipy.ndimage.gaussian_filter(d**2, 3 * LOCAL_PX) / share + 1e-30
    y, x = np.ogrid[: d.shape[0], : d.shape[1]]
    best = np.zeros(d.shape)
    for ky, kx, own in _local_waves():
        wave = d * np.exp(-2j * np.pi * (ky * y + kx * x))
        power = np.abs(scipy.ndimage.gaussian_filter(wave, LOCAL_PX)) ** 2
        best = np.maximum(best, power * 4 * np.pi * LOCAL_PX**2 / variance / (2 if own else 1))
    return np.where(area, best, np.nan)


def _local_waves() -> list[tuple[float, float, bool]]:
    """Return (ky, kx) in cycles per pixel, and whether a wave is its own conjugate."""
    found = []
    for period in LOCAL_PERIODS:
        for k in range(period // 2 + 1):
            for ell in range(period):
                new = period == 2 or k % 2 or ell % 2
                own = 2 * k % period == 0 and 2 * ell % period == 0
                twice = k in (0, period // 2) and ell > period // 2
                fy, fx = k / period, min(ell, period - ell) / period
                if (k or ell) and new and not twice and np.hypot(fy, fx) >= LEAST_F:
                    found.append((k / period, ell / period, own))
    return found


def whiteness(residual: Floats, noise: Noise, area: Bools) -> float:
    """Return z, above 10 where a residual has other correlations than the noise: structure.

    Over the M lags up to 8 pixels in half a plane, Q = sum n rho^2 is chi-squared with M degrees of
    freedom for white noise; z = (Q - M) / sqrt(2 M). Where the noise is correlated, the spectrum of
    the residual is first divided by that of the noise.

    Args:
        residual: (H, W) real.
        noise: Of the original.
        area: (H, W) bool, where both are known.
    """
    box = largest_rectangle(area)
    d = (residual / noise.sigma)[box]
    window = np.outer(*(scipy.signal.windows.tukey(n + 2, TAPER)[1:-1] for n in d.shape))
    power = np.abs(scipy.fft.fft2((d - d.mean()) * window)) ** 2
    if noise.sample is not None:
        sample = noise.sample[box]
        spectrum = np.abs(scipy.fft.fft2((sample - sample.mean()) * window)) ** 2
        power = power / (scipy.ndimage.gaussian_filter(spectrum, SMOOTH_BINS, mode="wrap") + 1e-30)
    rho = np.real(scipy.fft.ifft2(power))
    rho /= rho[0, 0]
    count = (window**2).sum() ** 2 / (window**4).sum()
    down, across = (min(LAGS, n - 1) for n in d.shape)
    lags = [
        (dy, dx) for dy in range(down + 1) for dx in range(-across, across + 1) if dy > 0 or dx > 0
    ]
    q = count * sum(float(rho[lag]) ** 2 for lag in lags)
    z = (q - len(lags)) / np.sqrt(2 * len(lags))
    return float(z)


def blobs(residual: Floats, noise: Noise, area: Bools, sigma_px: float = 4.0) -> Floats:
    """Map how far the residual is from noise at the size of a blob: (H, W) z, NaN outside.

    z = (G * d) 2 sqrt(pi) s / sigma for white noise; else in units of what the same filter makes
    of the noise. A Gaussian blob of height a and the same size adds a s sqrt(pi) / sigma.

    Args:
        residual: (H, W) real.
        noise: Of the original.
        area: (H, W) bool, where both are known.
        sigma_px: Size s of the blobs.
    """
    d = np.where(area, residual / noise.sigma, 0)
    d = np.where(area, d - d[area].mean(), 0)
    z = scipy.ndimage.gaussian_filter(d, sigma_px) * 2 * np.sqrt(np.pi) * sigma_px
    if noise.sample is not None:
        sample = scipy.ndimage.gaussian_filter(np.where(area, noise.sample, 0), sigma_px)
        z /= max(float(np.std(sample[area])) * 2 * np.sqrt(np.pi) * sigma_px, 1e-9)
    return np.where(area, z, np.nan)
