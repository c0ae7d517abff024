"""The detector's frames, made fit: centred, cropped, rebinned, bad pixels masked."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from napari_ptycho.options import Options, Range


@dataclass(frozen=True)
class DetectorOptions(Options):
    """How the frames of a scan are cut out and masked; the defaults change nothing."""

    title: ClassVar[str] = "Detector"

    centre: Annotated[
        Literal["as read", "auto", "given"],
        "Where zero frequency is: the middle, the centroid of the mean frame, or given below.",
    ] = "as read"
    centre_y: Annotated[float, Range(0, 100_000, 1), "Row of zero frequency, if given."] = 0.0
    centre_x: Annotated[float, Range(0, 100_000, 1), "Column of zero frequency, if given."] = 0.0
    size: Annotated[
        int, Range(0, 16_384, 16), "Side of the square that is cut out, in pixels; 0: as it is."
    ] = 0
    rebin: Annotated[int, Range(1, 16), "Sum blocks of so many by so many pixels."] = 1
    hot: Annotated[
        float,
        Range(0, 1e6, 1),
        "Mask pixels whose mean is so many times that of their neighbours; 0: none.",
    ] = 0.0
    dead: Annotated[bool, "Mask pixels that count nothing while their neighbours do."] = False
    saturation: Annotated[
        float, Range(0, 1e12, 1000), "From this count on a pixel is not measured; 0: no limit."
    ] = 0.0
