"""Where an image is sharp, and where it is not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_ptycho.assess.blocks import ring_matrix
from napari_ptycho.assess.plane import Plane
from napari_ptycho.assess.rolling import MapOptions, resolution_map
from napari_ptycho.errors import OptionsError

N, SIGMA = 256, 0.1
STILL = MapOptions(register=False)
LEFT, RIGHT = (slice(32, -32), slice(32, 112)), (slice(32, -32), slice(144, -32))


def star(blur=2.0):
    """Spokes; the right half blurred."""
    y, x = np.mgrid[:N, :N] - (N - 1) / 2
    sharp = (np.sin(36 * np.arctan2(y, x)) > 0).astype(float)
    return np.where(np.arange(N) < N // 2, sharp, gaussian_filter(sharp, blur))


def copies(image, sigma=SIGMA, **how):
    rng = np.random.default_rng(0)
    return [Plane(image + sigma * rng.standard_normal(image.shape), **how) for _ in range(2)]


@pytest.fixture(scope="module")
def halves():
    return copies(star())


def test_sharp_on_the_left_blurred_on_the_right(halves):
    """Section 2 of shared/reference/dip_frc.md: 2.0 against 5.3 to 5.6 pixels."""
    found = resolution_map(*halves, STILL)
    assert np.nanmedian(found.data[LEFT]) == pytest.approx(2.0, abs=0.02)
    assert 5.1 < np.nanmedian(found.data[RIGHT]) < 5.7
    assert found.data.shape == (N, N)
    assert found.unit == "px"
    assert found.finest == 2.0
    # the sharp half never falls
    assert 400 < found.never < 700
    assert found.blank == 0
    assert found.windows == (N // 8) ** 2
    assert any("never fall" in line for line in found.lines())


def test_it_is_what_one_window_says_by_itself(halves):
    """A window in the middle, computed as one writes it."""
    at, block = (96, 168), 64
    cut = tuple(slice(c - block // 2, c + block // 2) for c in at)
    window = np.outer(np.hamming(block), np.hamming(block))
    one, two = (np.fft.fft2((p.data[cut] - p.data[cut].mean()) * window) for p in halves)
    k = np.fft.fftfreq(block, 1 / block)
    ring = np.floor(np.hypot(k[:, None], k[None]) + 0.5).astype(int)
    curve = np.array(
        [
            (one * two.conj()).real[ring == r].sum()
            / np.sqrt((np.abs(one[ring == r]) ** 2).sum() * (np.abs(two[ring == r]) ** 2).sum())
            for r in range(block // 2)
        ]
    )
    above = curve - 1 / 7
    fall = next(r for r in range(2, 31) if above[r] > 0 >= above[r + 1])
    place = (fall + above[fall] / (above[fall] - above[fall + 1])) / block
    found = resolution_map(*halves, MapOptions(register=False, smoothing=1))
    assert found.data[at] == pytest.approx(1 / place, rel=1e-3)


@pytest.mark.parametrize("half", [True, False])
def test_the_rings_hold_every_frequency_once(half):
    matrix, pixels = ring_matrix(16, half)
    assert pixels[0] == 1
    k = np.fft.fftfreq(16, 1 / 16)
    ring = np.floor(np.hypot(k[:, None], k[None]) + 0.5)
    np.testing.assert_array_equal(pixels, [(ring == r).sum() for r in range(8)])
    assert matrix.shape[0] == (16 * 9 if half else 256)


def test_nanometres_and_half_periods(halves):
    planes = [Plane(plane.data, pixel_m=(10e-9, 10e-9)) for plane in halves]
    full = resolution_map(*planes, STILL)
    half = resolution_map(*planes, MapOptions(register=False, period="half"))
    assert full.unit == "nm"
    assert full.finest == pytest.approx(20)
    np.testing.assert_allclose(half.data, full.data / 2)
    oblong = [Plane(plane.data, pixel_m=(20e-9, 5e-9)) for plane in halves]
    found = resolution_map(*oblong, STILL)
    assert found.finest == pytest.approx(20)
    assert any("not square" in note for note in found.notes)


def test_options_matter(halves):
    base = resolution_map(*halves, STILL)
    for name, value in {
        "block": 32,
        "threshold": "0.5",
        "window": "none",
        "smoothing": 1,
        "step": 16,
    }.items():
        other = resolution_map(*halves, MapOptions(register=False, **{name: value}))
        right = np.nanmean(other.data[RIGHT]), np.nanmean(base.data[RIGHT])
        assert abs(right[0] - right[1]) > 1e-4, name
    assert resolution_map(*halves, MapOptions(register=False, step=16)).windows == base.windows / 4
    for threshold in ("half-bit", "3-sigma"):
        options = MapOptions(register=False, threshold=threshold)
        coarser = resolution_map(*halves, options)
        assert np.nanmedian(coarser.data[RIGHT]) > np.nanmedian(base.data[RIGHT])


def test_a_shifted_half_is_brought_back(halves):
    moved = Plane(np.roll(halves[1].data, (3, -2), (0, 1)))
    registered = resolution_map(halves[0], moved)
    assert np.nanmedian(registered.data[RIGHT]) < 6
    left_alone = resolution_map(halves[0], moved, STILL)
    assert np.nanmedian(left_alone.data[RIGHT]) > 1.5 * np.nanmedian(registered.data[RIGHT])


def test_where_there_is_no_signal_it_is_blank():
    image = star(0.0)
    image[:, :112] = 0
    found = resolution_map(*copies(image), STILL)
    assert np.isnan(found.data[:, :60]).mean() > 0.98
    assert np.isfinite(found.data[:, 160:]).all()
    assert found.blank > 200


def test_outside_of_the_area_it_is_blank(halves):
    area = np.ones((N, N), bool)
    area[:, 200:] = False
    spoilt = [np.where(area, plane.data, 50 + i) for i, plane in enumerate(halves)]
    found = resolution_map(*(Plane(one, area=area) for one in spoilt), STILL)
    assert np.isnan(found.data[:, 200:]).all()
    clean = resolution_map(*halves, STILL)
    np.testing.assert_allclose(found.data[:, :160], clean.data[:, :160], rtol=1e-3)
    assert np.nanmedian(found.data[32:-32, 170:200]) < 8
    assert found.windows < clean.windows


def test_waves(halves):
    waves = [Plane(np.exp(1j * plane.data), channel="complex") for plane in halves]
    found = resolution_map(*waves, STILL)
    assert np.nanmedian(found.data[LEFT]) == pytest.approx(2.0, abs=0.05)
    assert 4.5 < np.nanmedian(found.data[RIGHT]) < 7


def test_one_image_is_calibrated_and_warned_of():
    image = gaussian_filter(np.random.default_rng(3).standard_normal((N, N)), 2.0)
    first, second = copies(image / image.std(), 0.2)
    pair = resolution_map(first, second, STILL)
    single = resolution_map(first)
    assert single.single
    assert single.data.shape == (N, N)
    # Koho: within a fifth of the two-image number (section 1.9 of the reference page)
    assert single.median == pytest.approx(pair.median, rel=0.25)
    assert single.warnings == ()
    assert any("128 of its pixels" in note for note in single.notes)
    denoised = resolution_map(Plane(first.data, name="a", processed="denoised (arch1)"))
    assert "not valid" in denoised.warnings[0]
    odd = resolution_map(Plane(first.data[:-1]))
    assert odd.data.shape == (N - 2, N)
    assert any("left out" in note for note in odd.notes)


def test_two_denoised_images_are_warned_of(halves):
    planes = [Plane(plane.data, processed="denoised (skip)") for plane in halves]
    assert "different seeds" in resolution_map(*planes, STILL).warnings[0]
    assert resolution_map(planes[0], halves[1], STILL).warnings == ()


def test_failures(halves):
    small = [plane.cut(slice(0, 48), slice(0, 48)) for plane in halves]
    with pytest.raises(OptionsError, match="a window of 64 needs at least 64 x 64: choose"):
        resolution_map(*small, STILL)
    with pytest.raises(OptionsError, match="a window of 64 needs at least 128 x 128"):
        resolution_map(halves[0].cut(slice(0, 100), slice(0, 100)))
    rng = np.random.default_rng(0)
    noise = [Plane(rng.standard_normal((64, 64))) for _ in range(2)]
    with pytest.raises(OptionsError, match=r"there is no signal to map.*; choose another pair"):
        resolution_map(noise[0], noise[1], MapOptions(register=False, step=64, threshold="0.5"))


def test_what_a_file_says(halves):
    about = resolution_map(*halves, STILL).about()["resolution_map"]
    assert about["images"] == 2
    assert about["options"]["block"] == 64
    assert about["finest"] == 2.0
