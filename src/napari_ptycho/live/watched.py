"""What watching a scan reaches: immutable, on the CPU."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Floats

if TYPE_CHECKING:
    from napari_ptycho.networks.result import Predicted

Phase = Literal["waiting", "watching", "finishing", "ended"]


@dataclass(frozen=True, eq=False)
class Shown:
    """What is to be seen of the patterns so far."""

    scan: Scan
    """All frames so far."""
    mean: NDArray[np.float32]
    """(H, W) mean counts."""
    counts: Floats
    """(N,) valid counts of each frame."""
    brightest: float
    """Counts of the brightest valid pixel so far."""
    newest: NDArray[Any]
    """(K, H, W) the last frames."""


@dataclass(frozen=True, eq=False)
class Watched:
    """A scan that is being watched, so far."""

    name: str
    phase: Phase
    """"finishing": all frames are there, and the chain goes over them."""
    arrived: int
    """Frames so far."""
    expected: int | None
    """Frames that were announced."""
    per_second: float
    """Frames that came in a second, lately."""
    waiting: str = ""
    """Why there is no frame yet: a sentence."""
    shown: Shown | None = None
    """None before the first frame."""
    predicted: "Predicted | None" = None
    behind_s: float = 0.0
    """How long the newest predicted frames had been there when they were predicted."""
    reconstruction: Reconstruction | None = None
    epochs: float = 0.0
    """How often the reconstruction has gone over the frames so far, on average."""
    error: float = float("nan")
    """Of its last round."""
    checksum: str = ""
    """BLAKE2 of the counts of all frames so far, as a finished scan has it in its provenance."""

    def text(self) -> str:
        """Return how far it is, in words."""
        if self.shown is None:
            return f"waiting: {self.waiting}"
        of = "" if self.expected is None else f" of {self.expected}"
        parts = [f"{self.arrived}{of} frames"]
        if self.phase == "watching":
            parts.append(f"{self.per_second:.0f} /s")
        if self.predicted is not None and self.phase == "watching":
            parts.append(f"prediction {self.behind_s:.1f} s behind")
        if self.reconstruction is not None:
            what = " of what is there" if self.phase == "watching" else ""
            parts.append(f"epoch {self.epochs:.1f}{what}")
            if self.error == self.error:  # not NaN
                parts.append(f"error {self.error:.4f}")
        return ", ".join(parts)
