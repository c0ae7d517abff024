"""Every trap of positions, frames and monitors that do not go together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_ptycho.errors import NeedsPositions, ScanError
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.matching import placed

N = 12


@pytest.fixture
def frames(rng):
    """(N, 16, 16) counts; frame k holds k + 1 more than the noise at [0, 0]."""
    counts = rng.poisson(5.0, (N, 16, 16))
    counts[:, 0, 0] += np.arange(1, N + 1)
    return counts


@pytest.fixture
def positions(rng):
    return rng.uniform(-2e-6, 2e-6, (N, 2))


@pytest.fixture
def draft(frames, positions):
    return Draft(Path("made.h5"), frames, positions)


def said(thing, words):
    """The one note with these words."""
    (note,) = [note for note in thing.notes if words in note]
    return note


def test_positions_that_are_not_finite_are_dropped_and_listed(draft, frames, positions):
    places = positions.copy()
    places[2, 0], places[5] = np.nan, np.inf
    scan = replace(draft, positions=places).scan(Request())
    keep = [number for number in range(N) if number not in (2, 5)]
    np.testing.assert_array_equal(scan.patterns, frames[keep])
    np.testing.assert_array_equal(scan.positions_m, positions[keep])
    assert said(scan, "2 patterns have no finite position and were dropped: 2, 5.")


def test_no_finite_position_at_all(draft):
    draft.positions = np.full((N, 2), np.nan)
    with pytest.raises(ScanError, match="none of 12 positions is a finite number"):
        draft.scan(Request())


def test_several_samples_of_a_position_for_each_frame_are_averaged(draft, positions):
    draft.positions = (positions[:, np.newaxis] + np.array([[-3e-8], [1e-8], [2e-8]])).reshape(
        -1, 2
    )
    scan = draft.scan(Request())
    np.testing.assert_allclose(scan.positions_m, positions, atol=1e-20)
    assert said(scan, "36 positions for 12 frames: the mean of each 3")


def test_more_frames_than_positions(draft, frames, positions):
    draft.positions = positions[:9]
    scan = draft.scan(Request())
    np.testing.assert_array_equal(scan.patterns, frames[:9])
    np.testing.assert_array_equal(scan.positions_m, positions[:9])
    note = said(scan, "12 patterns but 9 positions: only the first 9 of both are used")
    assert "check that they belong together" in note


def test_more_positions_than_frames(draft, frames, positions):
    draft.patterns = frames[:7]
    scan = draft.scan(Request())
    np.testing.assert_array_equal(scan.positions_m, positions[:7])
    assert said(scan, "7 patterns but 12 positions: only the first 7 of both are used")


def test_several_frames_for_each_position_are_not_guessed_but_told(draft, positions):
    draft.positions = positions[:4]
    scan = draft.scan(Request())
    assert len(scan) == 4
    assert "exactly 3 frames for each position" in said(scan, "12 patterns but 4 positions")


def test_every_third_frame_has_a_position_of_its_own(draft, frames, positions):
    draft.positions = positions[:4]
    scan = draft.scan(Request(layout=Layout(every=3)))
    np.testing.assert_array_equal(scan.patterns, frames[::3])
    np.testing.assert_array_equal(scan.positions_m, positions[:4])
    assert said(scan, "There are as many positions (4) as frames that are used")


def test_frames_are_chosen_with_their_positions(draft, frames, positions):
    draft.exposure = np.arange(1.0, N + 1)
    scan = draft.scan(Request(layout=Layout(first=2, last=11, every=4)))
    np.testing.assert_array_equal(scan.patterns, frames[2:11:4])
    np.testing.assert_array_equal(scan.positions_m, positions[2:11:4])
    np.testing.assert_array_equal(scan.exposure, [3, 7, 11])
    assert said(scan, "3 of 12 frames are used, as asked: from number 2 to 10, one of 4.")


def test_no_frame_is_left(draft):
    with pytest.raises(ScanError, match="no frame is left of 12 from number 50 to 12"):
        draft.scan(Request(layout=Layout(first=50)))


def test_chosen_frames_beyond_the_positions(draft, positions):
    draft.positions = positions[:7]
    with pytest.raises(ScanError, match="used has one of the 7 positions; check that"):
        draft.scan(Request(layout=Layout(first=8)))


def test_a_readback_of_zeros_is_told(draft, positions):
    draft.positions = positions * [0.0, 1.0]
    note = said(draft.scan(Request()), "at all 12 positions")
    assert note.startswith("y is 0 ")
    assert "was the encoder or interferometer off?" in note


def test_a_constant_axis_is_told(draft, positions):
    draft.positions = np.stack([positions[:, 0], np.full(N, 3e-3)], axis=1)
    assert said(draft.scan(Request()), "x is 0.003 at all 12 positions")


def test_frames_without_beam_by_the_monitor_are_left_out_and_listed(draft, frames, positions):
    draft.monitor = np.full(N, 200.0)
    draft.monitor[[1, 7]] = 19.0, np.nan
    draft.monitor[3] = 21.0
    placed_ = placed(draft, Request())
    keep = [number for number in range(N) if number not in (1, 7)]
    assert placed_.frames.tolist() == keep
    np.testing.assert_array_equal(placed_.positions, positions[keep])
    expected = np.ones(10)
    expected[keep.index(3)] = 21 / 200
    np.testing.assert_allclose(placed_.exposure, expected)
    assert said(draft, "2 frames with a monitor below a tenth of its median (200)")
    assert said(draft, "were left out: 1, 7.")


def test_the_monitor_multiplies_the_exposure(draft):
    draft.exposure, draft.monitor = np.full(N, 2.0), np.linspace(90, 112, N)
    scan = draft.scan(Request())
    np.testing.assert_allclose(scan.exposure, 2 * np.linspace(90, 112, N) / 101)


def test_a_monitor_of_several_samples_per_frame(draft):
    draft.monitor = np.repeat(np.arange(10.0, 10 + N), 2) + np.tile([-1, 1], N)
    scan = draft.scan(Request())
    np.testing.assert_allclose(scan.exposure, np.arange(10.0, 10 + N) / 15.5)
    assert said(scan, "The monitor has 24 values for 12 frames: the mean of each 2")


@pytest.mark.parametrize(
    ("monitor", "words"),
    [
        (np.ones(5), "The monitor has 5 values for 12 frames and was not used."),
        (np.zeros(N), "The monitor shows no beam at most frames; it was not used."),
    ],
)
def test_a_monitor_that_is_of_no_use(draft, monitor, words):
    draft.monitor = monitor
    scan = draft.scan(Request())
    assert len(scan) == N
    assert scan.exposure is None
    assert said(scan, words)


def test_an_exposure_that_does_not_fit(draft):
    draft.exposure = np.ones(5)
    with pytest.raises(ScanError, match=r"made.h5: exposure has shape \(5,\); need \(12,\)"):
        draft.scan(Request())


def test_frames_without_a_count_are_left_out(draft, frames, positions):
    frames[[0, 4]] = 0
    scan = draft.scan(Request())
    np.testing.assert_array_equal(scan.positions_m, np.delete(positions, [0, 4], axis=0))
    assert said(scan, "2 frames hold no count at all and were left out: 0, 4.")


def test_no_count_in_any_frame(draft):
    draft.patterns = np.zeros((N, 16, 16), np.uint16)
    scan = draft.scan(Request())
    assert len(scan) == N
    assert said(scan, "There is no count in any of 12 frames: was the shutter closed?")


def test_no_positions(draft):
    draft.positions = None
    with pytest.raises(NeedsPositions, match="holds 12 frames but no positions; give a second"):
        draft.scan(Request())


def test_positions_of_three_columns_are_refused(draft):
    draft.positions = np.zeros((N, 3))
    with pytest.raises(ScanError, match=r"positions have shape \(12, 3\); need \(12, 2\)"):
        draft.scan(Request())


def test_the_person_turns_the_positions_of_the_file(draft, positions):
    layout = Layout(position_order="xy", flip_y=True, rotate_deg=90, position_scale=2)
    scan = draft.scan(Request(layout=layout))
    y, x = -positions[:, 1], positions[:, 0]
    # A quarter turn from x towards y takes x to y and y to -x.
    np.testing.assert_allclose(scan.positions_m, 2 * np.stack([x, -y], axis=1), atol=1e-18)
    assert "turned by 90 degrees" in said(scan, "The positions were changed as asked")
