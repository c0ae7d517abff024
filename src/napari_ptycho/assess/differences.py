"""What one image has more or less than another, pixel by pixel, with its sign."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from napari_ptycho.assess.plane import Pair, Plane
from napari_ptycho.assess.registration import AlignOptions, Registered, registered
from napari_ptycho.errors import OptionsError
from napari_ptycho.model.arrays import Bools, Floats, frozen

Kind = Literal["absolute", "relative", "sigma"]
Part = Literal["phase", "amplitude"]
SPAN = (1.0, 99.0)  # percentiles: a hot pixel is no contrast
SHOWN = 99.0  # percentile of |difference| at the ends of the colours
COLORMAP = "RdBu_r"


@dataclass(frozen=True)
class DifferenceOptions(AlignOptions):
    """What is removed before, and in which units the rest is told."""

    title: ClassVar[str] = "Difference"

    scale: Annotated[
        bool,
        "Remove a factor. Off by default: a phase has no free factor, and a denoiser that lowers "
        "the contrast should be seen to.",
    ] = False
    kind: Annotated[
        Kind,
        "absolute: in the unit of the images; relative: in percent of the reference's span, from "
        "its 1st to its 99th percentile; sigma: in standard deviations of the noise.",
    ] = "absolute"
    of: Annotated[
        Part, "Of complex images: the difference of the phases (wrapped), or of the amplitudes."
    ] = "phase"


@dataclass(frozen=True, eq=False)
class Difference:
    """image - reference."""

    data: Floats
    """(H, W) float64 in `unit`; NaN where one of both is not known."""
    name: str
    unit: str
    """"rad", "%", "σ", or "" for values without a unit."""
    limits: Pair
    """Ends of the colours: symmetric, 99 % of the pixels within."""
    rms: float
    mean: float
    largest: float
    """With its sign."""
    at: tuple[int, int]
    """(y, x) of the largest, in pixels of the map."""
    options: DifferenceOptions
    aligned: Registered
    notes: tuple[str, ...] = ()

    @property
    def pixel_m(self) -> Pair | None:
        """Pixel (height, width) in metres, None where unknown."""
        return self.aligned.reference.pixel_m

    def lines(self) -> list[str]:
        """Return what was found in words: a name and its value, two spaces between."""
        unit = f" {self.unit}" if self.unit else ""
        return [
            f"rms  {self.rms:.4g}{unit}, mean {self.mean:.3g}{unit}",
            f"largest  {self.largest:.4g}{unit} at row {self.at[0]}, column {self.at[1]}",
            f"colours  ± {self.limits[1]:.3g}{unit}: 99 % of the pixels",
            *alignment_lines(self.aligned, self.options),
        ]

    def about(self) -> dict[str, Any]:
        """Return how it came about as plain values, for a file."""
        found = self.aligned
        return {
            "difference": {
                "image": found.image.name,
                "reference": found.reference.name,
                "options": self.options.as_dict(),
                "rms": self.rms,
                "largest": self.largest,
                "shift_px": list(found.shift_px),
                "ramp_per_px": list(found.ramp_rad),
                "scale": abs(found.scale),
                "offset": found.offset,
                "notes": list(self.notes),
            }
        }


def difference(
    image: Plane,
    reference: Plane,
    options: DifferenceOptions | None = None,
    halves: tuple[Plane, Plane] | None = None,
) -> Difference:
    """Subtract a reference from an image after bringing the image onto it.

    Args:
        image: What is looked at.
        reference: What is subtracted.
        options: What is removed before, and the units.
        halves: Two halves of the data of the reference: they tell its noise, for "sigma". Without
            them it is estimated from the finest diagonal details (Donoho & Johnstone 1994).

    Raises:
        OptionsError: The images cannot be brought onto each other, or there is no noise to measure
            with, or no span.
    """
    options = options or DifferenceOptions()
    found = registered(reference, image, options)
    inside, notes = found.area, list(found.notes)
    level, rest = _parts(found.reference.data, found.image.data, inside, options)
    unit = _unit(reference, options)
    if options.kind == "relative":
        low, high = np.percentile(level[inside], SPAN)
        _positive(float(high - low), reference, "the span between its percentiles 1 and 99")
        rest = rest * (100 / float(high - low))
        notes.append(f"100 % is the reference's span from percentile 1 to 99, {high - low:.4g}")
        unit = "%"
    elif options.kind == "sigma":
        sigma, how = _sigma(level, inside, options, halves)
        _positive(sigma, reference, "its noise")
        rest = rest / sigma
        notes.append(f"1 σ is {sigma:.4g}{' ' if unit else ''}{unit}: {how}")
        if reference.processed and halves is None:
            notes.append(f"the reference was {reference.processed}: its noise is hardly any")
        unit = "σ"
    values = rest[inside]
    size = np.abs(values)
    top = float(np.percentile(size, SHOWN)) or float(size.max()) or 1.0
    full = np.where(inside, rest, np.nan)
    index = np.unravel_index(int(np.nanargmax(np.abs(full))), full.shape)
    return Difference(
        data=frozen(full, np.float64),
        name=f"difference: {image.name} - {reference.name}",
        unit=unit,
        limits=(-top, top),
        rms=float(np.sqrt(np.mean(values**2))),
        mean=float(values.mean()),
        largest=float(full[index]),
        at=(int(index[0]), int(index[1])),
        options=options,
        aligned=found,
        notes=tuple(notes),
    )


def alignment_lines(found: Registered, options: AlignOptions) -> list[str]:
    """Return what was removed, in words; nothing of what was not to be removed."""
    waves = found.reference.data.dtype.kind == "c"
    unit = "rad" if waves or found.reference.channel == "phase" else ""
    parts = {
        "shift": f"{found.shift_px[0]:+.3f}, {found.shift_px[1]:+.3f} px (y, x)",
        "phase": f"{found.offset:+.4g} {unit}".rstrip(),
        "ramp": f"{found.ramp_rad[0]:+.3g}, {found.ramp_rad[1]:+.3g} {unit}/px (y, x)",
        "scale": f"× {abs(found.scale) if waves else found.scale.real:.4g}",
    }
    words = {"shift": "shift", "phase": "constant", "ramp": "ramp", "scale": "factor"}
    return [f"{words[name]}  {text}" for name, text in parts.items() if getattr(options, name)]


def _parts(
    reference: Any, image: Any, inside: Bools, options: DifferenceOptions
) -> tuple[Floats, Floats]:
    """Return the real reference, and the signed difference."""
    if reference.dtype.kind != "c":
        return reference, image - reference
    if options.of == "amplitude":
        return np.abs(reference), np.abs(image) - np.abs(reference)
    turn = np.exp(-1j * np.angle(reference[inside].sum()))
    return np.angle(reference * turn), np.angle(image * reference.conj())


def _unit(reference: Plane, options: DifferenceOptions) -> str:
    waves = reference.data.dtype.kind == "c"
    return "rad" if (options.of if waves else reference.channel) == "phase" else ""


def _sigma(
    level: Floats, inside: Bools, options: DifferenceOptions, halves: tuple[Plane, Plane] | None
) -> tuple[float, str]:
    from napari_ptycho.denoise.noise import noise_sigma, pair_sigma

    if halves is None:
        return noise_sigma(level, inside), "the reference's noise by its finest details"
    pair = registered(*halves, options)
    one, rest = _parts(pair.reference.data, pair.image.data, pair.area, options)
    whole = pair_sigma(one, one + rest, pair.area) / np.sqrt(2)  # twice the photons
    return float(whole), f"from the halves {halves[0].name} and {halves[1].name}"


def _positive(value: float, reference: Plane, what: str) -> None:
    if not value > 0:
        raise OptionsError(
            f"{reference.name}: {what} is 0, so nothing can be told in units of it; "
            "use the kind 'absolute'"
        )
