"""Classical denoisers (scikit-image), as a baseline: total variation, non-local means, wavelets.

Their strength is one number, in units of the noise. It is found by comparing with an independent
second image, from the noise level by a rule of thumb, or by J-invariance: from what a denoiser
makes of pixels it did not see (Batson & Royer 2019).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import (
    denoise_invariant,
    denoise_nl_means,
    denoise_tv_chambolle,
    denoise_wavelet,
)

from napari_ptycho.denoise.options import ClassicalOptions
from napari_ptycho.denoise.result import Denoised, Past
from napari_ptycho.denoise.target import Beside, Parts, Target, prepare
from napari_ptycho.errors import OptionsError
from napari_ptycho.model.arrays import Floats

Channel = NDArray[np.float32]
Denoiser = Callable[[Channel, float, float], Channel]
STRENGTHS = np.geomspace(0.2, 5.0, 13)  # in units of the noise, tried one after the other
PATCH, REACH = 5, 6  # pixels, of non-local means
SHIFTS = 3  # of the wavelets' grid, each way
STRIDE = 3  # of the pixels that J-invariance leaves out at a time


def _tv(image: Channel, sigma: float, strength: float) -> Channel:
    return np.asarray(denoise_tv_chambolle(image, weight=max(strength * sigma, 1e-6)), np.float32)


def _nlm(image: Channel, sigma: float, strength: float) -> Channel:
    h = max(strength * sigma, 1e-6)
    found = denoise_nl_means(image, PATCH, REACH, h=h, sigma=sigma, fast_mode=True)
    return np.asarray(found, np.float32)


def _wavelet(image: Channel, sigma: float, strength: float) -> Channel:
    total = np.zeros(image.shape, np.float32)
    for y in range(SHIFTS):
        for x in range(SHIFTS):
            moved = np.roll(image, (y, x), (0, 1))
            found = denoise_wavelet(moved, sigma=max(strength * sigma, 1e-6), rescale_sigma=False)
            total += np.roll(found, (-y, -x), (0, 1)).astype(np.float32)
    return np.asarray(total / SHIFTS**2, np.float32)


METHODS: dict[str, tuple[str, Denoiser, float]] = {
    "tv": ("total variation", _tv, 0.6),
    "nlm": ("non-local means", _nlm, 0.8),
    "wavelet": ("wavelet", _wavelet, 1.0),
}
"""Name -> title, function of image, noise and strength, and the usual strength."""


def classical_result(image: Any, options: ClassicalOptions, beside: Beside) -> Denoised:
    """Denoise an image; arguments as in `denoise.classical`."""
    target = prepare(image, beside, ("z-score", options.sigma, options.data_range))
    notes: list[str] = []
    strength = options.strength or _calibrated(target, options, notes)
    function = METHODS[options.method][1]
    found = _all_channels(target.image, _noise(target), function, strength)
    return _result(target, found, options, (*notes, f"strength {strength:.2g} of the noise"))


def _noise(target: Target) -> Floats:
    """Return the noise of the image's channels (C,), in the network's units."""
    return np.asarray(target.sigma / target.units.scale.ravel(), np.float64)


def _all_channels(image: Parts, noise: Floats, function: Denoiser, strength: float) -> Parts:
    """Denoise the channels (C, H, W) of an image."""
    return np.stack([function(c, float(s), strength) for c, s in zip(image, noise, strict=True)])


def _calibrated(target: Target, options: ClassicalOptions, notes: list[str]) -> float:
    """Return the strength, by the way that was asked for or that suits.

    Raises:
        OptionsError: A second image was asked for, but there is none.
    """
    how: str = options.calibrate
    if how == "second-copy" and target.second is None:
        raise OptionsError("calibration by a second copy needs a second image of the same thing")
    if how == "auto":
        unseen = "j-invariant" if target.is_white else "noise"
        how = unseen if target.second is None else "second-copy"
    _, function, usual = METHODS[options.method]
    notes.append(f"strength from: {how}")
    if how == "noise":
        return usual
    score = _against_second if how == "second-copy" else _unseen
    errors = [score(target, function, float(strength)) for strength in STRENGTHS]
    return float(STRENGTHS[int(np.argmin(errors))])


def _against_second(target: Target, function: Denoiser, strength: float) -> float:
    """Return the error of the denoised image, or half of it, against the second one."""
    halved = len(target.copies) == 2
    noise = _noise(target) * (np.sqrt(2) if halved else 1)
    found = _all_channels(target.copies[-1], noise, function, strength)
    assert target.second is not None  # asked before
    return float(np.mean((found - target.second) ** 2 * target.weight))


def _unseen(target: Target, function: Denoiser, strength: float) -> float:
    """Return the error at pixels that were replaced by their neighbours' mean before."""
    errors = []
    for channel, noise in zip(target.image, _noise(target).tolist(), strict=True):

        def denoiser(image: Channel, noise: float = noise) -> Channel:
            return function(np.asarray(image, np.float32), noise, strength)

        found = denoise_invariant(channel, denoiser, stride=STRIDE)
        errors.append(np.mean((found - channel) ** 2 * target.weight))
    return float(np.mean(errors))


def _result(
    target: Target, whole: Parts, options: ClassicalOptions, notes: tuple[str, ...]
) -> Denoised:
    rest = np.where(target.weight > 0, target.image - whole, 0)
    weight = target.weight
    curves = {"fidelity_db": (float(target.decibel(np.mean(rest**2 * weight))),)}
    if target.reference is not None:
        error = np.mean((whole - target.reference) ** 2 * weight)
        curves["psnr_db"] = (float(target.decibel(error)),)
    return Denoised(
        image=target.units.image(whole),
        latest=target.units.image(whole),
        iteration=0,
        done=0,
        members=target.units.image(whole[None]),
        past=Past(),
        units=target.units,
        grid=target.grid_db(whole),
        curves=curves,
        sigma=target.sigma,
        noise_db=target.noise_db,
        settings={"title": METHODS[options.method][0], **options.as_dict()},
        notes=notes,
    )
