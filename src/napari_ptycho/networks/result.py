"""What the jobs of networks reach: immutable, on the CPU."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.model import Reconstruction
from napari_ptycho.networks.network import Network

Images = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Trained:
    """A training so far."""

    network: Network
    """As it was at the best validation."""
    epoch: float
    """When that was."""
    truth: Images
    """(K, 2, h, w) amplitude and phase (rad) of some validation windows, as they should be."""
    predicted: Images
    """(K, 2, h, w) the same as the network makes them now."""
    baseline: Mapping[str, float] = field(default_factory=dict)
    """What a constant reaches in validation: "validation", "phase_mse", "amplitude_mse"."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Of the kept network in validation: "validation", "psnr_db", "correlation", "phase_mse",
    "amplitude_mse"."""
    run: Any = None
    """The live training, to go on from in this session."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """A prediction so far."""

    reconstruction: Reconstruction
    """The stitched object over the windows of `prepare.first_guess`, flat where no pattern says
    anything; `extras["spread"]` where patches overlap; provenance "predicted"."""
    spread: Images
    """(H, W) how much overlapping patches disagree: weighted standard deviation of the complex
    value, 0 where only one patch lies."""
    coverage: NDArray[np.float32]
    """(H, W) sum of the patches' weights, relative to its maximum; the object is blank where it is
    below `stitch.LEAST`."""
    r_factor: float
    """sum |sqrt I - s sqrt I'| / sum sqrt I of the stitched object, with the best factor s, over
    the patterns that were used (up to some hundreds); NaN until the last update."""
    r_flat: float
    """The same of a flat object."""
    frames: NDArray[np.int64]
    """(n,) indices of the patterns that were used."""


@dataclass(frozen=True, eq=False)
class Tuned:
    """A fine-tuning so far."""

    network: Network
    """As it was at the best held-out error (at the newest epoch where nothing is held out)."""
    epoch: int
    """When that was."""
    predicted: Predicted
    """What it makes of the scan, as it is now; of the kept network in the last update."""
    scale: float
    """Factor on the probe by which counts and patterns agree."""
