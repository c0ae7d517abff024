"""Coarser grids: the central part of the detector sees the object in larger pixels (far field).

A fine window of n pixels whose detector is cut to its central n/k is a window of n/k pixels that
are k times larger, at the same place: object, probe and positions are divided by k, and the probe
is k times stronger, so that the same photons meet the smaller frame. On the way back only the low
frequencies are replaced; what the start had beyond them stays.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.physics.frequencies import Waves, filled, lowest

MOST_OUTSIDE = 0.4  # of the counts may lie beyond the central part; else it says too little
KEPT = ("frame_errors", "flux", "position_moves_px")
"""Extras that mean the same on every grid."""


def why_not(scan: Scan, reduction: int, outside: float) -> str:
    """Return why a stage cannot use only the central part of the detector, or "".

    Args:
        scan: The scan.
        reduction: Full width of the detector / width of the part.
        outside: Share of the counts beyond the part.
    """
    h, w = scan.frame_shape
    if scan.geometry.propagation != "far":
        return "in the near field the detector's centre is a part of the field of view"
    if h % (2 * reduction) or w % (2 * reduction):
        return f"frames of {h} x {w} cannot be divided by {2 * reduction}"
    if outside > MOST_OUTSIDE:
        return f"{outside:.0%} of the counts lie outside the central part of the detector"
    return ""


def outside_of(mean: NDArray[Any], reduction: int) -> float:
    """Return the share of the counts of a mean pattern (H, W) beyond its central part."""
    halves = [n // reduction // 2 for n in mean.shape]
    rows, columns = (
        slice(n // 2 - half, n // 2 + half) for n, half in zip(mean.shape, halves, strict=True)
    )
    return 1 - float(mean[rows, columns].sum() / max(float(mean.sum()), 1e-30))


@dataclass(frozen=True, eq=False)
class Level:
    """A reconstruction's start on a grid that is `reduction` times coarser, and the way back."""

    start: Reconstruction
    """The start on the full grid."""
    reduction: int
    exact: bool = True
    """Fractions of a pixel count. If not, positions are whole fine pixels: on the coarse grid they
    then have few different fractions, and frames that share one share its probe."""

    def _places(self) -> Floats:
        positions = self.start.positions_px
        return positions if self.exact else np.rint(positions)

    def _found(self, positions: Floats) -> Floats:
        """Return the start's own positions, moved as far as the engine has moved them."""
        return self.start.positions_px + (positions - self._places())

    def coarse(self, photons: float) -> Reconstruction:
        """Return the start on the coarser grid, its probe scaled to these photons per pattern."""
        if self.reduction == 1:
            return self.start
        image, probe = self._image(), np.asarray(self.start.probe)
        small = lowest(probe, self.reduction) * self.reduction
        power = float((np.abs(small) ** 2).sum(dtype=np.float64))
        return replace(
            self.start,
            object=lowest(image, self.reduction),
            probe=small * np.sqrt(photons / max(power, 1e-30)),
            positions_px=self._places() / self.reduction,
            pixel_size_m=None,
            extras=self._extras(self.start, 1 / self.reduction),
        )

    def fine(self, result: Reconstruction, grown: NDArray[np.int64]) -> Reconstruction:
        """Return a result of the coarser grid on the full one.

        Args:
            result: What the engine has reached.
            grown: (2,) rows and columns that the engine has put before the first ones.
        """
        if self.reduction == 1:
            return result
        k, start, padded = self.reduction, self.start, self._image()
        (y, x), (h, w) = grown, (n // k for n in padded.shape)
        image = filled(padded, np.asarray(result.object)[y : y + h, x : x + w])
        probe = filled(np.asarray(start.probe), np.asarray(result.probe) / k)
        before, after = ((np.abs(p) ** 2).sum(dtype=np.float64) for p in (start.probe, probe))
        height, width = start.object.shape
        return replace(
            result,
            object=image[:height, :width],
            probe=probe * np.sqrt(before / after),
            positions_px=_inside(self._found((result.positions_px - grown) * k), start),
            pixel_size_m=start.pixel_size_m,
            extras=self._extras(result, k),
        )

    def _extras(self, known: Reconstruction, scale: float) -> dict[str, NDArray[Any]]:
        """Return what means the same on every grid; lengths are scaled."""
        extras = {name: known.extras[name] for name in KEPT if name in known.extras}
        if "position_moves_px" in extras:
            extras["position_moves_px"] = extras["position_moves_px"] * scale
        return extras

    def _image(self) -> Waves:
        """Return the object, padded to sides that can be divided."""
        image = np.asarray(self.start.object)
        k = 2 * self.reduction
        extra = [(0, -n % k) for n in image.shape]
        return np.pad(image, extra, constant_values=image.mean())


def _inside(positions: Floats, start: Reconstruction) -> Floats:
    most = np.array(start.object.shape) - start.probe.shape[1:]
    return np.clip(positions, 0, most)
