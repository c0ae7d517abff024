import numpy as np
import pytest

from napari_ptycho.prepare import find_raster

from . import trajectories


@pytest.mark.parametrize("fast", ["x", "y"])
@pytest.mark.parametrize("snake", [False, True])
@pytest.mark.parametrize("jitter", [0.0, 0.1, 0.25])
def test_rows_and_columns_are_found(fast, snake, jitter):
    found = find_raster(
        trajectories.scan_at(trajectories.raster(12, 17, snake, jitter, fast, (2.0, 3.0)))
    )
    line, index = np.divmod(np.arange(12 * 17), 17)
    expected = np.where(line % 2, 16 - index, index) if snake else index
    assert (found.rows, found.columns, found.fast_axis) == (12, 17, fast)
    np.testing.assert_array_equal(found.line, line)
    np.testing.assert_array_equal(found.index, expected)


def test_lines_of_differing_length_keep_common_columns():
    grid = trajectories.raster(10, 20)
    keep = (grid[:, 1] >= 3) | (grid[:, 0] % 3 > 0)
    keep[[25, 77, 140]] = False  # frames lost in the middle of a line
    found = find_raster(trajectories.scan_at(grid[keep]))
    np.testing.assert_array_equal(found.line, grid[keep][:, 0])
    np.testing.assert_array_equal(found.index, grid[keep][:, 1])


def test_a_tilted_raster_is_found():
    turn = np.array([[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]])
    found = find_raster(trajectories.scan_at(trajectories.raster(20, 30, True, 0.1) @ turn))
    assert (found.rows, found.columns, found.changes) == (20, 30, 19)


def test_the_order_of_the_frames_does_not_matter_for_the_grid(rng):
    grid = trajectories.raster(9, 11)
    found = find_raster(trajectories.scan_at(grid[rng.permutation(len(grid))]))
    assert {found.rows, found.columns} == {9, 11}


def test_positions_in_metres_give_the_same_raster():
    grid = trajectories.raster(8, 9, True, 0.2)
    in_metres = trajectories.scan_at(grid)
    in_metres = type(in_metres)(in_metres.patterns, positions_m=grid * 25e-9)
    np.testing.assert_array_equal(
        find_raster(in_metres).index, find_raster(trajectories.scan_at(grid)).index
    )


@pytest.mark.parametrize("n", [40, 200, 1000])
def test_what_has_no_lines_is_no_raster(rng, n):
    circles = [
        radius * np.stack([np.sin(turn), np.cos(turn)], axis=1)
        for radius in range(1, 9)
        for turn in [np.arange(5 * radius) * 2 * np.pi / (5 * radius)]
    ]
    for positions in (
        trajectories.spiral(n),
        trajectories.fermat(n),
        rng.uniform(0, 1, (n, 2)),
        np.concatenate(circles),
    ):
        assert find_raster(trajectories.scan_at(positions)) is None


@pytest.mark.parametrize("positions", [[[0, 0]], [[0, 0], [0, 1]], [[1, 1]] * 9])
def test_too_little_is_no_raster(positions):
    assert find_raster(trajectories.scan_at(np.array(positions, float))) is None


def test_a_single_line_is_no_raster():
    assert find_raster(trajectories.scan_at(trajectories.raster(1, 50))) is None
