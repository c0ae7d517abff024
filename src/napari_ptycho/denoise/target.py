"""What a network is taught: an image, its copies and its reference in the network's units."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.denoise.grid import grid_db
from napari_ptycho.denoise.noise import is_white, noise_sigma, pair_sigma
from napari_ptycho.denoise.result import Image, Units
from napari_ptycho.errors import OptionsError
from napari_ptycho.model.arrays import Bools, Floats

LEAST_PX = 8
BEYOND = 3.5  # standard deviations of the noise by which it reaches beyond the image
SMALLEST = 3.0  # of them that the image itself must span for limits to make sense
SPAN = (0.5, 99.5)  # percentiles of an image between which its span is taken
Parts = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Target:
    """Images (C, H, W) in the network's units: one channel, or real and imaginary part."""

    copies: Parts
    """(n, C, H, W): the image; and half of its photons, where halves tell when to stop."""
    second: Parts | None
    """(C, H, W) a copy whose noise is independent of the image's, or of the half's."""
    reference: Parts | None
    """(C, H, W) truth to compare with."""
    weight: Parts
    """(H, W) how much each pixel counts, 0 where it is not known; mean 1."""
    units: Units
    sigma: float
    """Noise of the image, in its units (of a complex one: of a part)."""
    span: float
    """Data range of the PSNR, in units of the image."""

    @property
    def limits(self) -> Parts | None:
        """(2, C, 1, 1) between which the image lies but for its noise; None if it is all noise."""
        return _extremes(self.image, self.weight > 0, self.sigma / self.units.scale)

    @property
    def image(self) -> Parts:
        """(C, H, W) the image itself."""
        image: Parts = self.copies[0]
        return image

    @property
    def scale(self) -> float:
        """Root mean square of the channels' scales: from the network's units to the image's."""
        return float(np.sqrt(np.mean(np.square(self.units.scale))))

    def decibel(self, error: Any) -> Any:
        """Return the PSNR of mean squared errors in the network's units."""
        error = np.maximum(np.asarray(error, np.float64) * self.scale**2, 1e-30)
        return 10 * np.log10(self.span**2 / error)

    @property
    def noise_db(self) -> float:
        """Fidelity to the input that an image without any noise would have."""
        return float(10 * np.log10(self.span**2 / max(self.sigma**2, 1e-30)))

    @property
    def is_white(self) -> bool:
        """Whether pixels do not share their noise, in any channel."""
        known = self.weight > 0
        return all(is_white(channel, known) for channel in self.image)

    def grid_db(self, output: Parts) -> dict[int, float]:
        """Return the grid score of what an output (C, H, W) takes away; the worst channel."""
        rest = np.where(self.weight > 0, self.image - output, 0)
        scores = [grid_db(channel) for channel in rest]
        return {period: max(score[period] for score in scores) for period in scores[0]}


def checked(image: Any, name: str = "image") -> Image:
    """Return an image as float32 or complex64.

    Raises:
        OptionsError: It is no image: not two-dimensional, too small, not finite, or constant.
    """
    array = np.asarray(image)
    if array.dtype.kind not in "buifc" or array.ndim != 2:
        raise OptionsError(
            f"{name}: {array.dtype} of shape {array.shape}; need numbers of shape (H, W)"
        )
    if min(array.shape) < LEAST_PX:
        raise OptionsError(
            f"{name}: {array.shape[0]} x {array.shape[1]} pixels; need at least {LEAST_PX} a side: "
            "take a larger region"
        )
    array = array.astype(np.complex64 if array.dtype.kind == "c" else np.float32)
    lost = int((~np.isfinite(array)).sum())
    if lost:
        raise OptionsError(
            f"{name}: {lost} of {array.size} pixels are no finite numbers (NaN or infinite); "
            "replace them first"
        )
    if np.ptp(array.real) == 0 and np.ptp(array.imag) == 0:
        raise OptionsError(
            f"{name}: all pixels are {array.flat[0]:g}; there is nothing to denoise: choose "
            "another image"
        )
    return array


@dataclass(frozen=True, eq=False)
class Beside:
    """What may be known beside an image: (H, W) each, or None."""

    reference: Any = None
    """Truth, for the PSNR only."""
    second: Any = None
    """A copy whose noise is independent of the image's, or of the half's."""
    half: Any = None
    """The image from half of its photons, when `second` is from the other half."""
    weight: Any = None
    """How well each pixel is known."""

    @classmethod
    def of(cls, reference: Any, second: Any, weight: Any) -> "Beside":
        """Return what is given; `second` is an image, or a tuple of two halves."""
        half, second = second if isinstance(second, tuple) else (None, second)
        return cls(reference, second, half, weight)

    def part(self, box: tuple[slice, slice]) -> "Beside":
        """Return a part of all of them."""
        images = (self.reference, self.second, self.half, self.weight)
        return Beside(*(None if image is None else image[box] for image in images))


