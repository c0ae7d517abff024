"""The parameters that all engines share: no torch here, so that forms open at once.

What all engines share comes in groups, a fold of the form each; an engine adds its own steps.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from napari_ptycho.options import Options, Range

Resolution = Literal["full", "half", "quarter"]
REDUCTION: dict[Resolution, int] = {"full": 1, "half": 2, "quarter": 4}


@dataclass(frozen=True)
class RunOptions(Options):
    """How long and how much at once."""

    epochs: Annotated[int, Range(1, 100_000), "Passes over all positions."] = 100
    modes: Annotated[int, Range(1, 32), "Mutually incoherent probe modes (mixed states)."] = 1
    batch: Annotated[
        int,
        Range(1, 65_536),
        "Positions updated together. 1 is the textbook engine; 8 suits a CPU, 64 a GPU.",
    ] = 8
    probe_start: Annotated[
        int, Range(0, 100_000), "First epoch in which the probe is updated too."
    ] = 0
    subpixel: Annotated[
        bool,
        "Shift the probe by the fraction of a pixel that its position has; two more FFTs. "
        "Always so where positions are refined.",
    ] = False
    resolution: Annotated[
        Resolution,
        "half: only the central half of the detector, object pixels twice as large, about four "
        "times as fast. For the first stage of a chain.",
    ] = "full"
    seed: Annotated[int, Range(0, 2**31 - 1), "Order of the positions, random starts."] = 0


@dataclass(frozen=True)
class PositionOptions(Options):
    """Refinement of the positions."""

    group: ClassVar[str] = "Position refinement"
    source: ClassVar[str] = (
        "Maiden et al. 2012 (annealing); the gradient is ours, see docs, Algorithms"
    )

    positions: Annotated[
        Literal["as given", "gradient", "annealing"],
        "gradient: follow the slope of the error, for errors below two pixels. annealing: try "
        "random places too and keep the best, for larger ones; five forward passes more.",
    ] = "as given"
    positions_affine: Annotated[
        bool, "Positions move only together: scale, rotation and shear of the whole scan."
    ] = False
    positions_start: Annotated[
        int, Range(0, 100_000), "First epoch in which positions are refined."
    ] = 5
    positions_reach_px: Annotated[
        float,
        Range(0.01, 100, 0.5),
        "How wrong a position may be, in object pixels: in this stage it moves no farther "
        "(an affine map may go farther). annealing looks that far at first, ever less later.",
    ] = 2.0


@dataclass(frozen=True)
class DetectorModelOptions(Options):
    """What the detector does to the counts."""

    group: ClassVar[str] = "Detector model"

    saturation: Annotated[
        float,
        Range(0, 1e12, 1000, unit="counts"),
        "Counts at which a pixel saturates; such pixels only say 'at least so many'. 0: none.",
    ] = 0.0
    background: Annotated[
        bool, "Estimate counts that do not come from the sample, the same in every pattern."
    ] = False


@dataclass(frozen=True)
class BeamOptions(Options):
    """How the beam differs from frame to frame, and what is known of it."""

    group: ClassVar[str] = "Beam"
    source: ClassVar[str] = "Odstrčil et al. 2016 (variations) and 2018 (fly-scan)"

    variations: Annotated[
        int,
        Range(0, 16),
        "Shapes by which the probe may vary from pattern to pattern (orthogonal probe relaxation).",
    ] = 0
    flux: Annotated[bool, "Estimate the flux of every pattern, relative to the mean."] = False
    fly_points: Annotated[
        int,
        Range(1, 32),
        "Fly-scan: points of the path over which each exposure is spread; 1 is a step scan.",
    ] = 1
    fly_share: Annotated[
        float, Range(0, 2, 0.1), "Fly-scan: exposure as a share of the way to the next position."
    ] = 1.0
    probe_centre: Annotated[bool, "Keep the probe in the middle of its window."] = False
    probe_support: Annotated[
        float,
        Range(0, 2, 0.05),
        "The probe lies in a disc of this diameter, as a share of the window; 0: anywhere.",
    ] = 0.0
    probe_cutoff: Annotated[
        float,
        Range(0, 2, 0.05),
        "The beam alone reaches a disc of this diameter on the detector, as a share of its "
        "width; 0: all of it.",
    ] = 0.0


@dataclass(frozen=True)
class ObjectOptions(Options):
    """What is known of the object: applied after every epoch."""

    group: ClassVar[str] = "Object"
    source: ClassVar[str] = (
        "Chambolle 2004 (total variation); denoising in the loop: docs, Algorithms"
    )

    amplitude_limit: Annotated[
        float, Range(0, 10, 0.05), "Largest amplitude of the object; 0: any."
    ] = 0.0
    smoothness: Annotated[
        float, Range(0, 1, 0.01), "Share of each pixel that its neighbours give after an epoch."
    ] = 0.0
    total_variation: Annotated[
        float, Range(0, 1, 0.001), "Weight of a total-variation denoising after an epoch; 0: none."
    ] = 0.0
    denoiser: Annotated[
        Literal["none", "dip"],
        "dip: between epochs a network learns the object, noise last (Deep Image Prior), and gives "
        "back what it has learnt. For few photons.",
    ] = "none"
    denoise_every: Annotated[int, Range(1, 100_000), "Epochs from denoising to denoising."] = 5
    denoise_share: Annotated[
        float, Range(0, 1, 0.05), "Share of the denoised object in what the engine goes on from."
    ] = 0.5
    denoise_until: Annotated[
        float,
        Range(0.05, 0.95, 0.05),
        "First part of the run in which the object is denoised; the rest goes by the counts alone.",
    ] = 0.8
    denoise_held_out: Annotated[
        float,
        Range(0.01, 0.5, 0.01),
        "Share of the patterns that is kept from the object while it is denoised: a denoised "
        "object stays only if it makes them more likely.",
    ] = 0.05


@dataclass(frozen=True)
class EngineOptions(ObjectOptions, BeamOptions, DetectorModelOptions, PositionOptions, RunOptions):
    """What every engine has."""

    @property
    def shifts(self) -> bool:
        """Whether probes are shifted by fractions of a pixel."""
        return self.subpixel or self.positions != "as given"

    @property
    def reduction(self) -> int:
        """Object pixels of the stage are this many times larger than those of the scan."""
        return REDUCTION[self.resolution]


@dataclass(frozen=True)
class StepOptions(EngineOptions):
    """Engines that take small steps after every batch."""

    anneal: Annotated[
        float,
        Range(0, 1, 0.05),
        "Last part of the run in which the steps shrink to a tenth: averages out the noise.",
    ] = 0.5
