"""The parameters of the engines: no torch here, so that forms open at once."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from napari_ptycho.options import Options, Range


@dataclass(frozen=True)
class EngineOptions(Options):
    """What every engine has."""

    epochs: Annotated[int, Range(1, 100_000), "Passes over all positions."] = 100
    modes: Annotated[int, Range(1, 32), "Mutually incoherent probe modes (mixed states)."] = 1
    batch: Annotated[
        int,
        Range(1, 4096),
        "Positions updated together. 1 is the textbook engine; 8 suits a CPU, 64 a GPU.",
    ] = 8
    probe_start: Annotated[
        int, Range(0, 100_000), "First epoch in which the probe is updated too."
    ] = 0
    anneal: Annotated[
        float,
        Range(0, 1, 0.05),
        "Last part of the run in which the steps shrink to a tenth: averages out the noise.",
    ] = 0.5
    subpixel: Annotated[
        bool,
        "Shift the probe by the fraction of a pixel that its position has; two more FFTs.",
    ] = False
    seed: Annotated[int, Range(0, 2**31 - 1), "Order of the positions."] = 0


@dataclass(frozen=True)
class EpieOptions(EngineOptions):
    """ePIE (Maiden & Rodenburg 2009): steps divided by the largest illumination."""

    title: ClassVar[str] = "ePIE"

    object_step: Annotated[float, Range(0, 2, 0.05), "Object step, 0 keeps the object."] = 1.0
    probe_step: Annotated[float, Range(0, 2, 0.05), "Probe step, 0 keeps the probe."] = 1.0


@dataclass(frozen=True)
class RpieOptions(EngineOptions):
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


ENGINES: dict[str, type[EngineOptions]] = {"rpie": RpieOptions, "epie": EpieOptions}
"""Name on the command line and in files -> parameters. Adding an engine adds one line here."""
