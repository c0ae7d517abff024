import numpy as np
import pytest
from scipy import fft

from napari_ptycho.physics.optics import angular_spectrum, propagate, zone_plate_wave

WAVELENGTH, PIXEL = 1e-10, (40e-9, 40e-9)


def gaussian(n, waist_m):
    y, x = (np.indices((n, n)) - n // 2) * PIXEL[0]
    return np.exp(-(y**2 + x**2) / waist_m**2)


def test_a_gaussian_beam_spreads_as_theory_says():
    waist, n = 0.6e-6, 256
    rayleigh = np.pi * waist**2 / WAVELENGTH
    wave = propagate(gaussian(n, waist), angular_spectrum((n, n), PIXEL, WAVELENGTH, rayleigh))
    light = np.abs(wave) ** 2
    y = (np.arange(n) - n // 2) * PIXEL[0]
    width = 2 * np.sqrt((light * y[:, None] ** 2).sum() / light.sum())
    assert width == pytest.approx(waist * np.sqrt(2), rel=1e-3)
    # Behind the waist the wave front curves like exp(+i k r^2 / 2R): the sign of our convention.
    row = np.unwrap(np.angle(wave[n // 2, n // 2 : n // 2 + 12]))
    assert row[-1] > row[0]


def test_there_and_back_is_the_same_wave():
    kernel = angular_spectrum((64, 48), PIXEL, WAVELENGTH, 2e-3)
    back = angular_spectrum((64, 48), PIXEL, WAVELENGTH, -2e-3)
    rng = np.random.default_rng(0)
    wave = rng.normal(size=(64, 48)) + 1j * rng.normal(size=(64, 48))
    np.testing.assert_allclose(propagate(propagate(wave, kernel), back), wave, atol=1e-10)


OPTICS = {"diameter_m": 400e-6, "outer_zone_m": 200e-9, "central_stop_m": 60e-6}


def test_a_defocused_zone_plate_lights_a_ring_of_the_geometric_size():
    lam = 1.117e-10
    wave = zone_plate_wave((128, 128), (44.2e-9, 44.2e-9), lam, defocus_m=8e-3, **OPTICS)
    light = np.abs(wave) ** 2
    assert light.sum() == pytest.approx(1)
    focal = 400e-6 * 200e-9 / lam
    radius_px = 200e-6 * 8e-3 / focal / 44.2e-9
    y, x = np.indices(light.shape) - 64
    inside = light[np.hypot(y, x) < radius_px * 1.1].sum()
    assert inside > 0.95
    assert light[np.hypot(y, x) < radius_px * 0.8].sum() < 0.75


def test_the_beam_of_a_zone_plate_fills_its_aperture_and_not_the_stop():
    lam = 1.117e-10
    wave = zone_plate_wave((128, 128), (44.2e-9, 44.2e-9), lam, defocus_m=8e-3, **OPTICS)
    far = np.abs(fft.fftshift(fft.fft2(wave))) ** 2
    y, x = np.indices(far.shape) - 64
    sine = lam / (2 * 200e-9)  # numerical aperture of the outermost zone
    edge_px = sine / lam * 128 * 44.2e-9
    r = np.hypot(y, x)
    assert far[r < edge_px * 1.08].sum() / far.sum() > 0.98
    assert (
        far[r < 0.1 * edge_px].mean() < 0.1 * far[(r > 0.4 * edge_px) & (r < 0.8 * edge_px)].mean()
    )
