"""A scan of few photons of an object with structure: hollow fibres, some 10 pixels wide."""

import numpy as np

from napari_ptycho.model import Reconstruction
from napari_ptycho.physics import simulate
from napari_ptycho.prepare import first_guess
from napari_ptycho.samples import fibres

from .conftest import a_probe


def low_dose(photons=1e3, lines=9, seed=1):
    """Return a scan of `lines`^2 frames of 32 x 32 pixels, and its truth."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(lines) * 4.0] * 2, indexing="ij"), -1).reshape(-1, 2)
    positions = 2 + grid + rng.integers(0, 2, grid.shape)
    h, w = (int(n) for n in positions.max(axis=0) + 32 + 2)
    thickness = fibres((4 * h, 4 * w))[20 : 20 + h, 20 : 20 + w]
    image = (1 - 0.1 * thickness) * np.exp(-1j * thickness)
    scan = simulate(image, a_probe(), positions, photons=photons, seed=seed)
    guess = first_guess(scan)
    truth = Reconstruction(
        image, scan.probe, guess.positions_px, guess.pixel_size_m, geometry=scan.geometry
    )
    return scan, truth
