"""What was put in is found again: shift, ramp, constant and factor, real and complex."""

import numpy as np
import pytest
from scipy import fft, ndimage

from napari_ptycho.assess.pairing import shifted
from napari_ptycho.assess.plane import Plane
from napari_ptycho.assess.registration import AlignOptions, registered
from napari_ptycho.errors import OptionsError

SIDE = 128
FAR = (28.3, -31.6)
Y, X = np.indices((SIDE, SIDE)) - SIDE / 2


def landscape(seed=0, side=2 * SIDE):
    """A periodic image of blobs, about 4 pixels across."""
    noise = np.random.default_rng(seed).standard_normal((side, side))
    image = ndimage.gaussian_filter(noise, 1.5, mode="wrap")
    return image / image.std()


def window(image, shift=(0.0, 0.0)):
    """The middle of a periodic image after an exact shift."""
    ky, kx = fft.fftfreq(image.shape[0])[:, None], fft.fftfreq(image.shape[1])[None, :]
    moved = fft.ifft2(fft.fft2(image) * np.exp(-2j * np.pi * (ky * shift[0] + kx * shift[1])))
    start = (image.shape[0] - SIDE) // 2
    part = moved[start : start + SIDE, start : start + SIDE]
    return part if image.dtype.kind == "c" else part.real


def wave():
    return (1 + 0.1 * landscape(1)) * np.exp(0.8j * landscape())


def real_pair(shift, noise=0.0):
    rng = np.random.default_rng(5)
    two = noise * rng.standard_normal((2, SIDE, SIDE))
    moved = window(landscape(), shift) + two[1]
    return Plane(window(landscape()) + two[0]), Plane((moved - 0.3 - 0.002 * Y + 0.001 * X) / 1.7)


def complex_pair(shift, noise=0.0):
    rng = np.random.default_rng(5)
    two = noise * (rng.standard_normal((2, SIDE, SIDE)) + 1j * rng.standard_normal((SIDE, SIDE)))
    turn = np.exp(1j * (0.4 + 0.03 * Y - 0.012 * X)) / 1.3
    moved = (window(wave(), shift) + two[1]) * turn
    return Plane(window(wave()) + two[0], channel="complex"), Plane(moved, channel="complex")


@pytest.mark.parametrize("shift", [(0.31, -0.72), FAR])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_real_images(shift, noise):
    found = registered(*real_pair(shift, noise))
    np.testing.assert_allclose(found.shift_px, np.negative(shift), atol=0.02)
    np.testing.assert_allclose(found.ramp_rad, (0.002, -0.001), atol=2e-4)
    assert found.scale.real == pytest.approx(1.7, rel=0.03)
    assert found.scale.imag == 0
    # the slope moves along with the image: the constant in the middle changes with it
    assert found.offset == pytest.approx(0.3 + 0.002 * shift[0] - 0.001 * shift[1], abs=0.02)
    assert found.error < (0.4 if noise else 0.05)
    assert found.notes == ()


@pytest.mark.parametrize("shift", [(0.31, -0.72), FAR])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_complex_images(shift, noise):
    found = registered(*complex_pair(shift, noise))
    np.testing.assert_allclose(found.shift_px, np.negative(shift), atol=0.02)
    np.testing.assert_allclose(found.ramp_rad, (-0.03, 0.012), atol=2e-4)
    assert abs(found.scale) == pytest.approx(1.3, rel=0.02)
    assert found.error < (0.3 if noise else 0.05)
    left = np.angle(found.reference.data * found.image.data.conj())[found.area]
    assert abs(left.mean()) < 0.01


def test_only_what_both_know_is_compared():
    reference, image = real_pair(FAR)
    spoilt = reference.data.copy()
    spoilt[:20] = 40
    area = np.ones((SIDE, SIDE), bool)
    area[:20] = False
    found = registered(Plane(spoilt, area=area), image)
    np.testing.assert_allclose(found.shift_px, np.negative(FAR), atol=0.02)
    assert not found.area[:20].any()
    # rows that came from beyond the image are not known either
    assert not found.area[-int(FAR[0]) :].any()
    assert not found.area[:, : int(-FAR[1])].any()
    assert found.area[30:90, 40:120].all()
    np.testing.assert_array_equal(found.image.area & found.reference.area, found.area)


