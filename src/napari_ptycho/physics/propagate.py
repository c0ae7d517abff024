"""Between sample and detector, and the modulus projection (torch; zero frequency in the corner)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho.model import Geometry
from napari_ptycho.physics import kernels
from napari_ptycho.physics.optics import near_field

TINY = 1e-10  # counts; keeps 1/|wave| finite where the model has no light
FLOOR = 0.1  # counts that the Poisson likelihood adds to the model: one photon cannot break it


@dataclass(frozen=True)
class Propagator:
    """Unitary propagation of waves (..., h, w): sum |wave|^2 = photons on both sides."""

    kernel: Tensor | None = None
    """(h, w) near-field transfer function; None is the far field."""

    def to_detector(self, wave: Tensor) -> Tensor:
        """Return the wave on the detector; far field: forward FFT, zero frequency in the corner."""
        spectrum = torch.fft.fft2(wave, norm="ortho")
        if self.kernel is None:
            return spectrum
        return torch.fft.ifft2(spectrum.mul_(self.kernel), norm="ortho")

    def to_sample(self, wave: Tensor) -> Tensor:
        """Return the wave behind the sample: the inverse, and the adjoint, of `to_detector`."""
        if self.kernel is None:
            return torch.fft.ifft2(wave, norm="ortho")
        spectrum = torch.fft.fft2(wave, norm="ortho")
        return torch.fft.ifft2(spectrum.mul_(self.kernel.conj()), norm="ortho")


def propagator(geometry: Geometry, shape: tuple[int, int], device: torch.device) -> Propagator:
    """Build the propagator of an experiment (`optics.near_field`).

    Raises:
        ScanError: The near field lacks energy, distance or detector pixel.
    """
    if geometry.propagation == "far":
        return Propagator()
    kernel = near_field(geometry, shape, "geometry")
    return Propagator(torch.from_numpy(kernel).to(device, torch.complex64))


def abs2(wave: Tensor) -> Tensor:
    """Return |wave|^2 of a complex tensor (..., h, w), several times faster than `wave.abs()`."""
    parts = torch.view_as_real(wave)
    parts = parts * parts
    return torch.add(parts[..., 0], parts[..., 1])


def modulus_change_(
    wave: Tensor, amplitude: Tensor, valid: Tensor, ids: NDArray[np.int64], background: Tensor
) -> Tensor:
    """Replace a detector wave, in place, by (its modulus projection - itself).

    Mixed states share one real factor, sqrt(I) / sqrt(background + sum over modes |wave|^2); pixels
    that are not valid keep the model, so their change is 0 (Thibault & Menzel 2013). A saturated
    pixel is censored: it pulls up a model that is darker than its level, and says no more.

    Args:
        wave: (B, M, h, w) complex.
        amplitude: (N, h, w) sqrt counts of all frames; saturated pixels hold minus the sqrt of
            their level.
        valid: (1 or N, h, w) real, 1 where measured and 0 elsewhere.
        ids: (B,) the frames that the waves belong to.
        background: (h, w) counts, at least TINY.

    Returns:
        The amplitude misfits sum(valid (|F| - sqrt I)^2) of the frames, (B,), in counts.
    """
    if wave.device.type in kernels.FUSED:
        arrays = wave.numpy(), amplitude.numpy(), valid.numpy(), ids, background.numpy()
        return torch.from_numpy(kernels.change(*arrays, False))
    at = torch.from_numpy(ids).to(wave.device)
    modulus = abs2(wave).sum(dim=1).add_(background).sqrt_()
    off = _off(amplitude[at], modulus).mul_(measured_in(valid, at))
    wave.mul_((off / modulus).unsqueeze(1))
    return off.square().sum(dim=(1, 2))


def poisson_change_(
    wave: Tensor, amplitude: Tensor, valid: Tensor, ids: NDArray[np.int64], background: Tensor
) -> Tensor:
    """Replace a detector wave, in place, by minus the slope of the Poisson likelihood.

    wave (I / model - 1), with model = FLOOR + background + sum over modes |wave|^2: the derivative
    of sum(I ln model - model) by the conjugate wave. Arguments and result as in `modulus_change_`.
    """
    background = background + FLOOR
    if wave.device.type in kernels.FUSED:
        arrays = wave.numpy(), amplitude.numpy(), valid.numpy(), ids, background.numpy()
        return torch.from_numpy(kernels.change(*arrays, True))
    at = torch.from_numpy(ids).to(wave.device)
    good = measured_in(valid, at)
    model = abs2(wave).sum(dim=1).add_(background)
    target = amplitude[at]
    off = _off(target, model.sqrt()).mul_(good)
    ratio = target.square().div_(model).sub_(1)
    ratio = torch.where(target < 0, ratio.clamp_min(0), ratio).mul_(good)
    wave.mul_(ratio.unsqueeze(1))
    return off.square_().sum(dim=(1, 2))


def misfits(
    wave: Tensor, amplitude: Tensor, valid: Tensor, ids: NDArray[np.int64], background: Tensor
) -> Tensor:
    """Return the amplitude misfit of every frame, (B,), of waves (B, M, h, w); nothing changes."""
    at = torch.from_numpy(ids).to(wave.device)
    off = _off(amplitude[at], (abs2(wave).sum(dim=1) + background).sqrt_())
    off = off * measured_in(valid, at)
    return off.square_().sum(dim=(1, 2))


def unlikelihood(
    wave: Tensor,
    amplitude: Tensor,
    valid: Tensor,
    ids: NDArray[np.int64],
    background: Tensor,
    scaled: bool = False,
) -> Tensor:
    """Return the Poisson misfit of every frame, (B,), of waves (B, M, h, w); nothing changes.

    sum(model - y ln model) less what it is at model = y (half the deviance), with the model of
    `poisson_change_`. A saturated pixel that the model makes brighter than its level costs nothing.

    Args:
        wave: As in `modulus_change_`, and so are amplitude, valid, ids and background.
        amplitude: See above.
        valid: See above.
        ids: See above.
        background: See above.
        scaled: The flux of the frames is unknown: each model is scaled so that it fits best.
    """
    at = torch.from_numpy(ids).to(wave.device)
    target = amplitude[at]
    counts, good = target.square(), measured_in(valid, at)
    model = abs2(wave).sum(dim=1).add_(background + FLOOR)
    if scaled:
        told = good * (target >= 0)
        sums = ((counts * told).sum(dim=(1, 2)), (model * told).sum(dim=(1, 2)))
        model.mul_((sums[0] / sums[1].clamp_min(TINY))[:, None, None]).clamp_min_(TINY)
    model = torch.where(target < 0, torch.minimum(model, counts), model)
    return deviance(counts, model).mul_(good).sum(dim=(1, 2))


def deviance(counts: Tensor, model: Tensor) -> Tensor:
    """Return model - counts ln model, pixel by pixel, less what it is at model = counts."""
    off = (model - counts) / counts.clamp_min(TINY)  # of two large numbers, the small difference
    return torch.where(counts > 0, counts * (off - off.log1p()), model)


def measured_in(valid: Tensor, at: Tensor) -> Tensor:
    """Return the valid pixels of the frames `at`: (1, h, w) where all frames share them."""
    return valid[at] if len(valid) > 1 else valid


def _off(target: Tensor, modulus: Tensor) -> Tensor:
    """Return target - modulus; where the target is negative, a pixel saturated at -target."""
    off = target.abs() - modulus
    return torch.where(target < 0, off.clamp_min(0), off)
