"""Free-space propagation kernels and the wave behind a Fresnel zone plate (numpy)."""

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.model.arrays import Floats
from napari_ptycho.model.geometry import Geometry, Pair

Wave = NDArray[np.complex128]


def angular_spectrum(
    shape: tuple[int, int], pixel_m: Pair, wavelength_m: float, distance_m: float
) -> Wave:
    """Return the transfer function of free space (angular spectrum method).

    H(f) = exp(2 pi i z (sqrt(1/lambda^2 - f^2) - 1/lambda)); evanescent waves are dropped. The
    constant phase exp(2 pi i z / lambda) is left out (Goodman, Fourier Optics, section 3.10).

    Args:
        shape: Pixels (height, width).
        pixel_m: Pixel (height, width) in metres.
        wavelength_m: In metres.
        distance_m: In metres; negative goes upstream.

    Returns:
        (height, width) complex, zero frequency in the corner.
    """
    fy = scipy.fft.fftfreq(shape[0], pixel_m[0])[:, None]
    fx = scipy.fft.fftfreq(shape[1], pixel_m[1])[None, :]
    along = 1 / wavelength_m**2 - fy**2 - fx**2
    phase = 2 * np.pi * distance_m * (np.sqrt(np.maximum(along, 0)) - 1 / wavelength_m)
    return np.where(along > 0, np.exp(1j * phase), 0)


def near_field(geometry: Geometry, shape: tuple[int, int], owner: str) -> Wave:
    """Return the transfer function (H, W) from the sample to a near-field detector.

    Angular spectrum over the effective distance with the demagnified pixel (Fresnel scaling
    theorem: a beam from a focus z1 before the sample acts like a parallel one). Its conjugate goes
    back.

    Args:
        geometry: Of the experiment.
        shape: Pixels of a pattern (H, W).
        owner: Whose geometry it is, for the sentence.

    Raises:
        ScanError: Energy, distance or detector pixel is unknown.
    """
    pixel, distance = geometry.pixel_size_m(shape), geometry.effective_distance_m
    if pixel is None or distance is None or geometry.wavelength_m is None:
        raise ScanError(
            f"{owner}: the near field needs energy_ev, distance_m and detector_pixel_m; give those "
            "that are unknown"
        )
    return angular_spectrum(shape, pixel, geometry.wavelength_m, distance)


def propagate(wave: NDArray[np.complexfloating], kernel: Wave) -> Wave:
    """Carry a wave (..., H, W) through free space with the transfer function `kernel` (H, W)."""
    return np.asarray(scipy.fft.ifft2(scipy.fft.fft2(wave) * kernel))


def zone_plate_wave(
    shape: tuple[int, int],
    pixel_m: Pair,
    wavelength_m: float,
    *,
    diameter_m: float,
    outer_zone_m: float,
    central_stop_m: float,
    defocus_m: float,
) -> Wave:
    """Return the wave that a Fresnel zone plate with central stop makes at the sample.

    Focal length f = diameter * outer zone / lambda; the pupil exp(-i pi r^2 / (lambda f)) between
    stop and rim is carried over f + defocus by one Fresnel transform, whose pupil pixel is
    lambda (f + defocus) / (n * pixel).

    Args:
        shape: Pixels of the probe (height, width).
        pixel_m: Object pixel (height, width) in metres.
        wavelength_m: In metres.
        diameter_m: Of the zone plate, in metres.
        outer_zone_m: Width of the outermost zone, in metres.
        central_stop_m: Diameter of the central stop, in metres; 0 is none.
        defocus_m: Sample behind (+) or before (-) the focus, in metres.

    Returns:
        (height, width) complex, sum |wave|^2 = 1, the middle at [height // 2, width // 2].
    """
    focal_m = diameter_m * outer_zone_m / wavelength_m
    reach_m = focal_m + defocus_m
    pupil_pixel = [wavelength_m * reach_m / (n * p) for n, p in zip(shape, pixel_m, strict=True)]
    y, x = _grid(shape, pupil_pixel)
    disc = _disc(shape, pupil_pixel, diameter_m / 2) - _disc(shape, pupil_pixel, central_stop_m / 2)
    curvature = np.pi * (y**2 + x**2) / wavelength_m * (1 / reach_m - 1 / focal_m)
    pupil = disc * np.exp(1j * curvature)
    wave = scipy.fft.fftshift(scipy.fft.fft2(scipy.fft.ifftshift(pupil), norm="ortho"))
    y, x = _grid(shape, pixel_m)
    wave = wave * np.exp(1j * np.pi * (y**2 + x**2) / (wavelength_m * reach_m))
    return np.asarray(wave / np.sqrt((np.abs(wave) ** 2).sum()))


def _grid(shape: tuple[int, int], pixel: Pair | list[float]) -> tuple[Floats, Floats]:
    y, x = (
        (np.arange(n, dtype=np.float64) - n // 2) * p for n, p in zip(shape, pixel, strict=True)
    )
    return y[:, None], x[None, :]


def _disc(shape: tuple[int, int], pixel: list[float], radius: float, fine: int = 8) -> Floats:
    """Return a disc with soft rim: the covered share of each pixel, from fine x fine samples."""
    share = np.zeros(shape)
    offsets = (np.arange(fine) + 0.5) / fine - 0.5
    y, x = _grid(shape, pixel)
    for dy in offsets * pixel[0]:
        for dx in offsets * pixel[1]:
            share += (y + dy) ** 2 + (x + dx) ** 2 <= radius**2
    return share / fine**2
