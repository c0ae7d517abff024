"""What `cut_detector` would do, before it is done."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.model import Scan
from napari_ptycho.model.geometry import Pair
from napari_ptycho.prepare.bad_pixels import dead_pixels, hot_pixels
from napari_ptycho.prepare.cutting import blocks, coarser, windowed
from napari_ptycho.prepare.detector import DetectorOptions, fft_size, find_window
from napari_ptycho.prepare.survey import survey
from napari_ptycho.prepare.text import length, plural

GOOD, MASKED, HOT, DEAD, SATURATED = range(5)
MOSTLY = 0.5


@dataclass(frozen=True, eq=False)
class DetectorReport:
    """Frames before and after."""

    shape: tuple[int, int]
    """Rows and columns of the new frames."""
    centre: Pair
    """Zero frequency (row, column) in the frames as they are; the middle of the cut."""
    pixel_m: tuple[Pair | None, Pair | None]
    """Object pixel (height, width) before and after."""
    flags: NDArray[np.uint8]
    """(H, W) of the frames as they are: 0 good, 1 masked, 2 hot, 3 dead, 4 saturated somewhere."""
    masked: float
    """Share of the new frames that is not valid; saturated pixels, in some frames, not counted."""
    frames: int
    """Number of frames that were looked at."""

    def lines(self) -> tuple[str, ...]:
        """Describe it, a line each."""
        before, after = (_pixel(pixel) for pixel in self.pixel_m)
        found = [
            plural(int((self.flags == flag).sum()), f"{name} pixel")
            for flag, name in ((HOT, "hot"), (DEAD, "dead"), (SATURATED, "saturated"))
            if (self.flags == flag).any()
        ]
        lines = [
            f"pattern  {self.shape[0]} x {self.shape[1]}",
            f"centre  {self.centre[0]:.1f}, {self.centre[1]:.1f}",
            f"object pixel  {after}" + (f" (was {before})" if before != after else ""),
            f"masked  {self.masked:.2%}",
        ]
        return (*lines, f"found  {', '.join(found)}") if found else tuple(lines)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful."""
        found = []
        if self.masked > MOSTLY:
            found.append("More than half is masked; is the mask inverted, or the centre wrong?")
        slow = [side for side in self.shape if fft_size(side) != side]
        if slow:
            found.append(
                f"Fourier transforms of {slow[0]} pixels are slow; {fft_size(slow[0])} are quick."
            )
        return tuple(found)


def detector_report(scan: Scan, options: DetectorOptions) -> DetectorReport:
    """Tell what `cut_detector` would make of a scan; of a lazy one, a sample is looked at.

    Raises:
        PtychoError: As `cut_detector`.
    """
    seen, (window, _) = survey(scan), find_window(scan, options)
    flags = np.where(seen.seen > 0, GOOD, MASKED).astype(np.uint8)
    if options.saturation:
        flags[(seen.highest >= options.saturation) & (flags == GOOD)] = SATURATED
    if options.hot:
        flags[hot_pixels(seen, options.hot)] = HOT
    if options.dead:
        flags[dead_pixels(seen)] = DEAD
    good = windowed(np.isin(flags, (GOOD, SATURATED)), window.start, window.size)
    kept = blocks(good, window.rebin).all(axis=(-3, -1))
    geometry = coarser(scan.geometry, window.rebin)
    return DetectorReport(
        shape=window.shape,
        centre=window.centre,
        pixel_m=(scan.pixel_size_m, geometry.pixel_size_m(window.shape)),
        flags=flags,
        masked=1 - float(kept.mean()),
        frames=seen.frames,
    )


def _pixel(pixel: Pair | None) -> str:
    if pixel is None:
        return "unknown"
    height, width = (length(side, "m") for side in pixel)
    return height if height == width else f"{height} x {width}"
