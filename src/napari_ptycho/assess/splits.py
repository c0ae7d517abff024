"""Which spectra are correlated: two images, or the parts one image is cut into."""

from collections.abc import Mapping, Sequence

import numpy as np
import scipy

from napari_ptycho.assess.frc_options import FrcOptions
from napari_ptycho.assess.rings import Images, Rings, frequencies, windowed
from napari_ptycho.errors import OptionsError
from napari_ptycho.model.arrays import Floats

LEAST_RINGS = 8
Part = tuple[int, int]
DIAGONALS: tuple[tuple[Part, Part], ...] = (((0, 0), (1, 1)), ((1, 0), (0, 1)))
SIFRC = (*DIAGONALS, ((0, 0), (1, 0)))
"""Pairs of parts; a part (y, x) is every second pixel from there."""
DIVISOR: Mapping[str, int] = {"siFRC": 4}


def correlated(images: Sequence[Images], options: FrcOptions, name: str) -> tuple[Rings, Floats]:
    """Return the rings and the unsmoothed correlation (K,) of two images, or of one.

    Args:
        images: One or two (H, W), already registered.
        options: How.
        name: For the sentence of an error.

    Raises:
        OptionsError: The images are too small for `LEAST_RINGS` rings.
    """
    single = len(images) == 1
    images = [_even(image, DIVISOR.get(options.mode, 2)) if single else image for image in images]
    shape = tuple(n // 2 if single else n for n in images[0].shape)
    if min(shape) // 2 < LEAST_RINGS:
        h, w = images[0].shape
        side = LEAST_RINGS * (4 if single else 2)
        raise OptionsError(
            f"{name}: {h} x {w} pixels make {min(shape) // 2} rings; need at least {LEAST_RINGS}, "
            f"from {side} x {side} pixels"
        )
    rings = Rings(shape, "siFRC" if options.mode == "siFRC" else options.rings)
    centred = options.mode != "siFRC"
    images = [windowed(image, options.window, centred) for image in images]
    curve = _of_one(images[0], rings, options) if single else _of_two(images, rings)
    return rings, curve if options.mode == "standard" else np.abs(curve)


def _of_two(images: Sequence[Images], rings: Rings) -> Floats:
    return rings.correlate(scipy.fft.fft2(images[0]), scipy.fft.fft2(images[1]))


def _of_one(image: Images, rings: Rings, options: FrcOptions) -> Floats:
    """Return the mean over pairs of parts.

    The parts of a pair are shifted against each other by half of their pixels, so that even
    without noise their correlation is J0(sqrt(2) pi f). In standard mode the parts are shifted
    back, by their phase in Fourier space.
    """
    pairs = SIFRC if options.mode == "siFRC" else DIAGONALS
    shift = options.compensate and options.mode == "standard"
    spectra = {part: _part(image, part, shift) for part in {p for pair in pairs for p in pair}}
    if options.mode == "siFRC":  # it drops the sign of each pair before it takes the mean
        curves = [np.abs(rings.correlate(spectra[one], spectra[two])) for one, two in pairs]
    else:
        curves = [rings.correlate(spectra[one], spectra[two]) for one, two in pairs]
    return np.asarray(np.mean(curves, axis=0))


def _part(image: Images, start: Part, shift: bool) -> Images:
    part = image[start[0] :: 2, start[1] :: 2]
    spectrum = np.asarray(scipy.fft.fft2(part))
    if not shift or start == (0, 0):
        return spectrum
    fy, fx = frequencies(part.shape)
    return spectrum * np.exp(-1j * np.pi * (start[0] * fy + start[1] * fx))


def _even(image: Images, divisor: int) -> Images:
    """Return the middle whose sides can be divided."""
    sides = []
    for n in image.shape:
        length = n // divisor * divisor
        first = (n - length) // 2
        sides.append(slice(first, first + length))
    return image[tuple(sides)]
