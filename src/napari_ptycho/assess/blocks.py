"""Fourier ring correlations of many small windows at once."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from napari_ptycho.assess.rings import threshold
from napari_ptycho.model.arrays import Bools, Floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ptycho.assess.rolling import MapOptions

Singles = NDArray[np.float32]
CHUNK = 64  # windows at once: they stay in the cache
NYQUIST = 0.5
IGNORED, FIRST = 2, slice(2, 5)  # rings: where no fall counts; where the curve must begin above
DISCS, SIGMAS = (16, 8, 4, 2), 3.5  # parts of the block: radii of the discs that may show a signal
KNOWN_SHARE = 0.5  # of a window, else it is not looked at


@dataclass(frozen=True, eq=False)
class Found:
    """What the windows say, on the grid of their centres (ny, nx)."""

    place: Floats
    """Where the curve falls, in cycles per pixel; Nyquist where it never does."""
    looked: Bools
    """Whether enough of it is known."""
    never: Bools
    """Whether it has signal and never falls."""
    valid: Bools
    """Whether `place` means something."""

    @classmethod
    def nyquist(cls) -> "Found":
        """Return a single window that never falls."""
        yes = np.ones(1, bool)
        return cls(np.array([NYQUIST]), yes, yes, yes)


class Blocks:
    """Windows over an area; their spectra are taken in batches, their rings summed as one product.

    What is not known counts as the mean of its window. A window has signal where its two spectra
    agree over a disc of low frequencies (one of four) by more than noise would by chance.
    """

    def __init__(self, area: Bools, options: "MapOptions") -> None:
        self.area, self.options = area, options
        self.block, self.step = options.block, options.step
        self.rings, pixels = ring_matrix(self.block)
        self.limit = threshold(options.threshold, pixels).astype(np.float32)
        side = side_window(options.window, self.block)
        self.window = side[:, None] * side
        self.radii = sorted({max(self.block // part, 3) for part in DISCS})
        n = np.array([pixels[1:radius].sum() for radius in self.radii])
        shared = np.mean(self.window**4) / np.mean(self.window**2) ** 2  # noise is not white then
        self.chance = SIGMAS * np.sqrt(shared / n)
        known = self._views(area.astype(np.float32))
        self.shape = known.shape[:2]
        share = known.mean(axis=(2, 3), dtype=np.float64) if not area.all() else np.ones(self.shape)
        centre = area[:: self.step, :: self.step]
        self.looked = np.asarray((share >= KNOWN_SHARE) & centre)
        self._known = None if area.all() else known

    def run(self, pairs: "Sequence[tuple[NDArray[Any], NDArray[Any]]]") -> Found:
        """Return where the mean of the pairs' curves falls."""
        views = [(self._views(self._bare(a)), self._views(self._bare(b))) for a, b in pairs]
        count = int(np.prod(self.shape))
        place, never, valid = np.full(count, NYQUIST), np.zeros(count, bool), np.zeros(count, bool)
        wanted = np.flatnonzero(self.looked.ravel())
        for first in range(0, len(wanted), CHUNK):
            which = wanted[first : first + CHUNK]
            at = np.divmod(which, self.shape[1])
            parts = [self._curves(one[at], two[at], at) for one, two in views]
            curves = np.asarray(np.mean([part[0] for part in parts], axis=0, dtype=np.float32))
            signal = np.mean([part[1] for part in parts], axis=0) > self.chance
            place[which], never[which], valid[which] = self._falls(curves, signal.any(axis=1))
        grid = [one.reshape(self.shape) for one in (place, never, valid)]
        return Found(grid[0], self.looked, grid[1], grid[2])

    def _views(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the windows around every `step`-th pixel, (ny, nx, block, block); no copy."""
        half = self.block // 2
        padded = np.pad(image, (half, self.block - half - 1), mode="reflect")
        return sliding_window_view(padded, (self.block, self.block))[:: self.step, :: self.step]

    def _bare(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return an image in single precision without its mean, 0 where it is not known."""
        kind = np.complex64 if image.dtype.kind == "c" else np.float32
        return np.where(self.area, image - image[self.area].mean(), 0).astype(kind)

    def _curves(self, a: NDArray[Any], b: NDArray[Any], at: Any) -> tuple[Singles, Floats]:
        """Return the correlation of windows (n, block, block) over rings (n, K) and over discs."""
        known = None if self._known is None else self._known[at]
        one, two = (self._spectra(part, known) for part in (a, b))
        rings = self.rings if one.shape[1] == len(self.rings) else self._all_rings
        cross = (one.real * two.real + one.imag * two.imag) @ rings
        power = [(each.real**2 + each.imag**2) @ rings for each in (one, two)]
        curves = _ratio(cross, *power)
        curves[:, 0] = curves[:, 1]  # the mean was taken away
        discs = [[each[:, 1:r].sum(axis=1) for each in (cross, *power)] for r in self.radii]
        return curves, np.stack([_ratio(*disc) for disc in discs], axis=1)

    def _spectra(self, windows: NDArray[Any], known: Any) -> NDArray[Any]:
        if known is None:
            windows = windows - windows.mean(axis=(1, 2), keepdims=True)
        else:
            mean = (windows * known).sum(axis=(1, 2)) / known.sum(axis=(1, 2))
            windows = (windows - mean[:, None, None]).astype(windows.dtype) * known
        windows *= self.window
        spectra = scipy.fft.fft2(windows) if windows.dtype.kind == "c" else scipy.fft.rfft2(windows)
        return np.asarray(spectra).reshape(len(windows), -1)

    @cached_property
    def _all_rings(self) -> Singles:
        """The same as `rings` for whole spectra: complex images have no symmetric half."""
        return ring_matrix(self.block, half=False)[0]

    def _falls(self, curves: Singles, signal: Bools) -> tuple[Floats, Bools, Bools]:
        """Return where curves (n, K) fall, whether they never do, whether they mean something."""
        width = self.options.smoothing
        if width > 1:
            curves = scipy.ndimage.uniform_filter1d(curves, width, axis=1, mode="nearest")
        above = curves - self.limit
        falls = (above[:, :-1] > 0) & (above[:, 1:] <= 0)
        falls[:, :IGNORED] = False
        there, ring = falls.any(axis=1), falls.argmax(axis=1)
        rows = np.arange(len(curves))
        high, low = above[rows, ring].astype(np.float64), above[rows, ring + 1].astype(np.float64)
        step = np.divide(high, high - low, out=np.zeros_like(high), where=there)
        signal = signal & (above[:, FIRST].mean(axis=1) > 0)
        never = ~there & signal
        place = np.where(there, (ring + step) / self.block, NYQUIST)
        return place, never, signal


def _ratio(cross: Singles, one: Singles, two: Singles) -> Singles:
    size = np.sqrt(one) * np.sqrt(two)
    return np.divide(cross, size, out=np.zeros_like(cross), where=size > 0)


def side_window(name: str, block: int) -> Singles:
    """Return a window (block,): "hamming", "hann" or "none"."""
    if name == "none":
        return np.ones(block, np.float32)
    return (np.hamming(block) if name == "hamming" else np.hanning(block)).astype(np.float32)


def ring_matrix(block: int, half: bool = True) -> tuple[Singles, Floats]:
    """Return what sums spectra over rings, (bins, K) 0, 1 or 2, and the pixels of each ring (K,).

    Ring r has the frequencies from r - 1/2 to r + 1/2 of a cycle per window.

    Args:
        block: Side of a window in pixels.
        half: Whether the spectra are halves (`rfft2`), in which most bins stand for two.
    """
    rows = scipy.fft.fftfreq(block, 1 / block)[:, None]
    columns = np.abs(scipy.fft.fftfreq(block, 1 / block)[None])
    columns = columns[:, : block // 2 + 1] if half else columns
    ring = np.floor(np.hypot(rows, columns) + 0.5).astype(int)
    weight = np.ones(ring.shape, np.float32)
    if half:
        weight[:, 1 : (block + 1) // 2] = 2
    count = block // 2
    inside = ring.ravel() < count
    matrix = np.zeros((ring.size, count), np.float32)
    matrix[np.flatnonzero(inside), ring.ravel()[inside]] = weight.ravel()[inside]
    return matrix, matrix.sum(axis=0, dtype=np.float64)
