"""Brings one image onto another, so that what is left between them is not where or how they lie."""

from dataclasses import dataclass, replace

from napari_ptycho.assess.pairing import LEAST_PX, AlignOptions, Pairing, ratio
from napari_ptycho.assess.plane import Pair, Plane, matched
from napari_ptycho.errors import OptionsError
from napari_ptycho.model.arrays import Bools, Floats, frozen

__all__ = ["AlignOptions", "Registered", "registered"]


@dataclass(frozen=True, eq=False)
class Registered:
    """Two images on the same pixels: scale * ramp * shifted image, as close to the reference."""

    reference: Plane
    image: Plane
    """Brought onto the reference: same shape, same pixel."""
    area: Bools
    """(H, W) bool, where both are known."""
    shift_px: Pair
    """Applied shift (y, x) in pixels."""
    ramp_rad: Pair
    """Applied ramp (y, x) in rad per pixel, about the middle; of real images in their unit per
    pixel."""
    scale: complex
    """Applied factor; of complex images with the global phase in it."""
    offset: float
    """Added constant; of complex images the global phase in rad."""
    error: float
    """Root of sum |reference - image|^2 over that of the reference (real: without its mean)."""
    notes: tuple[str, ...] = ()


def registered(reference: Plane, image: Plane, options: AlignOptions | None = None) -> Registered:
    """Bring an image onto a reference.

    Coarse shift by cross-correlation (Guizar-Sicairos, Thurman & Fienup 2008, doi:10.1364/
    OL.33.000156), then Gauss-Newton steps for all that may be removed at once, by least squares
    over the pixels that are known in both. Complex images: shift, phase ramp, complex factor. Real
    ones: shift, slope, factor, constant.

    Args:
        reference: What stays as it is.
        image: What is moved. Images of other pixels are resampled first: `matched`.
        options: What may be removed; all of it by default.

    Raises:
        OptionsError: One is complex and the other is not, or hardly a pixel is known in both.
    """
    options = options or AlignOptions()
    kinds = {plane.data.dtype.kind for plane in (reference, image)}
    if len(kinds) > 1:
        raise OptionsError(
            f"{reference.name} ({reference.channel}) and {image.name} ({image.channel}): one is "
            "complex and the other real; need the same channel of both"
        )
    reference, image, notes = matched(reference, image)
    pixel = reference.pixel_m or image.pixel_m
    _check_common(reference, image, reference.area & image.area)
    pairing = Pairing(reference.data, image.data, (reference.area, image.area), options)
    fit = pairing.best()
    area = pairing.common(fit.shift)
    _check_common(reference, image, area)
    data = pairing.applied(image.data, fit)
    target, rest = reference.data[area], (reference.data - data)[area]
    level = target if pairing.complex else target - target.mean()
    return Registered(
        reference=replace(reference, pixel_m=pixel),
        image=replace(image, data=data, area=area, pixel_m=pixel),
        area=frozen(area, bool),
        shift_px=_pair(fit.shift),
        ramp_rad=_pair(fit.ramp),
        scale=fit.scale,
        offset=fit.offset,
        error=ratio(rest, level),
        notes=notes,
    )


def _pair(values: Floats) -> Pair:
    return float(values[0]), float(values[1])


def _check_common(reference: Plane, image: Plane, area: Bools) -> None:
    if area.sum() < LEAST_PX:
        raise OptionsError(
            f"{reference.name} and {image.name}: {int(area.sum())} pixels are known in both; "
            f"need at least {LEAST_PX}"
        )
