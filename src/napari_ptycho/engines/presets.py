"""Chains of engines that suit most scans of a kind."""

from dataclasses import dataclass

from napari_ptycho.engines.options import (
    DipOptions,
    EngineOptions,
    LsqmlOptions,
    MpieOptions,
    RpieOptions,
)


@dataclass(frozen=True)
class Preset:
    """A chain of engines with a name."""

    title: str
    help: str
    stages: tuple[EngineOptions, ...]


COARSE = MpieOptions(epochs=16, resolution="half", anneal=0.0)
QUICK = (COARSE, RpieOptions(epochs=6, anneal=0.67))

PRESETS: dict[str, Preset] = {
    "quick": Preset(
        "Quick look",
        "Coarse grid with momentum, then a few annealed passes over the whole detector.",
        QUICK,
    ),
    "quality": Preset(
        "High quality",
        "The quick look, then two modes and sub-pixel positions.",
        (
            COARSE,
            RpieOptions(epochs=20, anneal=0.0),
            RpieOptions(epochs=60, modes=2, subpixel=True, anneal=0.5),
        ),
    ),
    "fly-scan": Preset(
        "Fly-scan",
        "Every exposure is spread along the way to the next frame.",
        (COARSE, RpieOptions(epochs=40, fly_points=4)),
    ),
    "positions": Preset(
        "Bad positions",
        "Random search for large errors, then the slope for small ones.",
        (
            RpieOptions(epochs=30, anneal=0.0, positions="annealing", positions_reach_px=6.0),
            RpieOptions(epochs=40, positions="gradient", positions_start=0, positions_reach_px=1.0),
        ),
    ),
    "likelihood": Preset(
        "Maximum likelihood",
        "The quick look, then LSQ-ML on the counts' own statistics.",
        (*QUICK, LsqmlOptions(epochs=40, likelihood="poisson")),
    ),
    "low-dose": Preset(
        "Low dose",
        "A network that learns the object, noise last, and is refined by the counts.",
        (COARSE, RpieOptions(epochs=30, anneal=0.0), DipOptions()),
    ),
}
"""Name on the command line -> chain."""
