"""Traps that files set: pixels, masks, values, axes, probes.

Every test makes the trap in a file, opens it as a user does, and compares with what was put in.
"""

import numpy as np
import pytest

from napari_ptycho.errors import ScanError
from napari_ptycho.io import (
    read_scan,
)
from napari_ptycho.io.layout import Layout

from .conftest import H, N, W
from .traps import DATA, MASK, PLACES, told, translation

# pixels that do not count


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("u2", 65535),
        ("u4", 2**32 - 1),
        ("u2", 4095),
        ("i4", -1),
        ("i4", -2),
        ("f4", np.nan),
        ("f4", -1.0),
        ("u1", 255),
    ],
)
def test_dead_pixels_and_gaps_are_masked_not_clipped(cxi, counts, kind, code):
    stored = np.minimum(counts, 200).astype(kind)
    stored[:, 5, 6:9] = code
    scan = read_scan(cxi({DATA: stored}))
    expected = np.ones((H, W), bool)
    expected[5, 6:9] = False
    np.testing.assert_array_equal(scan.valid, expected)
    lit = np.minimum(counts, 200) * expected
    np.testing.assert_array_equal(scan.patterns * scan.valid, lit)
    assert f"3 of {H * W} pixels hold dead-pixel codes" in told(scan)


def test_pixels_that_are_dead_in_some_frames(cxi, counts):
    stored = counts.astype(np.int32)
    stored[4, 5, 6] = -1
    scan = read_scan(cxi({DATA: stored}))
    assert scan.valid.shape == (N, H, W)
    assert (~scan.valid).sum() == 1
    assert not scan.valid[4, 5, 6]
    assert "not the same in all frames; they were masked frame by frame" in told(scan)


def test_counts_that_went_over_the_top_of_int16(npz, counts, positions):
    large = counts * 60
    path = npz(patterns=large.astype(np.uint16).view(np.int16), positions_m=positions)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.patterns, large)
    assert "stored as negative int16; 65536 was added to them" in told(scan)


# masks


def test_the_bits_of_a_cxi_mask(cxi):
    mask = np.zeros((H, W), np.uint32)
    mask[2, 3], mask[4, 5] = 0x1, 0x1000  # bad; merely "has signal"
    scan = read_scan(cxi({MASK: mask}))
    assert not scan.valid[2, 3]
    assert scan.valid[4, 5]
    assert (~scan.valid).sum() == 1
    assert "The file's own mask marks 0.130% of the pixels as bad." in told(scan)


def test_a_mask_the_wrong_way_round(cxi):
    mask = np.ones((H, W), np.uint32)
    mask[0, :3] = 0
    scan = read_scan(cxi({MASK: mask}))
    assert "pixels as bad; is the mask inverted?" in told(scan)
    assert "valid pixels: More than half is masked; is the mask inverted?" in told(scan)


def test_a_mask_that_leaves_nothing(cxi):
    with pytest.raises(ScanError, match=r"no valid pixel is left; is the mask inverted"):
        read_scan(cxi({MASK: np.ones((H, W), np.uint32)}))


# what the numbers are


def test_amplitudes_are_squared(cxi, counts):
    scan = read_scan(cxi({DATA: np.sqrt(counts).astype(np.float32)}))
    np.testing.assert_array_equal(scan.patterns, counts)
    assert "amplitudes (their squares are whole numbers); they were squared" in told(scan)


def test_counts_are_not_squared(cxi, counts):
    scan = read_scan(cxi({DATA: counts.astype(np.float32)}))
    np.testing.assert_array_equal(scan.patterns, counts)
    assert "squared" not in told(scan)


def test_what_is_neither_is_told(cxi, counts):
    scan = read_scan(cxi({DATA: (counts * 0.37).astype(np.float32)}))
    np.testing.assert_allclose(scan.patterns, counts * 0.37, rtol=1e-6)
    assert "they are taken as intensities, not amplitudes" in told(scan)


def test_zero_frequency_at_the_corner(cxi, counts):
    scan = read_scan(cxi({DATA: np.fft.ifftshift(counts, axes=(1, 2)).astype(np.int32)}))
    np.testing.assert_array_equal(scan.patterns, counts)
    assert "Zero frequency was at the corner and was moved to the middle" in told(scan)


def test_frames_that_do_not_tell_where_zero_frequency_is(cxi):
    scan = read_scan(cxi({DATA: np.full((N, H, W), 7, np.int32)}))
    assert "Zero frequency is taken to be in the middle; the frames do not tell" in told(scan)


# axes


def test_translations_with_their_axes_exchanged(cxi, positions):
    path = cxi({PLACES: translation(positions).T})
    np.testing.assert_allclose(read_scan(path).positions_m, positions)


def test_two_rows_of_positions(npz, counts, positions):
    path = npz(patterns=counts.astype(np.uint16), positions_m=positions.T)
    scan = read_scan(path)
    np.testing.assert_allclose(scan.positions_m, positions)
    assert "were taken as a row of y, a row of x" in told(scan)


def test_frames_with_their_number_last(npz, counts, positions):
    path = npz(
        diffraction=np.moveaxis(counts, 0, 2).astype(np.uint16),
        xcoords_start=positions[:, 1],
        ycoords_start=positions[:, 0],
        probeGuess=np.ones((H, W), complex),
        objectGuess=np.ones((99, 99), complex),
    )
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m, positions)


def test_a_cube_of_four_axes_of_which_none_fits_asks(npz, counts, positions):
    stack = np.stack([counts, counts]).astype(np.uint16)
    with pytest.raises(ScanError, match=r"one angle, energy or channel at a time; say which axis"):
        read_scan(npz(patterns=stack, positions_m=positions))


def test_the_energy_of_a_spectrum_is_chosen(npz, counts, positions):
    stack = np.stack([counts, 2 * counts]).astype(np.uint16)
    path = npz(patterns=stack, positions_m=positions)
    scan = read_scan(path, layout=Layout(extra_axis="first", extra_index=1))
    np.testing.assert_array_equal(scan.patterns, 2 * counts)
    assert "place 1 of 2 on its first axis is read" in told(scan)


# probes, dark frames


def test_a_probe_of_another_size(npz, counts, positions):
    probe = np.zeros((8, 8), np.complex64)
    probe[4, 4] = 1
    scan = read_scan(npz(patterns=counts, positions_m=positions, probe=probe))
    assert scan.probe.shape == (1, H, W)
    assert np.argwhere(scan.probe[0]).tolist() == [[H // 2, W // 2]]
    assert "The probe of 8 x 8 pixels was padded or cropped around its middle" in told(scan)


def test_frames_without_beam(cxi, counts):
    stored = counts.astype(np.int32)
    stored[[2, 9]] = 0
    scan = read_scan(cxi({DATA: stored}))
    assert len(scan) == N - 2
    assert "2 frames hold no count at all and were left out: 2, 9." in told(scan)


def test_no_frame_with_a_count(cxi):
    scan = read_scan(cxi({DATA: np.zeros((N, H, W), np.int32)}))
    assert f"There is no count in any of {N} frames: was the shutter closed?" in told(scan)
    assert "counts per pattern: No counts at all" in told(scan)


def test_frames_with_hardly_any_beam(cxi, counts):
    monitor = np.full(N, 1000.0)
    monitor[5] = 40
    scan = read_scan(cxi({"entry_1/data_1/monitor": monitor}))
    np.testing.assert_array_equal(scan.patterns, np.delete(counts, 5, 0))
    assert "1 frames with a monitor below a tenth of its median (1000) were left out: 5." in told(
        scan
    )
