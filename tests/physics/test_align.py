import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Reconstruction
from napari_ptycho.physics.align import align, flatten, illuminated, illumination


@pytest.fixture
def image(rng):
    phase = gaussian_filter(rng.normal(size=(96, 80)), 3) * 6
    loss = gaussian_filter(rng.normal(size=(96, 80)), 3)
    return (1 + 0.3 * loss) * np.exp(1j * phase)


def test_shift_ramp_and_scale_are_found(image):
    y, x = np.indices(image.shape)
    ky, kx = np.fft.fftfreq(96)[:, None], np.fft.fftfreq(80)
    moved = np.fft.ifft2(np.fft.fft2(image) * np.exp(-2j * np.pi * (1.3 * ky - 0.7 * kx)))
    moved = 0.4 * np.exp(1.1j) * moved * np.exp(1j * (0.05 * y - 0.13 * x))
    area = np.zeros(image.shape, bool)
    area[10:-10, 10:-10] = True
    found = align(image, moved, area)
    assert found.error < 0.04  # the ramp breaks the periodicity that a Fourier shift relies on
    assert found.shift_px == pytest.approx((-1.3, 0.7), abs=0.02)
    assert found.ramp_rad == pytest.approx((-0.05, 0.13), abs=1e-3)


def test_a_different_image_stays_different(image, rng):
    other = np.exp(1j * gaussian_filter(rng.normal(size=image.shape), 3) * 6)
    assert align(image, other, np.ones(image.shape, bool)).error > 0.5


def test_unequal_shapes_are_refused(image):
    with pytest.raises(ScanError, match="need equal shapes and at least one pixel"):
        align(image, image[1:], np.ones(image.shape, bool))
    with pytest.raises(ScanError, match="with 0 pixels"):
        align(image, image, np.zeros(image.shape, bool))


def result_of(image):
    y, x = np.indices((32, 32)) - 15.5
    probe = np.exp(-(y**2 + x**2) / 60)[None]
    corners = np.stack(np.meshgrid(np.arange(0, 65, 8), np.arange(0, 49, 8), indexing="ij"), -1)
    return Reconstruction(image, probe, corners.reshape(-1, 2))


def test_illumination_is_the_sum_of_the_shifted_probes(image):
    result = result_of(image)
    expected = np.zeros(image.shape)
    for row, column in result.positions_px.astype(int):
        expected[row : row + 32, column : column + 32] += np.abs(result.probe[0]) ** 2
    np.testing.assert_allclose(illumination(result), expected, atol=1e-6)
    assert not illuminated(result)[0, 0]
    assert illuminated(result)[48, 40]


def test_flatten_takes_phase_and_ramp_away_and_nothing_else(image):
    y, x = np.indices(image.shape)
    tilted = image * np.exp(1j * (2.0 + 0.04 * y - 0.09 * x))
    plain, again = (flatten(result_of(one)) for one in (image, tilted))
    known = illuminated(result_of(image))
    assert np.abs(np.angle(again * plain.conj())[known]).max() < 0.02
    np.testing.assert_allclose(np.abs(again), np.abs(image), rtol=1e-4)
