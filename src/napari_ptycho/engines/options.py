"""The parameters of the engines: no torch here, so that forms open at once.

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

    group: ClassVar[str] = "Positions"

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
        "How wrong a position may be, in object pixels: it stays within this of the given one "
        "(an affine map may go farther). annealing looks that far at first, ever less later.",
    ] = 2.0


@dataclass(frozen=True)
class DetectorOptions(Options):
    """What the detector does to the counts."""

    group: ClassVar[str] = "Detector"

    saturation: Annotated[
        float,
        Range(0, 1e12, 1000),
        "Counts at which a pixel saturates; such pixels only say 'at least so many'. 0: none.",
    ] = 0.0
    background: Annotated[
        bool, "Estimate counts that do not come from the sample, the same in every frame."
    ] = False


@dataclass(frozen=True)
class BeamOptions(Options):
    """How the beam differs from frame to frame, and what is known of it."""

    group: ClassVar[str] = "Beam"

    variations: Annotated[
        int,
        Range(0, 16),
        "Shapes by which the probe may vary from frame to frame (orthogonal probe relaxation).",
    ] = 0
    intensities: Annotated[bool, "Estimate the flux of every frame."] = False
    fly_points: Annotated[
        int,
        Range(1, 32),
        "Fly-scan: points of the path over which each exposure is spread; 1 is a step scan.",
    ] = 1
    fly_share: Annotated[
        float, Range(0, 2, 0.1), "Fly-scan: exposure as a share of the way to the next frame."
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

    amplitude_limit: Annotated[
        float, Range(0, 10, 0.05), "Largest amplitude of the object; 0: any."
    ] = 0.0
    smoothness: Annotated[
        float, Range(0, 1, 0.01), "Share of each pixel that its neighbours give after an epoch."
    ] = 0.0
    total_variation: Annotated[
        float, Range(0, 1, 0.001), "Weight of a total-variation denoising after an epoch; 0: none."
    ] = 0.0


@dataclass(frozen=True)
class EngineOptions(ObjectOptions, BeamOptions, DetectorOptions, PositionOptions, RunOptions):
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


@dataclass(frozen=True)
class EpieOptions(StepOptions):
    """ePIE (Maiden & Rodenburg 2009): steps divided by the largest illumination."""

    title: ClassVar[str] = "ePIE"

    object_step: Annotated[float, Range(0, 2, 0.05), "Object step, 0 keeps the object."] = 1.0
    probe_step: Annotated[float, Range(0, 2, 0.05), "Probe step, 0 keeps the probe."] = 1.0


@dataclass(frozen=True)
class RpieOptions(StepOptions):
    """rPIE (Maiden, Johnson & Li 2017): steps divided by a mix of local and largest illumination.

    A weight of 1 is ePIE; a small weight moves weakly lit pixels faster.
    """

    title: ClassVar[str] = "rPIE"

    object_step: Annotated[float, Range(0, 2, 0.05), "Object step, 0 keeps the object."] = 1.0
    probe_step: Annotated[float, Range(0, 2, 0.05), "Probe step, 0 keeps the probe."] = 1.0
    object_alpha: Annotated[
        float, Range(0.001, 1, 0.05), "Weight of the largest illumination in the object step."
    ] = 0.5
    probe_alpha: Annotated[
        float, Range(0.001, 1, 0.05), "Weight of the largest illumination in the probe step."
    ] = 1.0


@dataclass(frozen=True)
class MpieOptions(RpieOptions):
    """mPIE (Maiden, Johnson & Li 2017): rPIE, and a push along the way of the last positions.

    Every `period` positions the way gone since the last push is added to a velocity, and part of
    the velocity to object and probe. This is Maiden's momentum; the heavy ball of other packages
    pushes after every batch.
    """

    title: ClassVar[str] = "mPIE"

    period: Annotated[int, Range(1, 100_000, 10), "Positions between two pushes."] = 100
    friction: Annotated[
        float, Range(0, 1, 0.05), "Share of the velocity that stays from push to push."
    ] = 0.9
    object_push: Annotated[
        float, Range(0, 1, 0.05), "Share of its velocity that moves the object."
    ] = 0.3
    probe_push: Annotated[
        float, Range(0, 1, 0.05), "Share of its velocity that moves the probe."
    ] = 0.0


@dataclass(frozen=True)
class DmOptions(EngineOptions):
    """Difference map (Thibault et al. 2009): all exit waves at once; leaves stagnation behind.

    It does not settle where the counts are noisy: follow it by another engine.
    """

    title: ClassVar[str] = "DM"

    batch: Annotated[
        int, Range(1, 65_536), "Positions computed together; a matter of memory only."
    ] = 16
    overlaps: Annotated[
        int, Range(1, 20), "Rounds of object and probe that fit the exit waves of an epoch."
    ] = 2
    average: Annotated[
        float, Range(0, 1, 0.05), "Last part of the run whose objects are averaged."
    ] = 0.1


@dataclass(frozen=True)
class RaarOptions(DmOptions):
    """RAAR (Luke 2005): a difference map that is pulled back to the model a little."""

    title: ClassVar[str] = "RAAR"

    relaxation: Annotated[
        float, Range(0.05, 1, 0.05), "beta: 1 is the difference map, less is pulled back more."
    ] = 0.85


@dataclass(frozen=True)
class LsqmlOptions(StepOptions):
    """LSQ-ML (Odstrčil et al. 2018): the best steps of object and probe for every frame."""

    title: ClassVar[str] = "LSQ-ML"

    batch: Annotated[int, Range(1, 65_536), "Positions updated together."] = 32
    likelihood: Annotated[
        Literal["amplitude", "poisson"], "What is maximised: of sqrt counts, or of counts."
    ] = "amplitude"
    batches: Annotated[
        Literal["sparse", "compact"],
        "sparse: positions far from each other. compact: neighbours, and the object moves once "
        "per epoch; give it momentum.",
    ] = "sparse"
    step: Annotated[float, Range(0, 2, 0.05), "Share of the best step that is taken."] = 0.9
    momentum: Annotated[
        float, Range(0, 1, 0.05), "Share of the way of the last epochs that is gone again."
    ] = 0.0
    damping: Annotated[
        float, Range(0.001, 1, 0.05), "Keeps weakly lit pixels slow: share of the most light."
    ] = 0.1


@dataclass(frozen=True)
class AdamOptions(StepOptions):
    """Maximum likelihood by Adam: gradients of a whole batch, scaled by their own history."""

    title: ClassVar[str] = "ML (Adam)"

    batch: Annotated[int, Range(1, 65_536), "Positions of one gradient."] = 32
    likelihood: Annotated[
        Literal["amplitude", "poisson"], "What is maximised: of sqrt counts, or of counts."
    ] = "amplitude"
    object_rate: Annotated[
        float, Range(0, 1, 0.001), "Learning rate of the object; 0 keeps it."
    ] = 0.05
    probe_rate: Annotated[
        float, Range(0, 1, 0.001), "Learning rate of the probe, in units of its RMS; 0 keeps it."
    ] = 0.01


@dataclass(frozen=True)
class LbfgsOptions(EngineOptions):
    """Maximum likelihood by L-BFGS: one step from all frames; a good finisher, a slow starter."""

    title: ClassVar[str] = "ML (L-BFGS)"

    batch: Annotated[
        int, Range(1, 65_536), "Positions computed together; a matter of memory only."
    ] = 16
    likelihood: Annotated[
        Literal["amplitude", "poisson"], "What is maximised: of sqrt counts, or of counts."
    ] = "amplitude"
    history: Annotated[int, Range(1, 100), "Steps whose curvature is remembered."] = 10


ENGINES: dict[str, type[EngineOptions]] = {
    "rpie": RpieOptions,
    "epie": EpieOptions,
    "mpie": MpieOptions,
    "dm": DmOptions,
    "raar": RaarOptions,
    "lsqml": LsqmlOptions,
    "adam": AdamOptions,
    "lbfgs": LbfgsOptions,
}
"""Name on the command line and in files -> parameters. Adding an engine adds one line here."""