@pytest.mark.parametrize("name", ["shift", "phase", "ramp", "scale"])
@pytest.mark.parametrize("make", [real_pair, complex_pair])
def test_every_switch_matters(make, name):
    """What may not be removed stays, and the rest is larger for it."""
    full = registered(*make((1.3, -0.7)))
    found = registered(*make((1.3, -0.7)), AlignOptions(**{name: False}))
    assert found.error > full.error + 0.03
    kept = {
        "shift": found.shift_px == (0, 0),
        "phase": found.offset == 0,
        "ramp": found.ramp_rad == (0, 0),
        "scale": abs(found.scale) == pytest.approx(1),
    }
    assert kept[name]


@pytest.mark.parametrize("make", [real_pair, complex_pair])
def test_without_any_switch_nothing_changes(make):
    reference, image = make((1.3, -0.7))
    none = AlignOptions(shift=False, phase=False, ramp=False, scale=False)
    found = registered(reference, image, none)
    np.testing.assert_array_equal(found.image.data, image.data)
    assert found.area.all()


def test_two_kinds_of_noise_are_not_moved_far():
    """Nothing is alike: what is returned is still finite and within the limits."""
    rng = np.random.default_rng(3)
    found = registered(*(Plane(rng.standard_normal((SIDE, SIDE))) for _ in range(2)))
    assert np.isfinite(found.image.data).all()
    assert np.abs(found.shift_px).max() <= 0.35 * SIDE


def test_other_pixels_are_matched_first_and_said():
    fine = Plane(window(landscape()), name="fine", pixel_m=(10e-9, 10e-9))
    coarse_data = ndimage.zoom(ndimage.gaussian_filter(fine.data, 0.5), 0.5, order=3)
    coarse = Plane(coarse_data, name="coarse", pixel_m=(20e-9, 20e-9))
    found = registered(coarse, fine)
    assert found.image.shape == found.reference.shape == (SIDE // 2, SIDE // 2)
    assert found.image.pixel_m == found.reference.pixel_m == (20e-9, 20e-9)
    assert "fine was resampled from 10 nm pixels to 20 nm" in found.notes
    assert found.error < 0.2


def test_other_shapes_and_one_unknown_pixel():
    image = window(landscape())
    wider = Plane(image, name="wide", pixel_m=(10e-9, 10e-9))
    narrow = Plane(image[:, 20:-20], name="narrow", pixel_m=(10e-9, 10e-9))
    found = registered(wider, narrow)
    assert found.image.shape == (SIDE, SIDE - 40)
    assert any("the middle 128 x 88 are compared" in note for note in found.notes)
    np.testing.assert_allclose(found.shift_px, 0, atol=0.02)
    assert registered(wider, Plane(image)).image.pixel_m == (10e-9, 10e-9)


def test_a_phase_and_a_wave_are_refused():
    phase = Plane(window(landscape()), name="left", channel="phase")
    with pytest.raises(OptionsError, match=r"left \(phase\) and right \(complex\)"):
        registered(phase, Plane(window(wave()), name="right", channel="complex"))


def test_a_hundredth_of_a_pixel_costs_no_row():
    found = registered(*real_pair((0.02, -0.03)))
    assert found.shift_px != (0, 0)
    assert found.area.all()


def test_nothing_in_common_is_refused():
    left, right = np.zeros((2, SIDE, SIDE), bool)
    left[:40], right[60:] = True, True
    image = window(landscape())
    with pytest.raises(OptionsError, match="a and b: 0 pixels are known in both"):
        registered(Plane(image, name="a", area=left), Plane(image, name="b", area=right))


def test_shifting_keeps_fine_detail_and_undoes_itself():
    image = window(landscape(2))
    back = shifted(shifted(image, np.array([0.4, -1.7])), np.array([-0.4, 1.7]))
    inside = (slice(8, -8), slice(8, -8))
    assert np.abs(back - image)[inside].max() < 0.05
    np.testing.assert_array_equal(shifted(image, np.array([3.0, -2.0]))[5:, :-5], image[2:-3, 2:-3])