def prepare(
    image: Any,
    beside: Beside | None = None,
    settings: tuple[str, float, float] = ("z-score", 0.0, 0.0),
) -> Target:
    """Return what a network is taught.

    Args:
        image: (H, W) real or complex.
        beside: What is known beside it.
        settings: Scaling ("z-score" or "0-1"), known noise and known data range (0: unknown).

    Raises:
        OptionsError: These are no images, or they do not fit together.
    """
    scaling, sigma, span = settings
    beside = beside or Beside()
    first = checked(image)
    if beside.half is not None and beside.second is None:
        raise OptionsError("half: it needs the other half as second copy")
    half, second, truth = (
        None if other is None else _parts(_like(other, first, name))
        for name, other in (
            ("half", beside.half),
            ("second copy", beside.second),
            ("reference", beside.reference),
        )
    )
    share = _weight(beside.weight, first.shape)
    known = share > 0
    parts = _parts(first)
    noise = sigma or _sigma(parts, half, second, known)
    extremes = _extremes(parts, known, noise) if scaling == "0-1" else None
    zero, scale = _units(parts, share)
    if extremes is not None:
        zero, scale = extremes[0], extremes[1] - extremes[0]
    # a channel without any contrast (a real image given as complex) is learnt as it is
    scale = np.where(scale > 0, scale, np.float32(max(float(scale.max()), 1e-30)))
    copies = [parts] if half is None else [parts, half]
    return Target(
        copies=np.stack([(copy - zero) / scale for copy in copies]),
        second=None if second is None else (second - zero) / scale,
        reference=None if truth is None else (truth - zero) / scale,
        weight=share,
        units=Units(zero, scale) if known.all() else Units(zero, scale, first, known),
        sigma=noise,
        span=span or _span(parts if truth is None else truth, known, truth is not None),
    )


def _like(image: Any, first: Image, name: str) -> Image:
    array = checked(image, name)
    if array.shape != first.shape:
        raise OptionsError(
            f"{name}: {array.shape} pixels but the image has {first.shape}; give one of the same "
            "shape"
        )
    if array.dtype != first.dtype:
        kinds = {True: "complex", False: "real"}
        raise OptionsError(
            f"{name}: {kinds[array.dtype.kind == 'c']} but the image is "
            f"{kinds[first.dtype.kind == 'c']}; compare phase with phase, amplitude with amplitude"
        )
    return array


def _weight(weight: Any, shape: tuple[int, ...]) -> Parts:
    if weight is None:
        return np.ones(shape, np.float32)
    share = np.asarray(weight, np.float32)
    if share.shape != shape or not np.isfinite(share).all() or share.min() < 0:
        raise OptionsError(f"weight: shape {share.shape}; need {shape}, finite and not negative")
    if share.max() <= 0:
        raise OptionsError("weight: it is 0 everywhere; some pixel must count")
    return share / share.mean()


def _parts(image: Image) -> Parts:
    """Return the channels (C, H, W) of an image."""
    channels = [image.real, image.imag] if image.dtype.kind == "c" else [image]
    return np.stack(channels).astype(np.float32)


def _extremes(parts: Parts, known: Bools, noise: Any) -> Parts | None:
    """Return (2, C, 1, 1) between which the channels lie but for their noise; None if all is noise.

    Args:
        parts: (C, H, W).
        known: (H, W) where to look.
        noise: Standard deviation, one number or (C, 1, 1).
    """
    inside = parts[:, known]
    low, high = inside.min(axis=1)[:, None, None], inside.max(axis=1)[:, None, None]
    low, high = low + BEYOND * noise, high - BEYOND * noise
    if (high - low < SMALLEST * noise).any():
        return None
    return np.stack([low, high]).astype(np.float32)


def _units(parts: Parts, share: Parts) -> tuple[Parts, Parts]:
    """Return mean and spread of the channels, (C, 1, 1) each."""
    total = float(share.sum(dtype=np.float64))
    zero = (parts * share).sum(axis=(1, 2), dtype=np.float64)[:, None, None] / total
    rest = parts - zero.astype(np.float32)
    scale = np.sqrt((rest**2 * share).sum(axis=(1, 2), dtype=np.float64) / total)
    return zero.astype(np.float32), scale[:, None, None].astype(np.float32)


def _sigma(parts: Parts, half: Parts | None, second: Parts | None, known: Bools) -> float:
    if second is None:
        found = [noise_sigma(channel, known) for channel in parts]
        return float(np.sqrt(np.mean(np.square(found))))
    one = parts if half is None else half
    found = [pair_sigma(a, b, known) for a, b in zip(one, second, strict=True)]
    sigma = float(np.sqrt(np.mean(np.square(found))))
    return sigma if half is None else sigma / np.sqrt(2)


def _span(parts: Parts, known: Bools, exact: bool) -> float:
    """Return the span of an image: 1 if it lies between 0 and 1, as the papers take it."""
    values: Floats = parts[:, known].astype(np.float64)
    low, high = (0.0, 100.0) if exact else SPAN
    ends = np.percentile(values, (low, high), axis=1)
    if exact and len(parts) == 1 and ends[0, 0] >= 0 and ends[1, 0] <= 1:
        return 1.0
    return float(np.sqrt(np.mean((ends[1] - ends[0]) ** 2))) or 1.0
