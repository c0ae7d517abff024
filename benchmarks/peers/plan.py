"""What is compared: packages, algorithms, batches, step sizes, levels."""

from dataclasses import dataclass, field
from typing import Any

LEVELS = {"star": 0.0125, "sim": 0.17}
"""Data set -> R (star) or error to the truth (sim) that counts as solved."""
SEEDS = 5  # of ours: the whole schedule is random, so several are shown


@dataclass(frozen=True)
class Run:
    """One package with one algorithm and its settings."""

    package: str
    title: str
    algorithm: str
    batch: int
    epochs: int
    settings: dict[str, Any] = field(default_factory=dict)
    ours: str = "rpie"
    """Our algorithm that an epoch is compared with, at the same batch."""
    only: tuple[str, ...] = ("star", "sim")
    """Data sets of the time to a level."""

    @property
    def name(self) -> str:
        """Tell it from others."""
        return f"{self.package} {self.title} {self.batch}"


SHIFTS = {"": False, ", sub-pixel": True}
"""All peers shift the probe by fractions of a pixel; ours does on demand: both are timed."""
OURS = tuple(
    Run("ours", title + more, algorithm, batch, 12, {"anneal": 0.0, "subpixel": shifted})
    for title, algorithm, batch in (
        ("rPIE", "rpie", 8),
        ("rPIE", "rpie", 32),
        ("ePIE", "epie", 8),
        ("LSQ-ML", "lsqml", 64),
    )
    for more, shifted in SHIFTS.items()
)
RPIE = {"object.alpha": 0.5, "probe.alpha": 1.0}
ADAM = {"object": 0.01, "probe": 0.005}
FAST_ADAM = {"object": 0.03, "probe": 0.01}
HALF_STEPS = {"beta_object": 0.5, "beta_probe": 0.5}
PER_EPOCH = (
    Run("ptychi", "RPIE", "rpie", 8, 2, RPIE),
    Run("ptychi", "LSQML", "lsqml", 64, 2, {}, "lsqml"),
    Run("ptyrad", "Adam", "adam", 32, 2, ADAM),
    Run("py4dstem", "gradient descent", "gd", 8, 2),
    Run("phaser", "ePIE", "epie", 8, 2, {}, "epie"),
    Run("phaser", "LSQ-ML", "lsqml", 64, 2, {}, "lsqml"),
)
"""Epochs on the star that are timed in every round."""
QUICK = Run("ours", "quick", "quick", 8, 0)
TO_LEVEL = (
    Run("ptychi", "LSQML", "lsqml", 64, 40, only=("star",)),
    Run("ptychi", "LSQML progressive", "progressive", 32, 16, {"workflow.coarse_epochs": 12}),
    Run("ptychi", "RPIE", "rpie", 8, 48, RPIE, only=("sim",)),
    Run("ptyrad", "Adam", "adam", 32, 28, ADAM, only=("star",)),
    Run("ptyrad", "Adam", "adam", 32, 48, FAST_ADAM, only=("sim",)),
    Run("py4dstem", "gradient descent", "gd", 8, 18, {"fix_probe_com": False}),
    Run("phaser", "ePIE", "epie", 8, 16, HALF_STEPS),
)
"""Runs to a level; settings found in one or two sweeps on the same data."""
MARKS = (1, 2, 3, 4, 6, 8, 11, 16, 20, 24, 28, 32, 40, 48)
"""Epochs after which a checkpoint is kept."""
