"""What was put in is what is left, with its sign, its unit and its place."""

import numpy as np
import pytest
from scipy import ndimage

from napari_ptycho.assess.differences import DifferenceOptions, difference
from napari_ptycho.assess.plane import Plane
from napari_ptycho.errors import OptionsError

SIDE, SIGMA = 96, 0.05
Y, X = np.indices((SIDE, SIDE)) - SIDE / 2


def landscape():
    noise = np.random.default_rng(1).standard_normal((SIDE, SIDE))
    image = ndimage.gaussian_filter(noise, 3, mode="wrap")
    return image / image.std()


def blob(y=60, x=30, size=0.5):
    return size * np.exp(-((Y + SIDE / 2 - y) ** 2 + (X + SIDE / 2 - x) ** 2) / 8)


def noise(seed):
    return np.random.default_rng(seed).normal(0, SIGMA, (SIDE, SIDE))


@pytest.fixture
def pair():
    image = landscape() + blob() + 0.7 + 0.003 * Y
    return Plane(image, name="new", channel="phase"), Plane(
        landscape(), name="old", channel="phase"
    )


def test_an_invented_blob_is_found_where_it_is(pair):
    found = difference(*pair)
    assert found.name == "difference: new - old"
    assert found.unit == "rad"
    assert found.at == pytest.approx((60, 30), abs=1)
    assert found.largest == pytest.approx(0.5, rel=0.1)
    assert found.limits[0] == -found.limits[1]
    outside = np.abs(found.data) > found.limits[1]
    assert 0.005 < outside.mean() <= 0.0101
    np.testing.assert_allclose(found.rms, np.sqrt(np.nanmean(found.data**2)))
    # the sign turns with the order
    turned = difference(pair[1], pair[0])
    assert turned.largest == pytest.approx(-found.largest, rel=0.05)
    # the constant and the ramp are gone
    assert abs(found.mean) < 0.01
    assert any(line.startswith("ramp  -0.003") for line in found.lines())


def test_switches_let_the_constant_stay(pair):
    kept = difference(*pair, DifferenceOptions(phase=False, ramp=False, shift=False))
    assert kept.mean == pytest.approx(0.7, abs=0.05)
    assert not any(line.startswith(("constant", "ramp", "shift")) for line in kept.lines())


def test_a_lost_contrast_shows_unless_it_is_removed():
    plane = Plane(landscape())
    weak = Plane(0.5 * landscape())
    assert difference(weak, plane).rms == pytest.approx(0.5, rel=0.05)
    assert difference(weak, plane, DifferenceOptions(scale=True)).rms < 1e-6


def test_in_percent_of_the_span(pair):
    found = difference(*pair, DifferenceOptions(kind="relative"))
    level = landscape()
    span = np.subtract(*np.percentile(level, (99, 1)))
    absolute = difference(*pair)
    np.testing.assert_allclose(found.rms, 100 * absolute.rms / span, rtol=0.01)
    assert found.unit == "%"
    assert any("percentile 1 to 99" in note for note in found.notes)


def test_in_sigmas_of_the_noise():
    """Two copies with the same noise differ by the root of two."""
    planes = [Plane(landscape() + noise(seed), name=f"copy {seed}") for seed in (1, 2)]
    found = difference(*planes, DifferenceOptions(kind="sigma"))
    assert found.unit == "σ"
    assert found.rms == pytest.approx(np.sqrt(2), rel=0.2)  # structure counts as noise too
    assert any("by its finest details" in note for note in found.notes)
    # halves have the root of two times the noise of the whole
    halves = tuple(
        Plane(landscape() + np.sqrt(2) * noise(seed), name=f"half {seed}") for seed in (3, 4)
    )
    better = difference(*planes, DifferenceOptions(kind="sigma"), halves)
    assert better.rms == pytest.approx(np.sqrt(2), rel=0.05)
    assert any("from the halves half 3 and half 4" in note for note in better.notes)


def test_the_noise_of_a_denoised_reference_is_said_to_be_none():
    raw = Plane(landscape() + noise(1))
    clean = Plane(landscape() + 1e-4 * noise(2), processed="denoised (arch1)")
    found = difference(raw, clean, DifferenceOptions(kind="sigma"))
    assert any("denoised (arch1)" in note for note in found.notes)


def test_outside_of_the_area_there_is_nothing(pair):
    area = np.ones((SIDE, SIDE), bool)
    area[:20] = False
    found = difference(pair[0], Plane(pair[1].data, area=area))
    assert np.isnan(found.data[:20]).all()
    assert np.isfinite(found.data[25:-5, 5:-5]).all()


def test_waves_by_phase_or_by_amplitude():
    phase = 3 * landscape()  # wraps
    wave = (1 + 0.1 * landscape()) * np.exp(1j * phase)
    other = 1.2 * np.abs(wave) * np.exp(1j * (phase + blob(size=0.4) + 1.0))
    planes = Plane(other, channel="complex"), Plane(wave, channel="complex")
    by_phase = difference(*planes)
    assert by_phase.unit == "rad"
    assert by_phase.largest == pytest.approx(0.4, rel=0.1)
    assert np.nanmax(np.abs(by_phase.data)) < 0.5
    by_amplitude = difference(*planes, DifferenceOptions(of="amplitude"))
    assert by_amplitude.unit == ""
    assert by_amplitude.mean == pytest.approx(0.2, rel=0.05)


def test_the_same_image_differs_nowhere():
    plane = Plane(landscape())
    found = difference(plane, plane)
    assert found.rms < 1e-9
    assert found.limits[1] > 0


def test_without_noise_or_span_there_is_no_unit():
    flat = np.zeros((SIDE, SIDE))
    flat[40, 40] = 1.0
    spot = Plane(flat, name="spot")
    with pytest.raises(OptionsError, match="spot: its noise is 0"):
        difference(spot, spot, DifferenceOptions(kind="sigma"))
    with pytest.raises(OptionsError, match="spot: the span between its percentiles 1 and 99 is 0"):
        difference(spot, spot, DifferenceOptions(kind="relative"))


def test_what_a_file_says(pair):
    about = difference(*pair).about()["difference"]
    assert about["image"] == "new"
    assert about["reference"] == "old"
    assert about["options"]["scale"] is False
    assert about["ramp_per_px"][0] == pytest.approx(-0.003, abs=5e-4)
