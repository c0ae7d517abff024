"""An object and patterns that were taken of it: where pairs come from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.model.arrays import Bools, Complexes, Floats, check_finite, frozen

Ints = NDArray[np.int64]
Images = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Source:
    """An object and patterns that were taken of it; windows are cut when they are asked for.

    Raises:
        ScanError: Shapes disagree, something is not finite, or a window leaves the object.
    """

    patterns: Any
    """(N, h, w) counts, numpy or lazy; zero frequency at [h//2, w//2]."""
    object: Complexes
    """(H, W) transmission."""
    corners: Floats
    """(N, 2) top-left corners (y, x) of the windows in the object, in pixels."""
    probe: Complexes
    """(M, h, w) modes in the sample plane."""
    valid: Bools | None = None
    """(h, w) or (N, h, w); True = measured; None = all of it."""
    exposure: Floats | None = None
    """(N,) relative exposure of each pattern; None = all the same."""
    name: str = "scan"

    def __post_init__(self) -> None:
        for name, dtype in (("object", np.complex64), ("corners", float), ("probe", np.complex64)):
            array = frozen(getattr(self, name), dtype)
            check_finite(array, self.name, name)
            object.__setattr__(self, name, array)
        n, shape = len(self.patterns), self.shape
        if self.corners.shape != (n, 2) or self.probe.shape[1:] != shape or n == 0:
            raise ScanError(
                f"{self.name}: {n} patterns of {shape}, corners {self.corners.shape}, probe "
                f"{self.probe.shape}; need a corner for each pattern and a probe of its size"
            )
        low, high = np.rint(self.corners.min(axis=0)), np.rint(self.corners.max(axis=0)) + shape
        if (low < 0).any() or (high > self.object.shape).any():
            raise ScanError(f"{self.name}: a window leaves the object; every one must lie inside")

    def __len__(self) -> int:
        return len(self.patterns)

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels of a pattern (height, width)."""
        return int(self.patterns.shape[1]), int(self.patterns.shape[2])

    @property
    def light(self) -> Images:
        """Intensity of the probe (h, w), 1 at its brightest."""
        power = np.square(np.abs(self.probe)).sum(axis=0)
        return np.asarray(power / power.max(), np.float32)

    def counts(self, frames: Ints) -> Images:
        """Return counts (B, h, w) at full exposure, dead pixels 0."""
        counts = np.asarray(self.patterns[frames]).astype(np.float32)
        if self.valid is not None:
            counts *= self.valid if self.valid.ndim == 2 else np.asarray(self.valid[frames])
        if self.exposure is not None:
            share = self.exposure[frames] / self.exposure.max()
            counts /= share.astype(np.float32)[:, None, None]
        return counts

    def windows(self, frames: Ints) -> Complexes:
        """Return the object (B, h, w) under each pattern, bilinear between its pixels."""
        shape, last = self.shape, np.subtract(self.object.shape, 1)
        found = np.empty((len(frames), *shape), np.complex64)
        for window, corner in zip(found, self.corners[frames], strict=True):
            first = np.floor(corner).astype(int)
            y, x = (corner - first).astype(np.float32)
            rows, columns = (
                np.clip(np.arange(start, start + n + 1), 0, end)
                for start, n, end in zip(first, shape, last, strict=True)
            )
            part = self.object[rows[:, None], columns]
            part = (1 - y) * part[:-1] + y * part[1:]
            window[:] = (1 - x) * part[:, :-1] + x * part[:, 1:]
        return found
