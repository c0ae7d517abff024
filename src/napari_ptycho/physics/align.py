"""What a reconstruction cannot know: phase, ramp, shift. Removed for display and for comparison."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Reconstruction
from napari_ptycho.model.arrays import Bools, Floats

Image = NDArray[np.complexfloating]


def illumination(reconstruction: Reconstruction) -> Floats:
    """Return the photons that fell on each object pixel: (H, W), |probe|^2 over all positions."""
    corners = np.rint(reconstruction.positions_px).astype(int)
    visits = np.zeros(np.subtract(reconstruction.object.shape, reconstruction.probe.shape[1:]) + 1)
    np.add.at(visits, (corners[:, 0], corners[:, 1]), 1.0)
    power = (np.abs(reconstruction.probe) ** 2).sum(axis=0, dtype=np.float64)
    return np.maximum(scipy.signal.oaconvolve(visits, power), 0)


def illuminated(reconstruction: Reconstruction, share: float = 0.1) -> Bools:
    """Return where the object is known: (H, W) bool, light above `share` of the brightest pixel."""
    light = illumination(reconstruction)
    return np.asarray(light > share * light.max())


def flatten(reconstruction: Reconstruction) -> NDArray[np.complex64]:
    """Return the object (H, W) without the global phase and the phase ramp that data cannot fix.

    The ramp is the mean phase step between neighbouring illuminated pixels, weighted by |object|^2.
    """
    image = np.where(illuminated(reconstruction), reconstruction.object, 0)
    step_y = np.angle((image[1:] * image[:-1].conj()).sum())
    step_x = np.angle((image[:, 1:] * image[:, :-1].conj()).sum())
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    ramp = np.exp(-1j * step_y * y) * np.exp(-1j * step_x * x)
    turn = np.exp(-1j * np.angle((image * ramp).sum()))
    return (reconstruction.object * (ramp * turn)).astype(np.complex64)


@dataclass(frozen=True, eq=False)
class Aligned:
    """An image brought onto a reference."""

    image: Image
    """(H, W) complex, aligned."""
    shift_px: tuple[float, float]
    """Applied shift (y, x)."""
    ramp_rad: tuple[float, float]
    """Applied phase ramp (y, x) in rad per pixel."""
    error: float
    """Root of sum w |reference - image|^2 / sum w |reference|^2."""


def align(reference: Image, image: Image, area: Bools, rounds: int = 12) -> Aligned:
    """Bring an image onto a reference: sub-pixel shift, phase ramp, complex scale (Gauss-Newton).

    Args:
        reference: (H, W) complex.
        image: (H, W) complex, same pixels, off by a few pixels at most.
        area: (H, W) bool, where to compare.
        rounds: Gauss-Newton steps.

    Raises:
        ScanError: Shapes differ, or the area is empty.
    """
    if not reference.shape == image.shape == area.shape or not area.any():
        raise ScanError(
            f"align: reference {reference.shape}, image {image.shape}, area {area.shape} with "
            f"{int(area.sum())} pixels; need equal shapes and at least one pixel"
        )
    y, x = np.indices(area.shape) - np.array(area.shape)[:, None, None] / 2
    target = reference[area]
    shift, ramp = np.zeros(2), _coarse_ramp(reference, image, area)
    best = Aligned(image, (0.0, 0.0), (0.0, 0.0), np.inf)
    for _ in range(rounds):
        turned = _shifted(image, shift) * np.exp(1j * (ramp[0] * y + ramp[1] * x))
        slope_y, slope_x = np.gradient(turned)
        flat = turned[area]
        scale = np.vdot(flat, target) / np.vdot(flat, flat)
        rest = target - scale * flat
        error = float(np.sqrt(np.vdot(rest, rest).real / np.vdot(target, target).real))
        if error < best.error:
            best = Aligned(scale * turned, _pair(shift), _pair(ramp), error)
        columns = [flat, 1j * flat, slope_y[area], slope_x[area]]
        columns += [1j * y[area] * flat, 1j * x[area] * flat]
        system = scale * np.stack(columns, axis=1)
        gram, right = (system.conj().T @ system).real, (system.conj().T @ rest).real
        move = np.linalg.lstsq(gram, right, rcond=1e-12)[0]
        shift, ramp = shift - np.clip(move[2:4], -1, 1), ramp + move[4:6]
    return best


def _pair(values: Floats) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _shifted(image: Image, shift: Floats) -> Image:
    ky, kx = scipy.fft.fftfreq(image.shape[0])[:, None], scipy.fft.fftfreq(image.shape[1])[None, :]
    turn = np.exp(-2j * np.pi * (ky * shift[0] + kx * shift[1]))
    return np.asarray(scipy.fft.ifft2(scipy.fft.fft2(image) * turn))


def _coarse_ramp(reference: Image, image: Image, area: Bools) -> Floats:
    """Return the ramp (rad per pixel) where the spectrum of reference * conj(image) peaks."""
    product = np.where(area, reference * image.conj(), 0)
    size = [4 * n for n in product.shape]
    peak = np.unravel_index(np.argmax(np.abs(scipy.fft.fft2(product, s=size))), size)
    return np.array([2 * np.pi * scipy.fft.fftfreq(n)[k] for n, k in zip(size, peak, strict=True)])
