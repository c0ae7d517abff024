import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptycho.errors import PtychoError, ScanError
from napari_ptycho.model import Geometry, Scan

N, H, W = 5, 8, 6
PLACES = np.zeros((N, 2))


def made(patterns=None, **more):
    patterns = np.ones((N, H, W), np.uint16) if patterns is None else patterns
    if not {"positions_m", "positions_px"} & set(more):
        more["positions_px"] = PLACES
    return Scan(patterns, name="made", **more)


def with_one(value, dtype=np.float32):
    patterns = np.ones((N, H, W), dtype)
    patterns[3, 1, 2] = value
    return patterns


REFUSED = {
    "patterns have shape (8, 6); need (N, H, W)": lambda: made(np.ones((H, W))),
    "patterns have shape (0, 8, 6)": lambda: made(np.ones((0, H, W))),
    "patterns are complex128; need real counts": lambda: made(np.ones((N, H, W), complex)),
    "patterns are bool; need real counts": lambda: made(np.ones((N, H, W), bool)),
    "patterns 0..4 holds 1 values that are not finite": lambda: made(with_one(np.nan)),
    "pattern 3 has a count of -1; need counts >= 0": lambda: made(with_one(-1, np.int32)),
    "pattern 3 has a count of -0.5": lambda: made(with_one(-0.5)),
    "0 of positions_m and positions_px given": lambda: made(positions_px=None),
    "2 of positions_m and positions_px given": lambda: made(
        positions_px=PLACES, positions_m=PLACES
    ),
    "5 patterns but positions_m has shape (4, 2); need (5, 2) as (y, x) in metres": lambda: made(
        positions_m=PLACES[:4]
    ),
    "need (5, 2) as (y, x) in object pixels": lambda: made(positions_px=PLACES[:4]),
    "positions_m holds 10 values that are not finite": lambda: made(positions_m=PLACES + np.nan),
    "valid is float64 of shape (8, 6); need bool": lambda: made(valid=np.ones((H, W))),
    "valid is bool of shape (6, 8)": lambda: made(valid=np.ones((W, H), bool)),
    "no valid pixel is left; is the mask inverted": lambda: made(valid=np.zeros((H, W), bool)),
    "probe has shape (8, 6); need (M, 8, 6)": lambda: made(probe=np.ones((H, W))),
    "probe has shape (0, 8, 6)": lambda: made(probe=np.ones((0, H, W))),
    "probe holds 96 values that are not finite": lambda: made(
        probe=np.full((2, H, W), np.inf, complex)
    ),
    "exposure has shape (4,)": lambda: made(exposure=np.ones(4)),
    "need 5 positive numbers": lambda: made(exposure=np.array([1, 1, 0, 1, 1])),
    "exposure holds 1 values that are not finite": lambda: made(
        exposure=np.array([1, 1, np.inf, 1, 1])
    ),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_each_refusal_is_a_sentence(sentence):
    with pytest.raises(ScanError) as caught:
        REFUSED[sentence]()
    assert str(caught.value).startswith("made: ")
    assert sentence in str(caught.value)
    assert isinstance(caught.value, PtychoError)
    assert not isinstance(caught.value, RuntimeError)


def test_what_is_given_is_frozen_but_the_callers_own_stays_writable():
    patterns = np.ones((N, H, W), np.uint16)
    scan = made(patterns)
    with pytest.raises(ValueError, match="read-only"):
        scan.patterns[0, 0, 0] = 2
    patterns[0, 0, 0] = 3
    assert scan.valid.all()
    assert scan.frame_shape == (H, W)
    assert len(scan) == N


def test_positions_in_pixels():
    metres = np.array([[1e-6, 2e-6]] * N)
    geometry = Geometry(detector_pixel_m=(1e-7, 2e-7), propagation="near")
    scan = made(positions_m=metres, geometry=geometry)
    np.testing.assert_allclose(scan.in_pixels(), [[10, 10]] * N)
    np.testing.assert_array_equal(made(positions_px=PLACES + 3).in_pixels(), PLACES + 3)


@pytest.mark.parametrize(
    ("known", "missing"),
    [
        ({"energy_ev": 8000}, "distance_m, detector_pixel_m"),
        ({"distance_m": 1.0, "detector_pixel_m": (1e-4, 1e-4)}, "energy_ev"),
        ({"detector_pixel_rad": (1e-3, 1e-3), "particle": "electron"}, "energy_ev"),
        ({"distance_m": 1.0, "propagation": "near"}, "detector_pixel_m"),
        ({"focus_to_sample_m": 1.0, "propagation": "near"}, "distance_m, detector_pixel_m"),
    ],
)
def test_positions_in_pixels_need_a_pixel_and_name_only_what_it_lacks(known, missing):
    scan = made(positions_m=PLACES, geometry=Geometry(**known))
    with pytest.raises(ScanError, match=rf"\({missing} missing\)"):
        scan.in_pixels()


@given(st.integers(1, 13), st.integers(1, 5), st.integers(1, 4000), st.booleans())
def test_blocks_hold_every_frame_once_in_order(n, chunk, bytes_at_once, lazy):
    patterns = np.arange(n * 4 * 3, dtype=np.uint16).reshape(n, 4, 3)
    source = da.from_array(patterns, chunks=(chunk, -1, -1)) if lazy else patterns
    scan = Scan(source, positions_px=np.zeros((n, 2)))
    assert scan.is_lazy == lazy
    parts = list(scan.blocks(bytes_at_once))
    np.testing.assert_array_equal(np.concatenate([block for _, block in parts]), patterns)
    assert [frames.start for frames, _ in parts[1:]] == [frames.stop for frames, _ in parts[:-1]]
    if lazy:
        assert all(frames.start % min(chunk, n) == 0 for frames, _ in parts)


@pytest.mark.parametrize("value", [-1.0, np.nan])
def test_a_lazy_scan_is_checked_when_it_is_read(value):
    scan = made(da.from_array(with_one(value), chunks=(2, -1, -1)))
    with pytest.raises(ScanError, match="pattern"):
        list(scan.blocks(1))


def test_valid_of_frames():
    valid = np.ones((N, H, W), bool)
    valid[2, 1, 1] = False
    for given_as in (valid, da.from_array(valid, chunks=(2, -1, -1))):
        scan = made(valid=given_as)
        np.testing.assert_array_equal(scan.valid_of(slice(1, 3)), valid[1:3])
    assert made(valid=valid[2]).valid_of(slice(1, 3)).shape == (H, W)
