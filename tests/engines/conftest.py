import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_ptycho.model import Geometry, Reconstruction
from napari_ptycho.physics import simulate
from napari_ptycho.physics.align import align, illuminated
from napari_ptycho.prepare import first_guess

NEAR = Geometry(12_000.0, 0.5, (15e-6, 15e-6), "near", focus_to_sample_m=5e-3)


def a_probe(n=32, modes=1):
    y, x = np.indices((n, n)) - n / 2
    first = np.exp(-(y**2 + x**2) / (2 * (n / 6) ** 2)) * np.exp(0.03j * (y**2 + x**2))
    return np.stack([first, 0.4 * first * x / 4, 0.3 * first * y / 4][:modes])


def an_object(shape, rng):
    phase = gaussian_filter(rng.normal(size=shape), 1.5) * 2.0
    loss = np.abs(gaussian_filter(rng.normal(size=shape), 1.5)) * 0.3
    return (1 - loss) * np.exp(1j * phase)


def phase_error(truth, result):
    """Root mean square phase error in rad over the illuminated area, aligned.

    The engine may have put pixels around the object; where its windows lie tells how many.
    """
    area = illuminated(truth)
    image = result.object
    low = np.rint(np.median(result.positions_px - truth.positions_px, axis=0)).astype(int)
    y, x = np.clip(low, 0, np.array(image.shape) - truth.object.shape)
    h, w = truth.object.shape
    image = image[y : y + h, x : x + w].astype(complex)
    found = align(truth.object.astype(complex), image, area)
    return np.sqrt((np.angle(found.image * truth.object.conj())[area] ** 2).mean())


@pytest.fixture
def make():
    """Simulate a small scan and its truth: make(modes=1, photons=1e6, fraction=0.0, ...)."""

    def made(modes=1, photons=1e6, fraction=0.0, geometry=None, noise=True, lines=9, seed=1):
        rng = np.random.default_rng(seed)
        grid = np.stack(np.meshgrid(*[np.arange(lines) * 4.0] * 2, indexing="ij"), -1).reshape(
            -1, 2
        )
        positions = (
            2 + grid + rng.integers(0, 2, grid.shape) + fraction * rng.uniform(-1, 1, grid.shape)
        )
        positions = np.maximum(positions, 2)
        positions -= np.floor(positions.min(axis=0)) - 2  # as first_guess lays the windows
        shape = np.ceil(positions.max(axis=0)).astype(int) + 32 + 2
        image = an_object(tuple(shape), rng)
        probe = a_probe(modes=modes)
        if geometry is NEAR:  # the near field needs a structured beam: a diffuser
            probe = probe * np.exp(1j * gaussian_filter(rng.normal(size=(32, 32)), 1) * 6)
        scan = simulate(
            image,
            probe,
            positions,
            photons=photons,
            geometry=geometry,
            seed=seed if noise else None,
        )
        guess = first_guess(scan, modes)
        truth = Reconstruction(
            image, scan.probe, guess.positions_px, guess.pixel_size_m, geometry=scan.geometry
        )
        return scan, truth

    return made
