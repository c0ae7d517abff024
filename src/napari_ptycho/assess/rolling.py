"""Resolution from place to place: a Fourier ring correlation in a window that moves."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.assess.blocks import Blocks, Found
from napari_ptycho.assess.plane import Pair, Plane
from napari_ptycho.assess.registration import registered
from napari_ptycho.assess.resolution import KOHO, mean_pixel
from napari_ptycho.errors import OptionsError
from napari_ptycho.model.arrays import Bools, Floats, frozen
from napari_ptycho.options import Options, Range

NYQUIST = 0.5
SHOWN = (2.0, 98.0)  # percentiles at the ends of the colours
COLORMAP = "viridis"


@dataclass(frozen=True)
class MapOptions(Options):
    """How the window moves, and where its correlation counts as fallen."""

    title: ClassVar[str] = "Resolution map"
    source: ClassVar[str] = "Zhao et al. 2023"

    block: Annotated[
        int,
        Range(16, 256, 8, unit="px"),
        "Side of the window in pixels. Of one image twice as many: it is cut into quarters first. "
        "Small windows have few rings and are uncertain.",
    ] = 64
    step: Annotated[
        int,
        Range(1, 64, unit="px"),
        "Pixels from window to window; between them it is interpolated.",
    ] = 8
    threshold: Annotated[
        Literal["1/7", "0.5", "half-bit", "3-sigma"],
        "Where the curve of a window counts as fallen. In small windows 3-sigma is high.",
    ] = "1/7"
    window: Annotated[
        Literal["hamming", "hann", "none"], "What takes the edges of a window away."
    ] = "hamming"
    smoothing: Annotated[
        int, Range(1, 15, 2), "Rings of a moving mean over the curve; 1: none."
    ] = 7
    period: Annotated[
        Literal["full", "half"], "Length of the finest period, or half of it, as many papers print."
    ] = "full"
    register: Annotated[
        bool, "Bring the second image onto the first: shift, ramp, constant and factor."
    ] = True


@dataclass(frozen=True, eq=False)
class ResolutionMap:
    """The finest period that two images agree on, at each pixel."""

    data: Floats
    """(H, W) float64 in `unit`; NaN where it means nothing."""
    name: str
    unit: str
    """"nm" or "px"."""
    pixel_m: Pair | None
    limits: Pair
    """Ends of the colours."""
    median: float
    """Over the windows that have a number."""
    finest: float
    """What the pixels can show at best: a window that never falls has this number."""
    windows: int
    """That were looked at."""
    never: int
    """Of these, that never fall: as fine as pixels can show, or finer."""
    blank: int
    """Of these, without signal: NaN."""
    single: bool
    options: MapOptions
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """Why the numbers may mean nothing."""

    def lines(self) -> list[str]:
        """Return what was found in words: a name and its value, two spaces between."""
        known = max(self.windows, 1)
        return [
            f"median  {self.median:.4g} {self.unit} ({self.options.period} period)",
            f"windows  {self.windows}, one each {self.options.step} px",
            f"never fall  {self.never} ({100 * self.never / known:.0f} %): shown as the limit of "
            f"the pixels, {self.finest:.4g} {self.unit}",
            f"without signal  {self.blank} ({100 * self.blank / known:.0f} %): left blank",
        ]

    def about(self) -> dict[str, Any]:
        """Return how it came about as plain values, for a file."""
        return {
            "resolution_map": {
                "options": self.options.as_dict(),
                "images": 1 if self.single else 2,
                "median": self.median,
                "finest": self.finest,
                "windows": self.windows,
                "never": self.never,
                "blank": self.blank,
                "notes": list(self.notes),
                "warnings": list(self.warnings),
            }
        }


def resolution_map(
    a: Plane, b: Plane | None = None, options: MapOptions | None = None
) -> ResolutionMap:
    """Map the resolution: a Fourier ring correlation in a window that moves.

    Rolling FRC after Zhao et al. 2023, doi:10.1038/s41377-023-01321-0, in batches. Of one image the
    diagonal and the anti-diagonal pair of quarters are correlated, and the number is calibrated
    (Koho et al. 2019, doi:10.1038/s41467-019-11024-z).

    Args:
        a: An image, or one half of the data.
        b: The other half; None takes `a` apart.
        options: How the window moves.

    Raises:
        OptionsError: The images are smaller than a window, cannot be brought onto each other, or no
            window has any signal.
    """
    options = options or MapOptions()
    notes: list[str] = []
    pairs, area = _pairs(a, b, options, notes)
    if min(pairs[0][0].shape) < options.block:
        need = options.block * (1 if b is not None else 2)
        raise OptionsError(
            f"{a.name}: {a.shape[0]} x {a.shape[1]} pixels; a window of {options.block} needs at "
            f"least {need} x {need}: choose a smaller block, or a larger region"
        )
    found = Blocks(area, options).run(pairs)
    periods = _periods(found, b is None)
    sides = a.pixel_m if b is None or a.pixel_m else b.pixel_m
    pixel = mean_pixel(sides, notes)
    scale, unit = (1.0, "px") if pixel is None else (pixel * 1e9, "nm")
    factor = scale * (0.5 if options.period == "half" else 1.0)
    coarse = np.where(found.valid, periods * factor, np.nan)
    if not np.isfinite(coarse).any():
        raise OptionsError(
            f"{a.name}: none of {int(found.looked.sum())} windows agrees above {options.threshold} "
            "anywhere: there is no signal to map, or the images are not of the same thing; choose "
            "another pair, a larger block, or a lower threshold"
        )
    full = _zoomed(coarse, area, options.step)
    if b is None:
        full = full.repeat(2, axis=0).repeat(2, axis=1)
        full[~a.area[: full.shape[0], : full.shape[1]]] = np.nan
    finite = coarse[np.isfinite(coarse)]
    low, high = (float(value) for value in np.percentile(finite, SHOWN))
    return ResolutionMap(
        data=frozen(full, np.float64),
        name=f"resolution: {a.name}" + ("" if b is None else f" and {b.name}"),
        unit=unit,
        pixel_m=sides,
        limits=(low, high if high > low else low * 1.01),
        median=float(np.median(finite)),
        finest=float(_periods(Found.nyquist(), b is None)[0] * factor),
        windows=int(found.looked.sum()),
        never=int((found.never & found.looked).sum()),
        blank=int((found.looked & ~found.valid).sum()),
        single=b is None,
        options=options,
        notes=tuple(notes),
        warnings=_warnings(a, b),
    )


def _pairs(
    a: Plane, b: Plane | None, options: MapOptions, notes: list[str]
) -> tuple[list[tuple[NDArray[Any], NDArray[Any]]], Bools]:
    """Return the pairs to correlate, whose curves are averaged, and where they are known."""
    if b is None:
        h, w = (n // 2 * 2 for n in a.shape)
        if (h, w) != a.shape:
            notes.append(f"the last row or column is left out: {h} x {w} pixels are used")
        image, area = a.data[:h, :w], a.area[:h, :w]
        part = {(i, j): image[i::2, j::2] for i in (0, 1) for j in (0, 1)}
        known = area[0::2, 0::2] & area[1::2, 1::2] & area[0::2, 1::2] & area[1::2, 0::2]
        notes.append(f"one image: a window covers {2 * options.block} of its pixels")
        return [(part[0, 0], part[1, 1]), (part[1, 0], part[0, 1])], known
    if options.register:
        found = registered(a, b)
        notes += found.notes
        return [(found.reference.data, found.image.data)], found.area
    from napari_ptycho.assess.plane import matched

    one, two, said = matched(a, b)
    notes += said
    return [(one.data, two.data)], one.area & two.area


def _periods(found: Found, single: bool) -> Floats:
    """Return full periods in pixels of the image."""
    if not single:
        return np.asarray(1 / found.place)
    a, b, c, d = KOHO
    calibration = a * np.exp(b * (2 * found.place - c)) + d
    return np.asarray(np.maximum(1 / found.place / calibration, 1 / NYQUIST))


def _zoomed(coarse: Floats, area: Bools, step: int) -> Floats:
    """Return values of the windows on all pixels: bilinear, NaN where the nearest window has it."""
    missing = ~np.isfinite(coarse)
    nearest = scipy.ndimage.distance_transform_edt(
        missing, return_distances=False, return_indices=True
    )
    filled = coarse[tuple(nearest)]
    h, w = area.shape
    places = np.meshgrid(np.arange(h) / step, np.arange(w) / step, indexing="ij")
    full = scipy.ndimage.map_coordinates(filled, places, order=1, mode="nearest")
    rows = np.minimum(np.rint(np.arange(h) / step).astype(int), coarse.shape[0] - 1)
    columns = np.minimum(np.rint(np.arange(w) / step).astype(int), coarse.shape[1] - 1)
    return np.where(missing[np.ix_(rows, columns)] | ~area, np.nan, full)


def _warnings(a: Plane, b: Plane | None) -> tuple[str, ...]:
    if b is None and a.processed:
        return (
            f"'{a.name}' was {a.processed}: an FRC of a single image is not valid then. A mere "
            "blur, which can only lose detail, raises it by a third. Map two halves instead.",
        )
    if b is not None and a.processed and b.processed:
        return (
            f"Both images were {a.processed}: what was invented alike in both counts as signal. "
            "Map two halves that were denoised with different seeds.",
        )
    return ()
