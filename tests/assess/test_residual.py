"""Signs in what was taken away: reference values of sections 4.2 and 6."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_ptycho.assess.residual import (
    BLOB_ALARM_Z,
    LOCAL_ALARM,
    WHITE_ALARM_Z,
    Noise,
    blobs,
    local_grid,
    whiteness,
)
from napari_ptycho.phantoms import noisy

from .scenes import blob, lattice

ALL = np.ones((128, 128), bool)
WHITE = Noise(np.full((128, 128), 0.15))


def test_white_noise_is_white_and_a_blurred_phantom_leaves_structure(rng):
    z = [whiteness(rng.normal(0, 0.15, (128, 128)), WHITE, ALL) for _ in range(10)]
    assert max(map(abs, z)) < 4
    image, _ = noisy("fibres")
    assert whiteness(image - gaussian_filter(image, 0.5), WHITE, ALL) > 50


def test_a_strip_of_light_is_tested_as_far_as_it_goes(rng):
    strip = np.zeros((128, 128), bool)
    strip[60:64] = True
    assert abs(whiteness(rng.normal(0, 0.15, (128, 128)), WHITE, strip)) < 4


def test_correlated_noise_is_no_structure_where_the_halves_have_it_too(rng):
    first, second, third = (gaussian_filter(rng.normal(size=(128, 128)), 0.8) for _ in range(3))
    noise = Noise.of_halves(first, second, ALL)
    assert whiteness(third / np.sqrt(2), noise, ALL) < WHITE_ALARM_Z
    assert whiteness(third, Noise.white(third, ALL), ALL) > WHITE_ALARM_Z
    lost = third / np.sqrt(2) + 0.3 * (noisy("fibres")[1] - 0.4)
    assert whiteness(lost, noise, ALL) > WHITE_ALARM_Z


def test_the_noise_of_halves_is_as_strong_as_that_of_their_mean(rng):
    strength = np.where(np.arange(128) < 64, 0.1, 0.4)
    first, second = (rng.normal(size=(128, 128)) * strength for _ in range(2))
    noise = Noise.of_halves(first, second, ALL)
    assert noise.sigma[:, 20].mean() == pytest.approx(0.1 / np.sqrt(2), rel=0.1)
    assert noise.sigma[:, 108].mean() == pytest.approx(0.4 / np.sqrt(2), rel=0.1)


def test_a_blob_adds_what_the_formula_says(rng):
    """a s sqrt(pi) / sigma: 4.7 for 0.1 rad, 4 pixels, sigma 0.15."""
    residual = rng.normal(0, 0.15, (128, 128))
    with_it = residual - blob((128, 128), (60, 70), 0.1)
    change = blobs(with_it, WHITE, ALL)[60, 70] - blobs(residual, WHITE, ALL)[60, 70]
    assert -change == pytest.approx(0.1 * 4 * np.sqrt(np.pi) / 0.15, rel=0.1)
    assert np.nanmax(np.abs(blobs(residual, WHITE, ALL))) < BLOB_ALARM_Z


def test_blobs_are_measured_against_correlated_noise(rng):
    first, second, third = (gaussian_filter(rng.normal(size=(128, 128)), 2) for _ in range(3))
    noise = Noise.of_halves(first, second, ALL)
    found = blobs(third / np.sqrt(2), noise, ALL)
    assert np.nanstd(found) == pytest.approx(1, abs=0.25)
    assert np.nanmax(np.abs(blobs(third, Noise.white(third, ALL), ALL))) > BLOB_ALARM_Z


def test_a_grid_is_found_where_it_is(rng):
    residual = rng.normal(0, 0.15, (128, 128))
    assert np.nanmax(local_grid(residual, ALL)) < LOCAL_ALARM
    here = blob((128, 128), (40, 90), 1.0, sigma=12)
    found = local_grid(residual + here * lattice((128, 128), 4, 0.3), ALL)
    y, x = np.unravel_index(np.nanargmax(found), found.shape)
    assert found[y, x] > LOCAL_ALARM
    assert np.hypot(y - 40, x - 90) < 12
    area = ALL.copy()
    area[:, :30] = False
    assert np.isnan(local_grid(residual, area)[:, :30]).all()
