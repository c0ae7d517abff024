import numpy as np
import pytest

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Geometry
from napari_ptycho.physics import simulate


@pytest.fixture
def probe():
    y, x = np.indices((24, 24)) - 12
    return np.exp(-(y**2 + x**2) / 30) * np.exp(0.02j * (y**2 + x**2))


def test_a_flat_object_shows_the_probe_and_all_photons(probe):
    scan = simulate(np.ones((40, 40)), probe, np.array([[3.0, 5.0]]), photons=1000, seed=None)
    expected = np.abs(np.fft.fftshift(np.fft.fft2(probe))) ** 2
    np.testing.assert_allclose(
        scan.patterns[0], 1000 * expected / expected.sum(), rtol=1e-3, atol=1e-4
    )


def test_noise_is_poisson_and_repeatable(probe):
    positions = np.full((400, 2), 4.0)
    one, two = (
        simulate(np.ones((40, 40)), probe, positions, photons=5000, seed=3).patterns
        for _ in range(2)
    )
    assert one.dtype == np.uint16
    np.testing.assert_array_equal(one, two)
    mean, variance = one.mean(axis=0), one.var(axis=0)
    lit = mean > 2
    assert (variance[lit] / mean[lit]).mean() == pytest.approx(1, abs=0.03)


def test_a_fraction_of_a_pixel_shifts_the_probe_not_the_object(probe, rng):
    # The far field of a flat object does not see a shift; a phase edge does, by half a pixel.
    image = np.ones((40, 40), complex)
    image[:, 18:] = np.exp(0.5j)
    at = [np.array([[4.0, c]]) for c in (5.0, 5.5, 6.0)]
    left, half, right = (simulate(image, probe, p, photons=1e4, seed=None).patterns[0] for p in at)
    between = np.abs(half - (left + right) / 2).sum()
    assert between < 0.3 * np.abs(left - right).sum()


def test_a_sweep_averages_the_patterns_along_the_way(probe):
    image = np.ones((40, 40), complex)
    image[:, 18:] = np.exp(1j)
    at = np.array([[4.0, 6.0]])
    swept = simulate(image, probe, at, photons=1e4, sweep_px=(0.0, 4.0), seed=None).patterns[0]
    path = [np.array([[4.0, 6.0 + offset]]) for offset in np.linspace(-1.9, 1.9, 40)]
    mean = np.mean([simulate(image, probe, p, photons=1e4, seed=None).patterns[0] for p in path], 0)
    still = simulate(image, probe, at, photons=1e4, seed=None).patterns[0]
    assert np.abs(swept - mean).sum() < 0.1 * np.abs(still - mean).sum()


def test_positions_are_metres_when_the_pixel_is_known(probe):
    geometry = Geometry(10_000.0, 2.0, (50e-6, 50e-6))
    scan = simulate(np.ones((40, 40)), probe, np.array([[1.0, 2.0]]), geometry=geometry)
    np.testing.assert_allclose(scan.in_pixels(), [[1.0, 2.0]])
    assert scan.positions_m is not None


def test_a_window_outside_and_a_near_field_without_distance_are_refused(probe):
    with pytest.raises(ScanError, match="leave the object"):
        simulate(np.ones((40, 40)), probe, np.array([[17.0, 0.0]]))
    with pytest.raises(ScanError, match="near field needs"):
        simulate(np.ones((40, 40)), probe, np.zeros((1, 2)), geometry=Geometry(propagation="near"))
