"""The central part of a detector: how a network of smaller patterns looks at a scan.

The central n/k pixels of a far-field detector see the same window as all n, in pixels that are k
times larger. So a network of n/k pixels predicts the object at that pixel, and what it says is
laid over the scan's own pixels by frequencies.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.networks.result import Predicted
from napari_ptycho.physics.frequencies import filled, lowest

MOST = 8
"""A smaller part of the detector than 1/8 of its width says too little."""


def reduction(scan: Scan, shape: tuple[int, int]) -> int:
    """Return how many times larger than `shape` the patterns are; 1 where they cannot be cut."""
    (h, w), (height, width) = shape, scan.frame_shape
    k = height // h
    fits = (k * h, k * w) == (height, width) and 1 < k <= MOST
    return k if fits and scan.geometry.propagation == "far" and h % 2 == w % 2 == 0 else 1


def central(scan: Scan, k: int) -> Scan:
    """Return a scan with the central 1/k of its detector; positions in pixels are divided by k."""
    rows, columns = (slice((n - n // k) // 2, (n + n // k) // 2) for n in scan.frame_shape)
    positions = scan.positions_px
    return replace(
        scan,
        patterns=scan.patterns[:, rows, columns],
        valid=None if scan.valid is None else scan.valid[..., rows, columns],
        positions_px=None if positions is None else positions / k,
        probe=None if scan.probe is None else coarser(scan.probe, k),
    )


def coarser(probe: Complexes, k: int) -> Complexes:
    """Return a probe (..., H, W) in pixels that are k times larger, of the same photons."""
    small: Complexes = (lowest(probe, k) * k).astype(np.complex64)
    return small


class Frozen(Protocol):
    """A prediction under way."""

    def freeze(self) -> Predicted:
        """Return what is reached."""


@dataclass(frozen=True, eq=False)
class Enlarging:
    """Lays what was predicted in larger pixels over the pixels of the scan."""

    start: Reconstruction
    """Flat object, windows and probe of the scan itself."""
    k: int

    def freeze(self, live: "Frozen") -> Predicted:
        """Return a prediction so far, over the windows of the scan."""
        return self.laid(live.freeze())

    def laid(self, found: Predicted) -> Predicted:
        """Return a prediction over the windows of the scan."""
        k, small = self.k, found.reconstruction
        # Windows lie at whole pixels apart: both grids begin at the floor of the least position.
        offset = np.rint(self.start.positions_px[0] - k * small.positions_px[0]).astype(int)
        image = small.object - 1  # what is blank is 1, and so is what lies around
        large = filled(np.zeros(np.multiply(image.shape, k), np.complex64), image)
        spread, coverage = (
            self._laid(np.kron(values, np.ones((k, k), np.float32)), offset)
            for values in (found.spread, found.coverage)
        )
        made = replace(
            self.start,
            object=1 + self._laid(large.astype(np.complex64), offset),
            extras={"spread": spread},
            provenance={**small.provenance, "detector_part": f"central 1/{k}"},
        )
        return replace(found, reconstruction=made, spread=spread, coverage=coverage)

    def _laid(self, large: NDArray[Any], offset: NDArray[np.int64]) -> NDArray[Any]:
        """Return an image (H, W) at its place in the object; 0 around it."""
        whole = np.zeros(self.start.object.shape, large.dtype)
        low = np.maximum(offset, 0)
        high = np.minimum(offset + large.shape, whole.shape)
        (y, x), (bottom, right) = low, high
        whole[y:bottom, x:right] = large[
            y - offset[0] : bottom - offset[0], x - offset[1] : right - offset[1]
        ]
        return whole


def told(scan: Scan, k: int) -> str:
    """Return what the user should know."""
    h, w = scan.frame_shape
    return (
        f"patterns are {h} x {w} pixels, the network was taught with {h // k} x {w // k}: it looks "
        f"at the central part of the detector, and details below {2 * k} pixels are left out"
    )
