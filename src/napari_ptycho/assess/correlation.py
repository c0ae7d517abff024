"""Fourier ring correlation: the frequency up to which two images, or parts of one, agree."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from napari_ptycho.assess.frc_options import THRESHOLDS, FrcOptions
from napari_ptycho.assess.plane import Plane, matched
from napari_ptycho.assess.rectangle import largest_rectangle
from napari_ptycho.assess.resolution import Crossing, Resolution, crossing, mean_pixel, resolutions
from napari_ptycho.assess.rings import Images, Rings, threshold
from napari_ptycho.assess.splits import LEAST_RINGS, correlated
from napari_ptycho.errors import OptionsError
from napari_ptycho.model import Curve
from napari_ptycho.model.arrays import Bools, Floats

if TYPE_CHECKING:
    from napari_ptycho.assess.registration import AlignOptions

NYQUIST, END = 0.5, 0.05  # share of the rings that are "at Nyquist"
FIXED, FEW, ALIKE = 0.3, 32, 1 - 1e-9
SUB, WHOLE = "cycles/sub-image pixel", "cycles/pixel"


@dataclass(frozen=True, eq=False)
class Frc:
    """A Fourier ring correlation, and what it says of the resolution."""

    curve: Curve
    """x from 0 to 0.5: P in cycles per sub-image pixel of one image (its pixels are two wide), f
    in cycles per pixel of two; y smoothed; all `THRESHOLDS` beside it."""
    raw: Floats
    """(K,) y before it was smoothed."""
    rings: Floats
    """(K,) pixels in each ring."""
    single: bool
    """Whether it is of one image, cut into parts, and not of two."""
    crossings: Mapping[str, Crossing]
    """By threshold."""
    at_nyquist: float
    """Mean of the outermost twentieth of the unsmoothed curve."""
    options: FrcOptions
    label: str
    pixel_m: float | None = None
    """Mean of height and width."""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """Why the numbers may mean nothing."""

    def crossing(self, name: str = "") -> Crossing:
        """Return where the curve falls below a threshold; "": the chosen one.

        Raises:
            OptionsError: There is no such threshold.
        """
        name = name or self.options.threshold
        if name not in self.crossings:
            raise OptionsError(
                f"no threshold is called '{name}'; there is {', '.join(self.crossings)}"
            )
        return self.crossings[name]

    def resolutions(self, name: str = "") -> tuple[Resolution, ...]:
        """Return a crossing by all conventions; "": of the chosen threshold.

        Raises:
            OptionsError: There is no such threshold.
        """
        return resolutions(self.crossing(name).first, self.single, self.pixel_m)

    def resolution(self, name: str = "") -> Resolution:
        """Return the resolution by the chosen convention."""
        wanted = self.options.convention
        return next(one for one in self.resolutions(name) if one.name == wanted)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain numbers and words, None where there is no crossing."""
        return {
            "label": self.label,
            "images": 1 if self.single else 2,
            "options": self.options.as_dict(),
            "pixel_m": self.pixel_m,
            "x_unit": self.curve.x_unit,
            "at_nyquist": self.at_nyquist,
            "crossings": {
                name: {
                    "first": one.first,
                    "last": one.last,
                    "words": one.words,
                    "resolutions": [_row(r) for r in self.resolutions(name)],
                }
                for name, one in self.crossings.items()
            },
            "curve": {"x": self.curve.x.tolist(), "y": self.curve.y.tolist()},
            "rings": self.rings.tolist(),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def _row(resolution: Resolution) -> dict[str, Any]:
    return {"name": resolution.name, "value": resolution.value, "unit": resolution.unit}


def frc(
    a: Plane,
    b: Plane | None = None,
    options: FrcOptions | None = None,
    align: "AlignOptions | None" = None,
) -> Frc:
    """Correlate two images with independent noise, or the parts of one, over rings.

    Two images are brought onto each other first; then the largest lit rectangle is cut out, the
    mean is taken away, and a window takes the edges away. Images need not be square: rings are of
    equal frequency.

    Args:
        a: An image.
        b: A second image of the same thing; None cuts `a` into four.
        options: How; `FrcOptions.of(mode)` has what suits a mode.
        align: What of the second image is brought onto the first; None is all, and in siFRC's mode
            nothing.

    Raises:
        OptionsError: The images are too small, or cannot be brought onto each other.
    """
    options = options or FrcOptions()
    notes: list[str] = []
    label = a.name if b is None else f"{a.name} and {b.name}"
    images, area, pixel = _aligned(a, b, options, align, notes)
    cut = _cut(images, area, options, label, notes)
    rings, raw = correlated(cut, options, label)
    single = b is None
    keep = slice(0, -1) if options.mode == "siFRC" else slice(None)  # it drops the last ring
    x, raw, pixels = rings.x[keep], raw[keep], rings.pixels[keep]
    y = _smooth(raw, options.smoothing)
    limits = _limits(rings, options)
    curve = Curve(
        x, y, SUB if single else WHOLE, "FRC", label, {n: v[keep] for n, v in limits.items()}
    )
    start = options.ignore * NYQUIST
    end = max(1, round(END * len(raw)))
    at_nyquist = float(raw[-end:].mean())
    if not single and options.convention not in ("full period", "half period"):
        notes.append(f"the convention '{options.convention}' is for one image only")
    return Frc(
        curve=curve,
        raw=raw,
        rings=pixels,
        single=single,
        crossings={n: crossing(x, y, v, start, n) for n, v in curve.thresholds.items()},
        at_nyquist=at_nyquist,
        options=options,
        label=label,
        pixel_m=mean_pixel(pixel, notes),
        notes=tuple(notes),
        warnings=_warnings(a, b, raw, at_nyquist),
    )


def _aligned(
    a: Plane,
    b: Plane | None,
    options: FrcOptions,
    align: "AlignOptions | None",
    notes: list[str],
) -> tuple[list[Images], Bools, tuple[float, float] | None]:
    """Return the images on the same pixels, where both are known, and their pixel."""
    if b is None:
        return [a.data], a.area, a.pixel_m
    if align is None and options.mode == "siFRC":
        one, two, said = matched(a, b)
        notes += said
        return [one.data, two.data], one.area & two.area, one.pixel_m
    from napari_ptycho.assess.registration import registered

    found = registered(a, b, align)
    notes += found.notes
    return [found.reference.data, found.image.data], found.area, found.reference.pixel_m


def _cut(
    images: list[Images], area: Bools, options: FrcOptions, label: str, notes: list[str]
) -> list[Images]:
    if not options.crop or area.all():
        return images
    rows, columns = largest_rectangle(area)
    h, w = rows.stop - rows.start, columns.stop - columns.start
    if min(h, w) < 2 * LEAST_RINGS:
        raise OptionsError(
            f"{label}: the largest rectangle that is known has {h} x {w} pixels; need "
            f"{2 * LEAST_RINGS} x {2 * LEAST_RINGS}, or all pixels (crop off)"
        )
    notes.append(f"the largest rectangle that is known, {h} x {w} pixels, is used")
    return [image[rows, columns] for image in images]


def _limits(rings: Rings, options: FrcOptions) -> dict[str, Floats]:
    pixels = rings.pixels
    if options.mode == "siFRC":  # its count of pixels is the length of the ring
        pixels = np.maximum(2 * np.pi * np.arange(rings.count), 1.0)
    return {name: threshold(name, pixels) for name in THRESHOLDS}


def _smooth(raw: Floats, width: int) -> Floats:
    if width == 1:
        return raw
    return np.asarray(scipy.ndimage.uniform_filter1d(raw, width, mode="nearest"))


def _warnings(a: Plane, b: Plane | None, raw: Floats, at_nyquist: float) -> tuple[str, ...]:
    said: list[str] = []
    if b is None and a.processed:
        said.append(
            f"'{a.name}' was {a.processed}: an FRC of a single image is not valid then. A mere "
            "blur, which can only lose detail, raises it by a third. Compare two halves instead "
            "(Honest FRC)."
        )
    if b is not None:
        said += _of_pair(a, b, raw, at_nyquist)
    if len(raw) < FEW:
        said.append(f"Only {len(raw)} rings: a crossing is uncertain by a few per cent of Nyquist.")
    return tuple(said)


def _of_pair(a: Plane, b: Plane, raw: Floats, at_nyquist: float) -> list[str]:
    if (raw > ALIKE).all():
        return ["The two images are the same: their FRC is 1 whatever they show."]
    said = []
    if a.processed and b.processed:
        said.append(
            f"Both images were {a.processed}: what was invented alike in both counts as signal. "
            "Compare two halves that were denoised with different seeds (Honest FRC)."
        )
    if at_nyquist > FIXED:
        said.append(
            f"At Nyquist the FRC is still {at_nyquist:.2f}: either there is detail as fine as the "
            "pixels, or both images share something that is no object, such as a fixed pattern of "
            "the detector, errors of the probe, or a filter."
        )
    return said
