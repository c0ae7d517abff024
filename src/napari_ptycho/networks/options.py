"""The parameters of networks: no torch here, so that forms open at once."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from napari_ptycho.networks.architectures import ArchitectureName, architecture_of
from napari_ptycho.options import Options, Range

Scaling = Literal["standardised", "sqrt-max", "counts", "counts-standardised"]
Schedule = Literal["cosine", "plateau", "cyclic", "constant"]
Overlap = Literal["75", "50", "25", "0"]


SCALINGS: dict[str, str] = {
    "standardised": "square root of the counts, less its mean over the data at each pixel, over "
    "one standard deviation",
    "sqrt-max": "square root of the counts over its maximum in each pattern (PtyNet)",
    "counts": "counts, those below 3 set to 0 (PtychoNN)",
    "counts-standardised": "the same, less their mean at each pixel, over one standard deviation",
}
"""Name -> what a network is given."""


@dataclass(frozen=True)
class TrainOptions(Options):
    """How a network learns from pairs of pattern and object."""

    title: ClassVar[str] = "Training"

    architecture: Annotated[ArchitectureName, "The network."] = "ptynet-s"
    epochs: Annotated[int, Range(1, 100_000, 10), "Passes over all pairs, at most."] = 100
    batch: Annotated[int, Range(1, 4096), "Patterns per step."] = 16
    rate: Annotated[float, Range(0, 1, 0.0001), "Highest learning rate of Adam."] = 1e-3
    loss: Annotated[
        Literal["mse", "mae"],
        "Mean squared (PtyNet) or mean absolute error (PtychoNN, W-Nets) of amplitude plus phase.",
    ] = "mse"
    schedule: Annotated[
        Schedule,
        "Learning rate after the warm-up: cosine falls to 0; plateau halves it when validation "
        "stays; cyclic swings between a tenth and all of it, weaker each time; constant.",
    ] = "cosine"
    warm_up: Annotated[int, Range(0, 100_000, 50), "Steps in which the rate rises from 0."] = 50
    patience: Annotated[
        int,
        Range(0, 100_000, 10),
        "Validations without a better one before it stops; 0: never before the end.",
    ] = 0
    scaling: Annotated[
        Scaling,
        "What the network is given: " + "; ".join(f"{n}: {t}" for n, t in SCALINGS.items()) + ".",
    ] = "standardised"
    flips: Annotated[
        bool, "Turn pairs by half turns at random, which patterns follow: more to learn from."
    ] = False
    seed: Annotated[int, Range(0, 2**31 - 1), "Of weights and order."] = 0

    @classmethod
    def of(cls, architecture: str, **changes: Any) -> Self:
        """Return the options that suit an architecture.

        Raises:
            OptionsError: There is no architecture of this name, or a value is not allowed.
        """
        known = architecture_of(architecture)
        return cls(**{"architecture": architecture, **known.defaults, **changes})


@dataclass(frozen=True)
class SimulationOptions(Options):
    """Pairs to learn from, simulated: natural images as objects under a probe."""

    title: ClassVar[str] = "Simulated pairs"

    patterns: Annotated[int, Range(16, 10_000_000, 1000), "Patterns in all."] = 4000
    size: Annotated[int, Range(16, 1024, 16, unit="px"), "Pixels of a pattern's side."] = 64
    overlap: Annotated[Overlap, "How much neighbouring windows share, in percent."] = "75"
    jitter_px: Annotated[
        float, Range(0, 64, 0.5), "How far positions leave the raster at most, fractions too."
    ] = 2.0
    photons: Annotated[
        float, Range(1, 1e12, 1000, unit="photons"), "Mean photons per pattern, at most."
    ] = 1e6
    photons_least: Annotated[
        float,
        Range(1, 1e12, 1000, unit="photons"),
        "Mean photons per pattern, at least (drawn between both).",
    ] = 1e5
    defocus_mm: Annotated[
        float,
        Range(0, 100, 0.5),
        "A probe that is not given is a zone plate's; its defocus is drawn up to so much from "
        "the optics' own.",
    ] = 1.0
    phase_rad: Annotated[float, Range(0, 6.28, 0.1), "Largest phase of the objects."] = 1.5
    absorption: Annotated[float, Range(0, 0.95, 0.05), "Largest loss of amplitude."] = 0.5
    one_material: Annotated[
        float,
        Range(0, 1, 0.1),
        "Share of the objects that absorb where they shift the phase; of others, both are of "
        "images of their own, which is harder to learn.",
    ] = 0.5
    seed: Annotated[int, Range(0, 2**31 - 1), "Of everything drawn."] = 0


@dataclass(frozen=True)
class PredictOptions(Options):
    """How patterns become one object."""

    title: ClassVar[str] = "Prediction"

    stitching: Annotated[
        Literal["probe", "centre", "uniform"],
        "What counts in each patch: the intensity of the probe (ours); its centre only (PtychoNN); "
        "all pixels alike, at whole pixels (PtyNet).",
    ] = "probe"
    synchronise: Annotated[
        bool,
        "Turn the phase of each patch onto its neighbours': patches of a network fine-tuned "
        "pattern by pattern have phases of their own.",
    ] = False
    every: Annotated[int, Range(1, 10_000), "Use every k-th pattern only: sparse sampling."] = 1
    batch: Annotated[
        int,
        Range(0, 4096),
        "Patterns at once; 0 chooses.",
    ] = 0
    standardise: Annotated[
        Literal["scan", "network"],
        "Whose mean pattern is taken off: that of this scan, or the one the network was taught "
        "with.",
    ] = "scan"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        "auto: float16 on a GPU, float32 on a CPU. bfloat16 is quicker on some CPUs, and a "
        "preview only (errors of some hundredths of a rad).",
    ] = "auto"
    compile: Annotated[bool, "Compile the network first: some tens of seconds, then faster."] = (
        False
    )


@dataclass(frozen=True)
class FinetuneOptions(Options):
    """How a network learns from patterns alone, without labels."""

    title: ClassVar[str] = "Fine-tuning"
    source: ClassVar[str] = "Pan et al. 2023"

    loop: Annotated[
        Literal["overlap", "pattern"],
        "overlap: patches are stitched into one object, cut again and compared with the patterns "
        "(ours); pattern: each patch is compared with its own pattern (Pan et al. 2023).",
    ] = "overlap"
    epochs: Annotated[int, Range(1, 100_000, 10), "Passes over all patterns, at most."] = 200
    rate: Annotated[float, Range(0, 1, 0.0001), "Learning rate of Adam."] = 1e-3
    batch: Annotated[
        int, Range(1, 4096), "Patterns per step of the pattern loop, and per piece of the other."
    ] = 16
    loss: Annotated[
        Literal["amplitude", "intensity"],
        "Mean absolute error of the square root of the counts, or of the counts (the paper).",
    ] = "amplitude"
    probe_rate: Annotated[
        float, Range(0, 1, 0.0001), "Learning rate of the probe, relative to its size; 0 keeps it."
    ] = 0.0
    held_out: Annotated[
        float,
        Range(0, 0.5, 0.05),
        "Share of the patterns that are only looked at: they say when to stop; 0: none.",
    ] = 0.1
    patience: Annotated[
        int,
        Range(0, 100_000, 5),
        "Epochs without a better held-out error before it stops; 0: never.",
    ] = 30
    seed: Annotated[int, Range(0, 2**31 - 1), "Of what is held out, and of the order."] = 0
