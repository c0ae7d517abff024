"""How much a bin blurs: a sum of patterns is what a partly coherent probe would give.

Summing the patterns of one bin is an incoherent mixture of the probe at shifts s_i. Its modes are
the eigenvectors, and their shares of the light the eigenvalues, of the Gram matrix of the shifted
probes, G_ij = <P(r - s_i), P(r - s_j)> = sum_k w(k) exp(2 pi i k.(s_i - s_j)) / sum_k w(k), with
the power spectrum w = |FFT(P)|^2. In the far field the mean pattern stands in for w where no probe
is known: the object widens it, so the blur is rather overrated then.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.prepare.groups import Groups

ENOUGH = 0.99
"""Share of the light that the needed modes hold."""
MOST_FRAMES, FEWEST_FRAMES = 48, 9
"""Of larger bins, so many frames are taken: the fewer, the larger a frame."""
MOST_BINS = 12
WORK = 3e7
"""Complex multiplications spent, about 30 ms (one bin is always looked at)."""
DARK = 1e-7
"""Rows and columns of a spectrum with less than this share of the light are left out."""


@dataclass(frozen=True)
class Decoherence:
    """How coherent a bin is."""

    purity: float | None
    """Largest eigenvalue / n, averaged over some bins."""
    modes_needed: int | None
    """Eigenvalues that hold 99 % of the sum, in the worst of these bins."""
    source: str
    """What it was computed from, or why it is unknown."""


def decoherence(scan: Scan, groups: Groups, pattern: Floats) -> Decoherence:
    """Estimate how coherent the bins of a scan are, from some bins of full size.

    A probe of M modes counts as one with their summed spectrum; M times as many modes are needed.

    Args:
        scan: Positions and probe.
        groups: The bins.
        pattern: (H, W) mean pattern, zero frequency in the middle, 0 where not valid.
    """
    if scan.positions_px is None and scan.pixel_size_m is None:
        return Decoherence(None, None, "unknown: positions in metres, but no object pixel size")
    if scan.probe is not None:
        spectrum, source = power_spectrum(scan.probe), "probe"
    elif scan.geometry.propagation == "near":
        return Decoherence(None, None, "unknown: a near-field scan without a probe")
    else:
        spectrum, source = pattern, "mean pattern, in place of a probe"
    if not spectrum.any():
        return Decoherence(None, None, "unknown: there is no light")
    positions = scan.in_pixels()
    purities, needed = [], []
    for number in _some_bins(groups, spectrum.size):
        some = _some(groups.members(number), _most_frames(spectrum.size))
        shares = mode_shares(spectrum, positions[some])
        purities.append(shares[0])
        needed.append(int(np.searchsorted(np.cumsum(shares), ENOUGH - 1e-9)) + 1)
    return Decoherence(float(np.mean(purities)), max(needed), source)


def power_spectrum(probe: NDArray[np.complexfloating]) -> Floats:
    """Return the power spectrum of a probe (M, H, W): (H, W), zero frequency in the middle."""
    waves = scipy.fft.fftshift(scipy.fft.fft2(probe), axes=(-2, -1))
    return (np.abs(waves) ** 2).sum(axis=0, dtype=np.float64)


def mode_shares(spectrum: Floats, positions: Floats) -> Floats:
    """Return the shares of light of the modes that n shifted probes mix into, largest first.

    Args:
        spectrum: (H, W) power spectrum w of the probe, zero frequency at [H//2, W//2].
        positions: (n, 2) where the probe stands in each frame, (y, x) in pixels.
    """
    n = len(positions)
    first, second = np.triu_indices(n, 1)
    shifts = positions[first] - positions[second]
    weight = spectrum / spectrum.sum()
    lit = [np.flatnonzero(weight.sum(axis=axis) > DARK) for axis in (1, 0)]
    rows, columns = (
        np.exp(2j * np.pi * np.outer(shift, (where - size // 2) / size)).astype(np.complex64)
        for shift, where, size in zip(shifts.T, lit, spectrum.shape, strict=True)
    )
    weight = weight[np.ix_(*lit)].astype(np.complex64)
    gram = np.eye(n, dtype=np.complex128)
    gram[first, second] = ((rows @ weight) * columns).sum(axis=1)
    shares = np.linalg.eigvalsh(gram, UPLO="U")[::-1] / n
    return np.clip(shares, 0, 1)


def _some(values: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most so many values, evenly spread."""
    if len(values) <= most:
        return values
    return values[np.linspace(0, len(values) - 1, most).astype(int)]


def _most_frames(pixels: int) -> int:
    return int(np.clip(math.sqrt(2 * WORK / pixels), FEWEST_FRAMES, MOST_FRAMES))


def _some_bins(groups: Groups, pixels: int) -> list[int]:
    """Choose bins of full size (the largest, if none is), as many as the work allows."""
    n = min(int(groups.count.max()), _most_frames(pixels))
    affordable = WORK / max(1.0, n * (n - 1) / 2 * pixels)
    full = np.flatnonzero(groups.count == groups.count.max())
    return _some(full, math.floor(min(MOST_BINS, max(1.0, affordable)))).tolist()
