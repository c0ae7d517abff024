"""Coarser grids by frequencies: of an image that has no finer ones, nothing is lost."""

import numpy as np
import pytest
from scipy import fft

from napari_ptycho.physics.frequencies import filled, lowest


def smooth(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    """Return a complex image (n, n) without frequencies at or beyond those of n / k pixels."""
    frequency = np.abs(fft.fftfreq(n, 1 / n))
    inside = (frequency < n // k // 2)[:, None] & (frequency < n // k // 2)[None, :]
    spectrum = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    return fft.ifft2(np.where(inside, spectrum, 0))


@pytest.mark.parametrize("k", [2, 4])
def test_a_smooth_image_is_sampled_and_comes_back(rng, k):
    image = smooth(rng, 32, k)
    small = lowest(image, k)
    np.testing.assert_allclose(small, image[::k, ::k], atol=1e-14)
    np.testing.assert_allclose(filled(np.zeros_like(image), small), image, atol=1e-14)


def test_finer_details_of_the_first_image_stay(rng):
    fine = rng.normal(size=(2, 16, 16)) + 0j
    other = smooth(rng, 16, 2)
    changed = filled(fine, lowest(fine, 2) + lowest(other, 2))
    np.testing.assert_allclose(changed, fine + other, atol=1e-13)
