"""What was kept and binned of a scan is done once more to the whole one."""

import numpy as np
import pytest

from napari_ptycho.errors import ScanError
from napari_ptycho.prepare import bin_positions, keep_every
from napari_ptycho.prepare.repeat import sampled_as

from . import trajectories


def done_as(scan, how):
    for step in how:
        scan = keep_every(scan, step) if isinstance(step, int) else bin_positions(scan, *step)
    return scan


@pytest.mark.parametrize(
    "how",
    [
        [((2, 3), "path")],
        [(4, "path")],
        [(4, "space")],
        [((2, 2), "path"), (3, "path")],
        [((1, 2), "path"), (2, "space"), (2, "path")],
        [3],
        [2, (4, "path"), 3],
        [],
    ],
)
@pytest.mark.parametrize("kept", [0, 1])
def test_a_scan_is_sampled_as_another_one_was(how, kept):
    """Whatever was done, in its order; and what was done before is not done again."""
    scan = trajectories.scan_at(trajectories.raster(8, 12), sources={"patterns": "file: data"})
    done = done_as(scan, how)
    again = sampled_as(done_as(scan, how[:kept]), done.sources)
    np.testing.assert_array_equal(again.patterns, done.patterns)
    np.testing.assert_array_equal(again.positions_px, done.positions_px)
    assert again.sources == done.sources


def test_what_was_sampled_further_is_left_alone():
    scan = trajectories.scan_at(trajectories.raster(8, 12))
    twice = bin_positions(bin_positions(scan, (2, 2)), (2, 1))
    thrice = bin_positions(twice, 2)
    assert sampled_as(thrice, twice.sources) is thrice
    assert sampled_as(thrice, {}) is thrice


def test_a_scan_that_cannot_be_binned_so_is_refused():
    scan = trajectories.scan_at(trajectories.raster(8, 12))
    blocks = bin_positions(scan, (2, 2)).sources
    with pytest.raises(ScanError, match="raster"):
        sampled_as(trajectories.scan_at(trajectories.fermat(96)), blocks)
