import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Geometry

FAR = Geometry(energy_ev=11_100, distance_m=2.0, detector_pixel_m=(75e-6, 50e-6))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"energy_ev": 0}, "energy_ev is 0; it must be positive (None if unknown)"),
        ({"energy_ev": float("nan")}, "energy_ev is nan"),
        ({"distance_m": -1.0}, "distance_m is -1.0"),
        ({"focus_to_sample_m": float("inf")}, "focus_to_sample_m is inf"),
        ({"detector_pixel_m": (0.0, 1.0)}, "detector_pixel_m height is 0.0"),
        ({"detector_pixel_m": (1.0, 0.0)}, "detector_pixel_m width is 0.0"),
        ({"detector_pixel_m": (1.0, 1.0, 1.0)}, "need (height, width) in m"),
        ({"propagation": "middle"}, "propagation is 'middle'; it must be far or near"),
    ],
)
def test_impossible_values_are_refused(values, sentence):
    with pytest.raises(ScanError) as caught:
        Geometry(**values)
    assert sentence in str(caught.value)


def test_an_angstrom_is_12398_ev():
    assert Geometry(energy_ev=12_398.42).wavelength_m == pytest.approx(1e-10, rel=1e-6)
    assert Geometry().wavelength_m is None


def test_a_far_field_pixel_is_wavelength_times_distance_over_the_detector():
    pixel = FAR.pixel_size_m((128, 64))
    reach = FAR.wavelength_m * 2.0
    assert pixel == pytest.approx((reach / (128 * 75e-6), reach / (64 * 50e-6)))


@pytest.mark.parametrize("missing", ["energy_ev", "distance_m", "detector_pixel_m"])
def test_a_far_field_pixel_needs_all_three(missing):
    values = {"energy_ev": 8000.0, "distance_m": 1.0, "detector_pixel_m": (1e-5, 1e-5)}
    assert Geometry(**{**values, missing: None}).pixel_size_m((8, 8)) is None


def test_a_parallel_near_field_has_the_detector_pixel():
    near = Geometry(distance_m=1.0, detector_pixel_m=(1e-6, 2e-6), propagation="near")
    assert near.pixel_size_m((8, 8)) == (1e-6, 2e-6)
    assert near.effective_distance_m == 1.0


@given(st.floats(1e-4, 1.0), st.floats(1e-3, 10.0))
def test_fresnel_scaling_keeps_the_fresnel_number(focus, distance):
    near = Geometry(8000.0, distance, (55e-6, 55e-6), "near", focus)
    pixel = near.pixel_size_m((8, 8))[0]
    assert pixel == pytest.approx(55e-6 * focus / (focus + distance))
    assert 1 / near.effective_distance_m == pytest.approx(1 / focus + 1 / distance)


def test_magnification_needs_the_distance():
    near = Geometry(detector_pixel_m=(1e-6, 1e-6), propagation="near", focus_to_sample_m=1e-3)
    assert near.magnification is None
    assert near.effective_distance_m is None
    assert near.pixel_size_m((8, 8)) is None


def test_numpy_pairs_become_plain_floats():
    pair = Geometry(detector_pixel_m=np.array([1, 2])).detector_pixel_m
    assert pair == (1.0, 2.0)
    assert all(type(value) is float for value in pair)
