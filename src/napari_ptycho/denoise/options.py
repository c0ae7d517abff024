"""The parameters of a denoising: no torch here, so that forms open at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from napari_ptycho.errors import OptionsError
from napari_ptycho.options import Options, Range, Value

ArchitectureName = Literal["skip", "arch1-bilinear", "arch2-bilinear", "arch1", "arch2"]
Stop = Literal["auto", "second-copy", "holdout", "discrepancy", "wmv", "loss", "none"]
Method = Literal["tv", "nlm", "wavelet"]


@dataclass(frozen=True)
class Architecture:
    """A network that can be a prior, and the values of the options that suit it."""

    title: str
    help: str
    defaults: Mapping[str, Value] = field(default_factory=dict)
    height: float = 0.1
    """The random input lies between 0 and this."""
    alias_free: bool = True
    """Whether it enlarges without transposed convolutions, which print a grid."""


PUBLISHED: Mapping[str, Value] = {
    "rate": 3e-5,
    "iterations": 5000,
    "averaging": 0.0,
    "inputs": 1,
    "scaling": "0-1",
    "bounded": False,
    "stop": "loss",
}
"""The recipe of Erin et al. 2025; what it does not say: the size of the input (1 channel, 0 to 1),
the scaling, and how long the loss may stay."""
ARCHITECTURES: dict[str, Architecture] = {
    "skip": Architecture(
        "skip network",
        "Of the Deep Image Prior's authors (Ulyanov et al. 2020): bilinear, batch norm, skips.",
    ),
    "arch1-bilinear": Architecture(
        "Arch 1, bilinear",
        "Arch 1 with interpolation in place of transposed convolutions: quick.",
        {"patience": 100},
    ),
    "arch2-bilinear": Architecture(
        "Arch 2, bilinear", "Arch 2 with interpolation in place of transposed convolutions."
    ),
    "arch1": Architecture(
        "Arch 1 (published)",
        "MONAI U-Net of Erin et al. 2025, 8 to 128 channels: prints a grid while little trained.",
        PUBLISHED,
        1.0,
        alias_free=False,
    ),
    "arch2": Architecture(
        "Arch 2 (published)",
        "MONAI U-Net of Erin et al. 2025, six times 128 channels: slow without a GPU.",
        PUBLISHED,
        1.0,
        alias_free=False,
    ),
}
"""Name -> network. The first is the one to begin with."""
RULES: dict[str, str] = {
    "auto": "second copy where there is one, else held-out pixels",
    "second-copy": "least difference from an independent second image",
    "holdout": "least difference from pixels that the network never saw",
    "discrepancy": "as far from the input as the noise is strong",
    "wmv": "outputs change least (ES-WMV, Wang et al. 2023: 100 and 1000 iterations)",
    "loss": "loss stays as it is (the paper)",
    "none": "all iterations; the last is kept",
}
"""Name -> what it waits for."""


@dataclass(frozen=True)
class DenoiseOptions(Options):
    """Deep Image Prior: a network that has seen no other image learns this one, noise last."""

    title: ClassVar[str] = "Deep Image Prior"
    source: ClassVar[str] = "Ulyanov, Vedaldi & Lempitsky 2020, Wang et al. 2023 (stop)"

    architecture: Annotated[ArchitectureName, "The network."] = "skip"
    iterations: Annotated[int, Range(1, 1_000_000, 100), "Most iterations."] = 3000
    stop: Annotated[
        Stop,
        "When to stop: " + "; ".join(f"{name}: {help_}" for name, help_ in RULES.items()) + ".",
    ] = "auto"
    rate: Annotated[float, Range(0, 10, 0.001), "Learning rate of Adam."] = 0.01
    averaging: Annotated[
        float,
        Range(0, 0.9999, 0.01),
        "Share of the mean output that stays in every iteration; 0 takes each output as it is.",
    ] = 0.99
    jitter: Annotated[
        float, Range(0, 1, 0.01), "Noise added to the input in every iteration, as a share of it."
    ] = 0.0
    inputs: Annotated[int, Range(1, 256), "Channels of the random input."] = 32
    scaling: Annotated[
        Literal["z-score", "0-1"],
        "What the network is taught: the image with mean 0 and spread 1, or from 0 to 1 (but for "
        "its noise).",
    ] = "z-score"
    bounded: Annotated[
        bool,
        "Keep the output within what the image spans beyond its noise (3.5 of its standard "
        "deviations inside its extremes). Off where single bright pixels matter.",
    ] = True
    patience: Annotated[
        int, Range(1, 1_000_000, 50), "Iterations without a better one before it stops."
    ] = 500
    sigma: Annotated[
        float,
        Range(0, 1e12, 0.01, unit="that of the image"),
        "Standard deviation of the noise, in units of the image; 0: estimated.",
    ] = 0.0
    held_out: Annotated[
        float, Range(0.01, 0.5, 0.01), "Share of the pixels that holdout keeps from the network."
    ] = 0.1
    clumps: Annotated[
        Literal["auto", "pixels", "3x3"],
        "What holdout keeps back: single pixels, right for noise that is white; or clumps, for "
        "noise that neighbours share. auto looks at the noise.",
    ] = "auto"
    ensemble: Annotated[int, Range(1, 100), "Networks whose outputs are averaged."] = 1
    mix: Annotated[
        Literal["seeds", "architectures"],
        "How the networks of an ensemble differ: by their seeds, or also in turn by architecture.",
    ] = "seeds"
    seed: Annotated[int, Range(0, 2**31 - 1), "Of input and first weights."] = 0
    history_every: Annotated[
        int, Range(1, 100_000, 5), "Iterations from one kept output to the next."
    ] = 20
    history_mb: Annotated[
        float, Range(0, 100_000, 50), "Most memory of kept outputs; the oldest go first."
    ] = 256.0
    data_range: Annotated[
        float,
        Range(0, 1e12, 0.1, unit="that of the image"),
        "Of the PSNR. 0: 1 where the image lies between 0 and 1, else its span.",
    ] = 0.0
    tile: Annotated[
        int,
        Range(0, 65_536, 64, unit="px"),
        "Sides of the tiles that a large image is cut into; 0: only if memory does not suffice.",
    ] = 0

    @classmethod
    def of(cls, architecture: str, **values: Any) -> Self:
        """Return the options that suit an architecture, with some of them replaced.

        Raises:
            OptionsError: There is no such architecture or option, or a value is not allowed.
        """
        if architecture not in ARCHITECTURES:
            named = ", ".join(get_args(ArchitectureName))
            raise OptionsError(f"no architecture is called '{architecture}'; there is {named}")
        suited = ARCHITECTURES[architecture].defaults
        return cls.from_dict({"architecture": architecture, **suited, **values})

    def members(self) -> tuple[str, ...]:
        """Return the architecture of each network of the ensemble."""
        if self.mix == "seeds":
            return (self.architecture,) * self.ensemble
        others = [name for name in ("skip", "arch1-bilinear") if name != self.architecture]
        turns = (self.architecture, *others)
        return tuple(turns[i % len(turns)] for i in range(self.ensemble))


@dataclass(frozen=True)
class ClassicalOptions(Options):
    """Denoising without a network (scikit-image)."""

    title: ClassVar[str] = "Classical"

    method: Annotated[
        Method,
        "tv: total variation (Chambolle 2004). nlm: non-local means (Buades et al. 2005). "
        "wavelet: thresholds by BayesShrink (Chang et al. 2000), over shifts.",
    ] = "tv"
    calibrate: Annotated[
        Literal["auto", "second-copy", "noise", "j-invariant"],
        "How its strength is found: by an independent second image, from the noise level, or by "
        "pixels predicted from their neighbours (Batson & Royer 2019; for white noise only). auto: "
        "the first of them that can be used.",
    ] = "auto"
    strength: Annotated[
        float,
        Range(0, 100, 0.1, unit="standard deviations of the noise"),
        "In units of the noise; 0: calibrated.",
    ] = 0.0
    sigma: Annotated[
        float,
        Range(0, 1e12, 0.01),
        "Standard deviation of the noise, in units of the image; 0: estimated.",
    ] = 0.0
    data_range: Annotated[
        float,
        Range(0, 1e12, 0.1),
        "Of the PSNR. 0: 1 where the image lies between 0 and 1, else its span.",
    ] = 0.0
