"""Profiles: values along a line, and over the rings around a point."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.assess.plane import Pair, Plane
from napari_ptycho.errors import OptionsError
from napari_ptycho.model import Curve
from napari_ptycho.model.arrays import Floats
from napari_ptycho.options import Options, Range

LEAST_SHARE = 0.25
WIDEST_PX = 200


@dataclass(frozen=True)
class ProfileOptions(Options):
    """What a profile follows."""

    title: ClassVar[str] = "Profile"

    kind: Annotated[
        Literal["line", "radial"],
        "line: along a line; radial: over the rings around a point, such as a star's middle.",
    ] = "line"
    width: Annotated[
        int, Range(1, WIDEST_PX, unit="px"), "Of a line: mean over so many pixels across it."
    ] = 1
    show: Annotated[
        Literal["mean", "spread"],
        "Of rings: mean with its spread as a band, or the spread (standard deviation along the "
        "ring) by itself: how far a star's spokes are still apart.",
    ] = "mean"


@dataclass(frozen=True, eq=False)
class Profile:
    """Values over the rings around a point."""

    mean: Curve
    """Mean of each ring over its radius."""
    spread: Curve
    """Standard deviation along each ring."""
    pixels: Floats
    """(K,) pixels in each ring."""


def line_profile(plane: Plane, start: Pair, end: Pair, width: int = 1) -> Curve:
    """Return the values along a line, by linear interpolation, a pixel apart.

    NaN where the image is not known, or where the line leaves it. Where pixels are not square,
    lengths and the direction across the line are those of the object.

    Args:
        plane: A real image.
        start: (y, x) in pixels of the image.
        end: (y, x).
        width: Mean over so many pixels across the line.

    Raises:
        OptionsError: The image is complex, the line has no length, or the width is below one.
    """
    values = _real(plane)
    first, last = np.array(start, float), np.array(end, float)
    length = float(np.hypot(*(last - first)))
    if length < 1 or width < 1:
        raise OptionsError(
            f"a line of {length:.2g} pixels, {width} wide; need at least 1 pixel each"
        )
    sides, unit = _sides(plane)
    n = int(np.ceil(length + 1))
    along = first[:, None] + (last - first)[:, None] * np.linspace(0, 1, n)
    across = np.array((last[1] - first[1], first[0] - last[0])) * sides[::-1] / sides
    across *= 1 / np.hypot(*across)
    offsets = np.arange(width) - (width - 1) / 2
    places = along[:, None, :] + across[:, None, None] * offsets[None, :, None]
    found = scipy.ndimage.map_coordinates(values, places, order=1, mode="constant", cval=np.nan)
    x = np.linspace(0, float(np.hypot(*((last - first) * sides))), n)
    return Curve(x, _mean(found), unit, _unit(plane), plane.name)


def radial_profile(plane: Plane, centre: Pair, r_max: float | None = None) -> Profile:
    """Return mean and spread over the rings around a point, each a pixel wide.

    The spread along the rings of a Siemens star is its modulation at the period that its spokes
    have there (Erin et al. 2025, doi:10.1088/1742-6596/3010/1/012172, Fig. 1f).

    Args:
        plane: A real image.
        centre: (y, x) in pixels of the image.
        r_max: Radius of the last ring, in pixels (the smaller side of one that is not square); by
            default the distance to the nearest border, at least a quarter of the shorter side.

    Raises:
        OptionsError: The image is complex, or nothing of it lies around the point.
    """
    values = _real(plane)
    sides, unit = _sides(plane)
    step = float(sides.min())
    middle = np.array(centre, float)
    h, w = plane.shape
    if r_max is None:
        gaps = np.array((middle, np.array((h - 1, w - 1)) - middle)) * sides / step
        r_max = max(float(gaps.min()), LEAST_SHARE * min(h, w))
    rings = int(np.floor(r_max)) + 1
    y, x = (
        (np.arange(n) - at) * side / step for n, at, side in zip((h, w), middle, sides, strict=True)
    )
    ring = (np.sqrt((y**2)[:, None] + (x**2)[None, :]) + 0.5).astype(np.intp)
    inside = (ring < rings) & plane.area
    if not inside.any():
        raise OptionsError(
            f"{plane.name}: nothing is known within {r_max:.4g} pixels of row {middle[0]:.4g}, "
            f"column {middle[1]:.4g}; put the point onto the image"
        )
    number, value = ring[inside], values[inside]
    pixels = np.bincount(number, minlength=rings).astype(np.float64)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(number, value, rings) / pixels
        spread = np.sqrt(np.bincount(number, (value - mean[number]) ** 2, rings) / pixels)
    places = np.asarray(np.arange(rings) * step, np.float64)
    return Profile(
        Curve(places, mean, unit, _unit(plane), plane.name),
        Curve(places, spread, unit, _unit(plane), plane.name),
        pixels,
    )


def _real(plane: Plane) -> NDArray[Any]:
    """Return the values, NaN where the image is not known."""
    if plane.data.dtype.kind == "c":
        raise OptionsError(
            f"{plane.name} is complex; a profile needs real values: take its phase or amplitude"
        )
    return np.where(plane.area, plane.data, np.nan)


def _sides(plane: Plane) -> tuple[Floats, str]:
    """Return height and width of a pixel in nm (or pixels), and that unit."""
    if plane.pixel_m is None:
        return np.ones(2), "px"
    return np.array(plane.pixel_m) * 1e9, "nm"


def _unit(plane: Plane) -> str:
    return "rad" if plane.channel == "phase" else ""


def _mean(values: NDArray[Any]) -> Floats:
    """Return the mean over the first axis of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    total, count = np.where(known, values, 0).sum(axis=0), known.sum(axis=0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
