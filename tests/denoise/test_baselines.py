"""Classical methods, and how their strength is found."""

import numpy as np
import pytest

from napari_ptycho.denoise import ClassicalOptions, classical
from napari_ptycho.errors import OptionsError
from napari_ptycho.phantoms import noisy

METHODS = ("tv", "nlm", "wavelet")


@pytest.fixture(scope="module")
def picture():
    return noisy("fibres", 96)


def psnr(image, clean):
    return -10 * np.log10(((image - clean) ** 2).mean())


@pytest.mark.parametrize("how", ["noise", "j-invariant"])
@pytest.mark.parametrize("method", METHODS)
def test_noise_goes(picture, method, how):
    image, clean = picture
    result = classical(image, ClassicalOptions(method=method, calibrate=how), clean)
    assert psnr(result.image, clean) > psnr(image, clean) + 2
    assert result.score("psnr_db") == pytest.approx(psnr(result.image, clean), abs=1e-3)
    assert result.iteration == 0
    assert f"strength from: {how}" in result.notes


@pytest.mark.parametrize("method", METHODS)
def test_calibrated_by_a_second_copy_it_is_near_its_best(picture, method):
    image, clean = picture
    second = noisy("fibres", 96, seed=1)[0]
    found = classical(image, ClassicalOptions(method=method), clean, second=second)
    assert "strength from: second-copy" in found.notes
    tried = [
        classical(image, ClassicalOptions(method=method, strength=s), clean, second=second)
        for s in np.geomspace(0.2, 5, 9)
    ]
    assert found.score("psnr_db") > max(one.score("psnr_db") for one in tried) - 0.5


def test_complex_images_and_unknown_pixels(picture):
    image = np.exp(1j * picture[0]).astype(np.complex64)
    weight = np.ones(image.shape)
    weight[:5] = 0
    result = classical(image, ClassicalOptions(strength=0.6), weight=weight)
    assert result.image.dtype == np.complex64
    np.testing.assert_array_equal(result.image[:5], image[:5])
    assert np.abs(result.image[5:] - image[5:]).max() > 0.05


def test_every_option_matters(picture):
    usual = ClassicalOptions(calibrate="noise")
    base = classical(picture[0], usual).image
    for change in (
        {"method": "nlm"},
        {"strength": 2.0},
        {"sigma": 0.5},
        {"calibrate": "j-invariant"},
    ):
        other = classical(picture[0], ClassicalOptions.from_dict({**usual.as_dict(), **change}))
        assert np.abs(other.image - base).max() > 1e-4
    wide = ClassicalOptions(calibrate="noise", data_range=10.0)
    assert classical(picture[0], wide).score("fidelity_db") > 20


def test_a_second_copy_that_is_asked_for_must_be_there(picture):
    with pytest.raises(OptionsError, match="needs a second image"):
        classical(picture[0], ClassicalOptions(calibrate="second-copy"))
    with pytest.raises(OptionsError, match="nothing to denoise"):
        classical(np.zeros((9, 9)))
