import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, median_filter

from napari_ptycho.denoise.grid import PERIODS, alarm_db, alarms, grid_db
from napari_ptycho.denoise.noise import is_white, noise_sigma, pair_sigma
from napari_ptycho.errors import OptionsError
from napari_ptycho.phantoms import PHANTOMS, noisy, phantom


@pytest.mark.parametrize("amplitude", [0.0, 0.2])
def test_a_grid_is_found_where_there_is_one(rng, amplitude):
    y, x = np.mgrid[:256, :256]
    grid = amplitude * np.cos(np.pi * y / 2) * np.cos(np.pi * x / 2)
    score = grid_db(rng.normal(size=(256, 256)) + grid)[4]
    assert (13 < score < 15.5) if amplitude else score < 5


def test_no_alarm_for_what_honest_filters_take_away(rng):
    for name in PHANTOMS:
        for seed in range(8):
            image, clean = noisy(name, seed=seed)
            for smooth in (gaussian_filter(image, 1), median_filter(image, 3), clean):
                assert alarms(grid_db(image - smooth)) == []
    assert alarm_db(3) == pytest.approx(7 - 2 * np.log2(1.5))
    assert alarms({16: 1.3, 3: 5.8}) == [16]
    assert alarms({2: 7.1, 4: 4.9, 8: 2.4}) == [2]


def test_odd_and_oblong_images_have_a_score(rng):
    assert set(grid_db(rng.normal(size=(61, 130)))) == set(PERIODS)
    assert grid_db(np.zeros((64, 64)))[4] < 0


@pytest.mark.parametrize("sigma", [0.05, 0.15])
@pytest.mark.parametrize("name", PHANTOMS)
def test_the_noise_is_estimated(name, sigma):
    image, clean = noisy(name, 256, sigma)
    other, _ = noisy(name, 256, sigma, seed=1)
    assert noise_sigma(image) == pytest.approx(sigma, rel=0.2)
    area = np.ones(clean.shape, bool)
    assert pair_sigma(image, other, area) == pytest.approx(sigma, rel=0.02)


def test_noise_is_looked_for_inside_an_area_only(rng):
    image = rng.normal(0, 0.1, (64, 64))
    image[:, 32:] *= 10
    area = np.zeros(image.shape, bool)
    area[:, :32] = True
    assert noise_sigma(image, area) == pytest.approx(0.1, rel=0.2)


@pytest.mark.parametrize("name", PHANTOMS)
def test_white_noise_is_told_from_shared_noise(rng, name):
    for n in (128, 256):
        for sigma in (0.1, 0.15, 0.3):
            image, clean = noisy(name, n, sigma)
            assert is_white(image)
            shared = gaussian_filter(image - clean, 0.8)
            assert not is_white(clean + shared * sigma / shared.std())


def test_phantoms_lie_between_0_and_1_and_are_known_by_name():
    for name in PHANTOMS:
        image = phantom(name, 64)
        assert image.shape == (64, 64)
        assert 0 <= image.min() < image.max() <= 1
    noise = np.subtract(*noisy("fibres"))
    assert -10 * np.log10((noise**2).mean()) == pytest.approx(16.48, abs=0.1)
    with pytest.raises(OptionsError, match="no phantom is called 'cat'"):
        phantom("cat")
