"""What the numbers in a file mean: every format goes through these decisions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_ptycho.io.counts import Plan
from napari_ptycho.io.interpret import interpret

ALL = (slice(None),)


def test_zero_frequency_at_the_corner_is_moved_to_the_middle(counts):
    found = interpret(np.fft.ifftshift(counts, axes=(1, 2)), None, near=False)
    np.testing.assert_array_equal(found.patterns, counts)
    assert "corner and was moved" in found.notes[0]


def test_near_field_frames_are_never_shifted(counts):
    stored = np.fft.ifftshift(counts, axes=(1, 2))
    np.testing.assert_array_equal(interpret(stored, None, near=True).patterns, stored)


def test_frames_that_do_not_tell_stay_and_say_so():
    found = interpret(np.ones((4, 16, 16), np.uint16), None, near=False)
    assert (found.patterns == 1).all()
    assert "taken to be in the middle" in found.notes[0]


def test_the_own_mask_is_not_part_of_the_shift_decision(counts):
    counts[:, 0, 0] = 10**6  # a hot pixel that would win the corner
    own = np.ones(counts.shape[1:], bool)
    own[0, 0] = False
    assert not interpret(counts, own, near=False).plan.shifted
    assert interpret(counts, None, near=False).plan.shifted


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_amplitudes_are_squared(counts, dtype):
    found = interpret(np.sqrt(counts).astype(dtype), None, near=False)
    np.testing.assert_array_equal(found.patterns, counts)
    assert any("amplitudes" in note for note in found.notes)


def test_whole_numbers_are_intensities_whatever_their_type(counts):
    found = interpret(counts.astype(np.float32), None, near=False)
    np.testing.assert_array_equal(found.patterns, counts)
    assert found.patterns.dtype == np.uint16
    assert any("float32" in note for note in found.notes)


def test_scaled_values_stay_as_they_are_and_say_what_is_assumed(counts):
    found = interpret(counts * 0.37, None, near=False)
    np.testing.assert_array_equal(found.patterns, counts * 0.37)
    assert any("taken as intensities" in note for note in found.notes)


@pytest.mark.parametrize(
    ("dtype", "code", "named"),
    [
        (np.uint16, 2**16 - 1, "65535"),
        (np.uint32, 2**32 - 1, "4294967295"),
        (np.int32, -1, "negative"),
        (np.int32, -2, "negative"),
        (np.int32, -7, "negative"),
        (np.int32, 2**31 - 1, "2147483647"),
        (np.float32, np.nan, "not a number"),
        (np.float64, np.inf, "not a number"),
        (np.float32, -0.5, "negative"),
        (np.uint32, 2**12 - 1, "4095"),
        (np.uint32, 2**16 - 1, "65535"),
        (np.float32, 2**32 - 1, "4294967296"),
    ],
)
def test_codes_of_dead_pixels_are_masked(counts, dtype, code, named):
    stored = counts.astype(dtype)
    stored[:, 5, 7] = code
    found = interpret(stored, None, near=False)
    expected = np.ones(counts.shape[1:], bool)
    expected[5, 7] = False
    np.testing.assert_array_equal(found.valid, expected)
    np.testing.assert_array_equal(found.patterns, counts * expected)
    note = next(note for note in found.notes if "dead-pixel" in note)
    assert named in note
    assert "1 of 768" in note


def test_codes_that_change_with_the_frame_are_masked_frame_by_frame(counts):
    stored = counts.astype(np.int32)
    stored[3, 5, 7] = -1
    found = interpret(stored, None, near=False)
    expected = stored >= 0
    np.testing.assert_array_equal(found.valid, expected)
    np.testing.assert_array_equal(found.patterns, counts * expected)
    assert any("frame by frame" in note for note in found.notes)


def test_4095_counts_in_single_frames_are_counts(counts):
    counts[2, 16, 12] = 4095
    found = interpret(counts.astype(np.uint16), None, near=False)
    assert found.valid is None
    assert found.patterns[2, 16, 12] == 4095


def test_4095_below_larger_counts_is_a_count(counts):
    counts[:, 16, 12], counts[0, 16, 13] = 4095, 5000
    assert interpret(counts, None, near=False).valid is None


def test_codes_under_the_own_mask_need_no_mask_per_frame(counts):
    counts[3, 5, 7] = -1
    own = np.ones(counts.shape[1:], bool)
    own[5, 7] = False
    found = interpret(counts, own, near=False)
    assert not found.plan.patchy
    assert found.patterns[3, 5, 7] == 0


def test_codes_are_shifted_with_the_frames(counts):
    stored = np.fft.ifftshift(counts, axes=(1, 2)).astype(np.int32)
    stored[:, 0, 0] = -1
    found = interpret(stored, None, near=False)
    assert not found.valid[counts.shape[1] // 2, counts.shape[2] // 2]


def test_int16_gone_over_the_top_becomes_uint16(counts):
    counts *= 55
    stored = counts.astype(np.uint16).view(np.int16)
    assert (stored < 0).any()
    found = interpret(stored, None, near=False)
    np.testing.assert_array_equal(found.patterns, counts)
    assert any("65536" in note for note in found.notes)


def test_int16_with_small_negative_codes_is_not_wrapped(counts):
    stored = counts.astype(np.int16)
    stored[:, 5, 7] = -1
    assert not interpret(stored, None, near=False).plan.wrapped


def test_big_endian_frames_are_read(counts):
    found = interpret(counts.astype(">u4"), None, near=False)
    np.testing.assert_array_equal(found.patterns, counts)
    assert found.patterns.dtype.isnative


def test_tiny_frames_are_not_shifted():
    found = interpret(np.eye(4, dtype=np.uint8)[np.newaxis], None, near=False)
    assert not found.plan.shifted


@given(
    arrays(np.int32, (2, 8, 9), elements=st.integers(-3, 5000)),
    st.booleans(),
    st.sampled_from([None, 4095.0]),
)
def test_a_plan_keeps_every_measured_count(stored, shifted, ceiling):
    decided = Plan(np.dtype(np.uint32), shifted=shifted, ceiling=ceiling)
    counts, valid = decided.counts(stored), decided.valid(stored)
    good = (stored >= 0) & (stored < (ceiling or np.inf))
    assert counts.sum() == stored[good].sum()
    assert valid.sum() == good.sum()
    assert (counts[~valid] == 0).all()


def test_small_intensities_are_no_amplitudes(counts):
    stored = (counts * 1e-7).astype(np.float32)
    found = interpret(stored, None, near=False)
    assert not found.plan.squared
    np.testing.assert_array_equal(found.patterns, stored)
