"""A recipe: all that is done to a scan, from its file to the result, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from napari_ptycho.denoise.options import ClassicalOptions, DenoiseOptions
from napari_ptycho.engines import EngineOptions
from napari_ptycho.io.layout import Layout
from napari_ptycho.networks.options import FinetuneOptions, PredictOptions
from napari_ptycho.options import Options, Range
from napari_ptycho.prepare.detector import DetectorOptions
from napari_ptycho.prepare.start import Optics
from napari_ptycho.prepare.text import parse_size

SAMPLE = "sample:"
"""Before the key of a sample, in place of a file."""


@dataclass(frozen=True)
class Source:
    """Which scan, and how its file is read; the defaults leave that to its format."""

    file: str = ""
    """The scan that the recipe was made with ("sample:KEY": a sample); others may be run."""
    positions: str = ""
    """A second file, with the positions."""
    layout: Layout | None = None
    detector: DetectorOptions | None = None
    geometry: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `Geometry` that replace those of the file."""


@dataclass(frozen=True)
class BinningOptions(Options):
    """Position binning before anything else."""

    title: ClassVar[str] = "Position binning"

    size: Annotated[str, "Positions per bin: 4, or rows x columns like 2x3; 1 bins nothing."] = "1"
    neighbours: Annotated[Literal["path", "space"], "Bin along the path, or in space."] = "path"
    every: Annotated[
        int, Range(1, 10_000), "Use every k-th pattern only, before bins are made: sparse sampling."
    ] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_size(self.size)

    @property
    def block(self) -> int | tuple[int, int]:
        """The size as `prepare.bin_positions` takes it."""
        return parse_size(self.size)


@dataclass(frozen=True)
class Start:
    """Where the first engine starts."""

    probe: Literal["auto", "file", "optics", "mean pattern"] = "auto"
    optics: Optics | None = None


@dataclass(frozen=True)
class NetworkStep:
    """A network that predicts the object: the first guess of the engines, or the result."""

    file: str
    """A file, or the name of one that is shipped (`networks.SHIPPED`)."""
    predict: PredictOptions = field(default_factory=PredictOptions)
    finetune: FinetuneOptions | None = None
    """How it is taught the patterns of the scan before it predicts; None: not at all."""


@dataclass(frozen=True)
class DenoiseStep:
    """How the result is denoised."""

    channel: Literal["phase", "amplitude", "complex"]
    options: DenoiseOptions | ClassicalOptions


@dataclass(frozen=True)
class AssessOptions(Options):
    """What is found out about a result."""

    title: ClassVar[str] = "Assessment"

    frc: Annotated[bool, "Resolution by single-image FRC of the phase."] = True
    check: Annotated[bool, "Look for hallucinated structure with the data at hand (slow)."] = False


@dataclass(frozen=True)
class OutputOptions(Options):
    """What is written beside the result, which is always written."""

    title: ClassVar[str] = "Outputs"

    form: Annotated[str, "Form of the result, as `napari-ptycho export --help` lists them."] = (
        "product"
    )
    tiff: Annotated[bool, "Also phase and amplitude as OME-TIFF."] = False
    report: Annotated[bool, "Also a picture of the result (PNG)."] = False


@dataclass(frozen=True)
class Recipe:
    """All that is done to a scan; what runs where (device, memory) is not part of it."""

    title: str = ""
    """What people read of it."""
    scan: Source = field(default_factory=Source)
    """Which scan, and how it is read."""
    binning: BinningOptions = field(default_factory=BinningOptions)
    """What is summed or left out before anything else."""
    start: Start = field(default_factory=Start)
    """Probe and object that the first engine begins with."""
    network: NetworkStep | None = None
    """What predicts the object; None: nothing does."""
    stages: tuple[EngineOptions, ...] = ()
    """Engines that go on from each other; without any, the network's prediction is the result."""
    denoise: DenoiseStep | None = None
    assess: AssessOptions = field(default_factory=AssessOptions)
    output: OutputOptions = field(default_factory=OutputOptions)
