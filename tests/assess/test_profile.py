"""Lengths, units, means: known of images that are made so."""

import numpy as np
import pytest
from skimage.measure import profile_line

from napari_ptycho.assess.plane import Plane
from napari_ptycho.assess.profile import line_profile, radial_profile
from napari_ptycho.errors import OptionsError

SIDE = 101
Y, X = np.indices((SIDE, SIDE), float)
MIDDLE = (50.0, 50.0)


def test_a_line_is_what_scikit_image_says(rng):
    image = rng.standard_normal((SIDE, SIDE))
    for width in (1, 5):
        curve = line_profile(Plane(image), (10, 20), (70, 33), width)
        wanted = profile_line(image, (10, 20), (70, 33), linewidth=width, order=1)
        np.testing.assert_allclose(curve.y, wanted, atol=1e-9)


def test_a_line_over_a_slope_has_the_length_of_the_object():
    plane = Plane(2 * X + Y, pixel_m=(20e-9, 10e-9), channel="phase", name="slope")
    curve = line_profile(plane, (10, 10), (10, 60))
    assert (curve.x_unit, curve.y_unit, curve.label) == ("nm", "rad", "slope")
    assert curve.x[-1] == pytest.approx(500)
    np.testing.assert_allclose(np.diff(curve.y) / np.diff(curve.x), 0.2)
    slanted = line_profile(plane, (10, 10), (40, 50))
    assert slanted.x[-1] == pytest.approx(np.hypot(30 * 20, 40 * 10))
    assert line_profile(Plane(X), (10, 10), (10, 60)).x_unit == "px"


def test_across_the_line_is_across_in_the_object():
    """Stripes along a slanted line, in nm: a broad mean stays sharp only across them."""
    sides = np.array((20.0, 10.0))
    stripes = np.sin((Y * sides[0] - X * sides[1]) / 60)  # constant along (dy, dx) = (1, 2)
    plane = Plane(stripes, pixel_m=(20e-9, 10e-9))
    start, end = np.array((20.0, 60.0)), np.array((65.0, 24.0))
    across = np.array((end[0] - start[0], end[1] - start[1])) * sides
    # the line runs along the gradient of the stripes in nm: (20, -10) / nm -> (1, -1)
    end = start + np.array((1.0, -2.0)) * 25
    across = (end - start) * sides
    assert abs(across[0] + across[1]) < 1e-9
    narrow, broad = (line_profile(plane, start, end, width).y for width in (1, 9))
    np.testing.assert_allclose(broad, narrow, atol=0.05)


def test_where_nothing_is_known_there_is_a_gap():
    area = np.ones((SIDE, SIDE), bool)
    area[:, :30] = False
    curve = line_profile(Plane(X, area=area), (50, 10), (50, 120))
    assert np.isnan(curve.y[:19]).all()
    np.testing.assert_allclose(curve.y[21:90], curve.x[21:90] + 10)
    assert np.isnan(curve.y[-15:]).all()  # beyond the image
    broad = line_profile(Plane(X, area=area), (50, 10), (50, 60), 3)
    assert np.isnan(broad.y[:19]).all()


def test_rings_around_a_point():
    radius = np.hypot(Y - 50, X - 50)
    angle = np.arctan2(Y - 50, X - 50)
    plane = Plane(3 + 0.1 * radius + 0.8 * np.sin(12 * angle) * (radius > 10), name="star")
    found = radial_profile(plane, MIDDLE)
    assert len(found.mean.x) == 51
    rings = slice(12, 50)
    np.testing.assert_allclose(found.mean.y[rings], 3 + 0.1 * found.mean.x[rings], atol=0.06)
    np.testing.assert_allclose(found.spread.y[rings], 0.8 / np.sqrt(2), atol=0.04)
    assert found.spread.y[2:9].max() < 0.05
    assert found.pixels[30] == pytest.approx(2 * np.pi * 30, rel=0.1)


def test_rings_are_round_in_the_object():
    pixel = (20e-9, 10e-9)
    radius = np.hypot((Y - 50) * 20, (X - 50) * 10)
    found = radial_profile(Plane(radius, pixel_m=pixel), MIDDLE)
    assert found.mean.x_unit == "nm"
    np.testing.assert_allclose(found.mean.y[1:], found.mean.x[1:], atol=3)
    assert found.spread.y[5:].max() < 4
    assert found.mean.x[-1] == pytest.approx(500)


def test_the_largest_ring_can_be_chosen_and_reaches_into_the_image_from_a_corner():
    plane = Plane(X)
    assert len(radial_profile(plane, MIDDLE, 20).mean.x) == 21
    assert len(radial_profile(plane, (0, 0)).mean.x) == 26


def test_unknown_pixels_count_in_no_ring():
    area = X > 49.5
    values = np.where(area, 1 + 0.001 * Y, 99)
    found = radial_profile(Plane(values, area=area), MIDDLE, 40)
    assert found.mean.y[1:].max() < 1.2
    with pytest.raises(OptionsError, match="nothing is known within 3 pixels of row 10, column 10"):
        radial_profile(Plane(values, area=area), (10, 10), 3)


def test_waves_are_refused():
    wave = Plane(np.exp(1j * X), name="w")
    with pytest.raises(OptionsError, match="w is complex; a profile needs real values"):
        line_profile(wave, (1, 1), (9, 9))
    with pytest.raises(OptionsError, match="w is complex; a profile needs real values"):
        radial_profile(wave, MIDDLE)


@pytest.mark.parametrize(("end", "width"), [((10.2, 10.2), 1), ((40, 40), 0)])
def test_a_line_without_length_or_width(end, width):
    with pytest.raises(OptionsError, match="need at least 1 pixel each"):
        line_profile(Plane(X), (10, 10), end, width)
