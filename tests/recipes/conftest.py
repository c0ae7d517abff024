import numpy as np
import pytest

from napari_ptycho import io
from napari_ptycho.physics.simulation import simulate

SIZE, STEP, SIDE = 32, 6, 7


@pytest.fixture(scope="session")
def scan_file(tmp_path_factory):
    """A simulated scan of 49 patterns of 32 x 32 pixels, at places that are no raster."""
    random = np.random.default_rng(4)
    corners = np.stack(np.divmod(np.arange(SIDE**2), SIDE), -1) * float(STEP)
    corners += random.integers(0, 3, corners.shape)
    extent = int(corners.max()) + SIZE
    coarse = np.kron(random.random((12, 12)), np.ones((8, 8)))[:extent, :extent]
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    wave = np.exp(-(y**2 + x**2) * (1 / 50 - 0.02j))
    image = (1 - 0.2 * coarse) * np.exp(1j * coarse)
    path = tmp_path_factory.mktemp("recipes") / "scan.h5"
    io.write_scan(simulate(image, wave, corners, photons=1e5, seed=1), path)
    return path
