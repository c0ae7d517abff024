"""The parameters of each engine: no torch here, so that forms open at once."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from napari_ptycho.engines.common import EngineOptions, Resolution, StepOptions
from napari_ptycho.options import Range

__all__ = ["ENGINES", "EngineOptions", "Resolution", "StepOptions"]

# What several engines have of their own.
ObjectStep = Annotated[float, Range(0, 2, 0.05), "Object step, 0 keeps the object."]
ProbeStep = Annotated[float, Range(0, 2, 0.05), "Probe step, 0 keeps the probe."]
AnyBatch = Annotated[int, Range(1, 65_536), "Positions computed together; a matter of memory only."]
Likelihood = Annotated[
    Literal["amplitude", "poisson"], "What is maximised: of sqrt counts, or of counts."
]


@dataclass(frozen=True)
class EpieOptions(StepOptions):
    """ePIE (Maiden & Rodenburg 2009): steps divided by the largest illumination."""

    title: ClassVar[str] = "ePIE"
    source: ClassVar[str] = "Maiden & Rodenburg 2009"

    object_step: ObjectStep = 1.0
    probe_step: ProbeStep = 1.0


@dataclass(frozen=True)
class RpieOptions(StepOptions):
    """rPIE (Maiden, Johnson & Li 2017): steps divided by a mix of local and largest illumination.

    A weight of 1 is ePIE; a small weight moves weakly lit pixels faster.
    """

    title: ClassVar[str] = "rPIE"
    source: ClassVar[str] = "Maiden, Johnson & Li 2017"

    object_step: ObjectStep = 1.0
    probe_step: ProbeStep = 1.0
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
    source: ClassVar[str] = "Maiden, Johnson & Li 2017"

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
    source: ClassVar[str] = "Thibault et al. 2009, Elser 2003"

    batch: AnyBatch = 16
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
    source: ClassVar[str] = "Luke 2005"

    relaxation: Annotated[
        float, Range(0.05, 1, 0.05), "beta: 1 is the difference map, less is pulled back more."
    ] = 0.85


@dataclass(frozen=True)
class LsqmlOptions(StepOptions):
    """LSQ-ML (Odstrčil et al. 2018): the best steps of object and probe for every frame."""

    title: ClassVar[str] = "LSQ-ML"
    source: ClassVar[str] = "Odstrčil, Menzel & Guizar-Sicairos 2018"

    batch: Annotated[int, Range(1, 65_536), "Positions updated together."] = 32
    likelihood: Likelihood = "amplitude"
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
    source: ClassVar[str] = "Kingma & Ba 2015"

    batch: Annotated[int, Range(1, 65_536), "Positions of one gradient."] = 32
    likelihood: Likelihood = "amplitude"
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

    batch: AnyBatch = 16
    likelihood: Likelihood = "amplitude"
    history: Annotated[int, Range(1, 100), "Steps whose curvature is remembered."] = 10


@dataclass(frozen=True)
class DipOptions(EngineOptions):
    """Deep Image Prior: the object is the output of a network, which learns noise only slowly.

    The network is first taught the object that the engine before has found; for few photons.
    """

    title: ClassVar[str] = "Deep Image Prior (refine)"
    source: ClassVar[str] = "McCray et al. 2025"

    epochs: Annotated[int, Range(1, 100_000), "Passes over all positions."] = 60
    batch: AnyBatch = 16
    likelihood: Likelihood = "poisson"
    pretrain: Annotated[
        int, Range(0, 100_000, 10), "Steps in which the network learns the object it starts from."
    ] = 60
    steps: Annotated[int, Range(1, 10_000), "Steps of the network after every epoch."] = 5
    rate: Annotated[
        float, Range(0, 1, 0.001), "Learning rate of the network; falls to a tenth at the end."
    ] = 0.01
    feed: Annotated[
        Literal["object", "noise"],
        "Input of the network: the object it starts from, or noise, which takes many more steps.",
    ] = "object"
    jitter: Annotated[
        float, Range(0, 1, 0.01), "Noise added to the input, in units of the object's contrast."
    ] = 0.03
    averaging: Annotated[
        float, Range(0, 0.999, 0.05), "Share of the mean output that stays in every step."
    ] = 0.0
    probe_step: ProbeStep = 1.0


ENGINES: dict[str, type[EngineOptions]] = {
    "rpie": RpieOptions,
    "epie": EpieOptions,
    "mpie": MpieOptions,
    "dm": DmOptions,
    "raar": RaarOptions,
    "lsqml": LsqmlOptions,
    "adam": AdamOptions,
    "lbfgs": LbfgsOptions,
    "dip": DipOptions,
}
"""Name on the command line and in files -> parameters. Adding an engine adds one line here."""
