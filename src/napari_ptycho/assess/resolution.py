"""From the place where a curve falls to a resolution: the conventions, each by its name."""

import math
from dataclasses import dataclass

import numpy as np

from napari_ptycho.assess.frc_options import CONVENTIONS
from napari_ptycho.model.arrays import Floats

KOHO = (0.95988146, 13.90441896, 0.97979108, 0.55146136)


@dataclass(frozen=True)
class Crossing:
    """Where a curve falls below a threshold."""

    first: float | None
    """The first place, in units of the curve's x; None if there is none."""
    last: float | None
    """The last place where it falls; the same as the first for a curve that falls once."""
    words: str
    """The same in words."""


@dataclass(frozen=True)
class Resolution:
    """A number for how fine the finest detail is, and what it means."""

    name: str
    """"P" or "f", "cycles/pixel", or one of `CONVENTIONS`."""
    value: float | None
    """None where there is no crossing, or the convention is not for such a curve."""
    unit: str
    formula: str
    help: str

    def text(self) -> str:
        """Return value and unit, or a dash."""
        if self.value is None:
            return "–"
        return f"{self.value:.4g} {self.unit}".strip()


def crossing(x: Floats, y: Floats, limit: Floats, start: float, name: str) -> Crossing:
    """Find where a curve falls below a threshold, by linear interpolation.

    Args:
        x: (K,) frequencies, rising.
        y: (K,) the curve.
        limit: (K,) the threshold.
        start: Falls below this frequency do not count.
        name: Of the threshold, for the words.
    """
    above = y - limit
    falls = np.flatnonzero((above[:-1] > 0) & (above[1:] <= 0))
    places = x[falls] + (x[falls + 1] - x[falls]) * above[falls] / (above[falls] - above[falls + 1])
    places = places[places >= start]
    if not len(places):
        counted = above[x >= start]
        always = bool(counted.size and (counted > 0).mean() > 0.5)
        side = "stays above" if always else "is never above"
        return Crossing(None, None, f"no crossing: the curve {side} {name}")
    first, last = float(places[0]), float(places[-1])
    words = f"falls below {name} at {first:.4f}"
    if len(places) > 1:
        words += f", for the last of {len(places)} times at {last:.4f}"
    if above[-1] > 0:
        words += ", and is above it again at the end"
    return Crossing(first, last, words)


def mean_pixel(pixel_m: tuple[float, float] | None, notes: list[str]) -> float | None:
    """Return the mean of a pixel's height and width in metres; note it where they differ."""
    if pixel_m is None:
        return None
    if not math.isclose(*pixel_m, rel_tol=1e-2):
        notes.append("the pixels are not square: lengths are by the mean of height and width")
    return math.sqrt(pixel_m[0] * pixel_m[1])


def koho(rho: float) -> float:
    """Return the calibration g of a single-image FRC (Koho et al. 2019; miplib's constants).

    Args:
        rho: Crossing as a share of the sub-image's Nyquist frequency: 2 P.
    """
    a, b, c, d = KOHO
    return a * math.exp(b * (rho - c)) + d


def resolutions(place: float | None, single: bool, pixel_m: float | None) -> tuple[Resolution, ...]:
    """Return a crossing by all conventions.

    Args:
        place: Of one image P in cycles per sub-image pixel (which is two pixels wide), of two
            images f in cycles per pixel; None if there is none.
        single: Whether it is of one image.
        pixel_m: Pixel in metres; lengths are in nm then, else in pixels.
    """
    scale, unit = (1.0, "px") if pixel_m is None else (pixel_m * 1e9, "nm")
    factors = (
        _single(place) if single else {"full period": (1.0, "px/f"), "half period": (0.5, "px/2f")}
    )
    frequency = None if place is None else (place / 2 if single else place)
    sub = "cycles per sub-image pixel" if single else "cycles per pixel"
    found = [
        Resolution("P" if single else "f", place, "", "", f"where the curve falls, in {sub}"),
        Resolution("cycles/pixel", frequency, "", "P/2" if single else "", "of the whole image"),
    ]
    for name, meaning in CONVENTIONS.items():
        factor, formula = factors.get(name, (None, "for one image only"))
        value = None if place is None or factor is None else factor * scale / place
        found.append(Resolution(name, value, unit, formula, meaning))
    return tuple(found)


def _single(place: float | None) -> dict[str, tuple[float, str]]:
    calibrated = 1.0 if place is None else 1 / koho(2 * place)
    return {
        "full period": (2.0, "2 px/P"),
        "half period": (1.0, "px/P"),
        "paper": (1.0, "px/P"),
        "siFRC README": (math.sqrt(2), "√2 px/P"),
        "Koho": (calibrated, "(px/P)/g"),
    }
