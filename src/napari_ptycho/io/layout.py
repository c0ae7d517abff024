"""What a person can say about how a file is to be read; formats say the rest."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from napari_ptycho.options import Options, Range

PositionUnit = Literal["auto", "m", "mm", "um", "nm", "A", "px"]
EnergyUnit = Literal["auto", "eV", "keV", "J", "m", "nm", "A"]
LengthUnit = Literal["auto", "m", "cm", "mm", "um", "nm"]


@dataclass(frozen=True)
class FramesLayout(Options):
    """Which dataset holds the frames, and what its axes and values are."""

    group: ClassVar[str] = "Frames"

    frames: Annotated[str, "Path of the frames inside the file; empty: as the format says."] = ""
    frame_axes: Annotated[
        Literal["last", "first"], "Rows and columns of a frame are the last two axes or the first."
    ] = "last"
    extra_axis: Annotated[
        Literal["none", "first", "second"],
        "An axis that is neither scan nor frame: energy, angle, threshold.",
    ] = "none"
    extra_index: Annotated[int, Range(0, 100_000), "Which place on that axis is read."] = 0
    first: Annotated[int, Range(0, 1_000_000_000), "Number of the first frame."] = 0
    last: Annotated[
        int, Range(0, 1_000_000_000), "Number of the frame before which to stop; 0: all."
    ] = 0
    every: Annotated[int, Range(1, 1_000_000), "Take one frame of so many."] = 1
    values: Annotated[
        Literal["auto", "intensity", "amplitude"], "What is stored; amplitudes are squared."
    ] = "auto"
    zero_frequency: Annotated[
        Literal["auto", "middle", "corner"], "Where zero frequency lies in a stored frame."
    ] = "auto"
    orientation: Annotated[
        int,
        Range(0, 7),
        "Turns frames: 4 = transpose (first), 2 = flip up-down, 1 = flip left-right, added up.",
    ] = 0

    @property
    def extra(self) -> int | None:
        """Number of the extra axis among those that are not the frame's, from 0; None: no such."""
        return {"none": None, "first": 0, "second": 1}[self.extra_axis]


@dataclass(frozen=True)
class PositionsLayout(FramesLayout):
    """Where the probe stood: one dataset, two, a second file, or a raster by its steps."""

    group: ClassVar[str] = "Positions"

    positions: Annotated[
        str, "Path of one dataset (N, 2), (2, N), (N, 3) or (3, N); empty: two, or as the format."
    ] = ""
    positions_y: Annotated[str, "Path of the rows' positions; a column in a text file."] = ""
    positions_x: Annotated[str, "Path of the columns' positions; a column in a text file."] = ""
    position_unit: Annotated[PositionUnit, "Unit of the numbers, and of the raster's steps."] = (
        "auto"
    )
    position_order: Annotated[Literal["auto", "yx", "xy"], "Which of two columns comes first."] = (
        "auto"
    )
    snake: Annotated[bool, "Every other row of a raster was scanned backwards."] = False
    flip_y: Annotated[bool, "Turn the sign of y."] = False
    flip_x: Annotated[bool, "Turn the sign of x."] = False
    rotate_deg: Annotated[
        float, Range(-360, 360, 0.5), "Turn the positions by this angle, from x towards y."
    ] = 0.0
    position_scale: Annotated[
        float, Range(1e-12, 1e12, 0.01), "Multiply the positions by this factor."
    ] = 1.0
    raster_rows: Annotated[
        int, Range(0, 1_000_000), "Rows of a raster without positions; 0: no raster."
    ] = 0
    raster_columns: Annotated[int, Range(0, 1_000_000), "Its columns; 0: as many as fit."] = 0
    step_y: Annotated[
        float, Range(0, 1e9, 0.01, unit="that of Position unit"), "Step between its rows."
    ] = 0.0
    step_x: Annotated[
        float,
        Range(0, 1e9, 0.01, unit="that of Position unit"),
        "Step between its columns; 0: as the rows.",
    ] = 0.0


@dataclass(frozen=True)
class DetectorLayout(PositionsLayout):
    """Which datasets correct the frames."""

    group: ClassVar[str] = "Corrections"

    mask: Annotated[str, "Path of the mask."] = ""
    mask_means: Annotated[
        Literal["auto", "1 good", "1 bad", "CXI bits", "NX bits"], "What its numbers say."
    ] = "auto"
    dark: Annotated[str, "Path of the dark frame, which is subtracted."] = ""
    flat: Annotated[str, "Path of the flat field, which divides."] = ""
    monitor: Annotated[str, "Path of the beam monitor: flux per frame."] = ""
    bad_values: Annotated[str, "Values that mark bad pixels, with commas: 65535, -1."] = ""


@dataclass(frozen=True)
class Layout(DetectorLayout):
    """How a file is to be read: everything that `read_scan` takes beside the geometry."""

    title: ClassVar[str] = "How a file is read"
    group: ClassVar[str] = "Experiment"

    energy: Annotated[str, "Path of the energy (or wavelength)."] = ""
    energy_unit: Annotated[EnergyUnit, "Its unit; a length means a wavelength."] = "auto"
    distance: Annotated[str, "Path of the distance from sample to detector."] = ""
    distance_unit: Annotated[LengthUnit, "Its unit."] = "auto"
    detector_pixel: Annotated[str, "Path of the detector's pixel size."] = ""
    detector_pixel_unit: Annotated[LengthUnit, "Its unit."] = "auto"
