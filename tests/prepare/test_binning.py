import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.prepare import bin_positions
from napari_ptycho.prepare.groups import group

from . import trajectories

TRAJECTORIES = {
    "raster": lambda: trajectories.raster(7, 9),
    "snake": lambda: trajectories.raster(7, 9, snake=True),
    "jittered": lambda: trajectories.raster(7, 9, True, 0.2),
    "slow x": lambda: trajectories.raster(7, 9, fast="y"),
    "spiral": lambda: trajectories.spiral(63),
    "fermat": lambda: trajectories.fermat(63),
}
SIZES = st.one_of(
    st.tuples(st.integers(1, 70), st.sampled_from(["path", "space"])),
    st.tuples(st.tuples(st.integers(1, 8), st.integers(1, 10)), st.just("path")),
)


def counts(dtype, n, seed):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.uniform(0, 1e6, (n, 3, 5)).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, (n, 3, 5), dtype, endpoint=True)


@given(
    SIZES,
    st.sampled_from(["u1", "u2", "u4", "i4", "f4"]),
    st.sampled_from(sorted(TRAJECTORIES)),
    st.integers(0, 9),
)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_counts_are_conserved_whatever_the_scan(size, dtype, trajectory, seed):
    positions = TRAJECTORIES[trajectory]()
    patterns = counts(dtype, len(positions), seed)
    scan = Scan(patterns, positions_px=positions)
    if isinstance(size[0], tuple) and trajectory in ("spiral", "fermat"):
        return
    binned = bin_positions(scan, *size)
    exact = patterns.astype(object) if patterns.dtype.kind != "f" else patterns.astype(np.float64)
    groups = group(scan, *size)
    for number in range(len(binned)):
        members = groups.members(number)
        expected = exact[members].sum(axis=0).astype(np.float64)
        np.testing.assert_allclose(binned.patterns[number].astype(np.float64), expected, rtol=1e-14)
    assert sorted(groups.frames) == list(range(len(scan)))
    if patterns.dtype.kind != "f":
        assert int(binned.patterns.astype(object).sum()) == int(exact.sum())


@pytest.mark.parametrize("size", [4, (2, 3), (3, 2)])
@pytest.mark.parametrize("chunk", [1, 5, 16, 63])
@pytest.mark.parametrize("neighbours", ["path", "space"])
def test_lazy_equals_eager(size, chunk, neighbours):
    positions = trajectories.raster(7, 9, True, 0.1)
    patterns = counts("u2", 63, 1)
    valid = np.random.default_rng(2).random((63, 3, 5)) > 0.1
    eager = bin_positions(Scan(patterns, positions_px=positions, valid=valid), size, neighbours)
    chunks = (chunk, 3, 5)
    scan = Scan(
        da.from_array(patterns, chunks=chunks),
        positions_px=positions,
        valid=da.from_array(valid, chunks=chunks),
    )
    lazy = bin_positions(scan, size, neighbours)
    assert lazy.is_lazy
    assert lazy.patterns.dtype == eager.patterns.dtype == np.uint32
    np.testing.assert_array_equal(lazy.patterns.compute(), eager.patterns)
    np.testing.assert_array_equal(lazy.valid.compute(), eager.valid)
    np.testing.assert_array_equal(lazy.patterns[3].compute(), eager.patterns[3])
    np.testing.assert_array_equal(lazy.patterns[[5, 1], 1:, ::2], eager.patterns[[5, 1], 1:, ::2])
    np.testing.assert_array_equal(lazy.patterns[::-2].compute(), eager.patterns[::-2])


def test_showing_one_lazy_bin_reads_only_its_frames():
    class Watched:
        shape, ndim, dtype, read = (4000, 8, 8), 3, np.dtype("u2"), 0

        def __getitem__(self, key):
            block = np.zeros(self.shape, self.dtype)[key]
            self.read += len(block)
            return block

    source = Watched()
    frames = da.from_array(
        source, chunks=(400, 8, 8), asarray=False, meta=np.empty((0, 0, 0), "u2")
    )
    binned = bin_positions(Scan(frames, positions_px=trajectories.raster(40, 100)), 4)
    assert binned.patterns.numblocks[0] == 1
    binned.patterns[7].compute()
    assert source.read <= 4


def test_a_block_is_rows_along_y_and_columns_along_x():
    for fast in ("x", "y"):
        scan = trajectories.scan_at(trajectories.raster(6, 6, fast=fast))
        groups = group(scan, (2, 3))
        extent = np.ptp(scan.positions_px[groups.members(0)], axis=0)
        np.testing.assert_array_equal(extent, [1, 2])
        assert len(groups) == 6


def test_bins_along_the_path_end_with_the_line():
    scan = trajectories.scan_at(trajectories.raster(5, 7, snake=True))
    binned = bin_positions(scan, 3)
    assert len(binned) == 15
    np.testing.assert_array_equal(binned.exposure, [3, 3, 1] * 5)
    assert set(binned.positions_px[:, 0]) == set(range(5))
    assert "5 bins are leftovers of 1 to 2 instead of 3 patterns" in binned.notes[-1]


def test_bins_along_the_path_never_cross_a_jump():
    two = np.concatenate([trajectories.spiral(30), trajectories.spiral(30) + 200])
    groups = group(trajectories.scan_at(two), 4)
    for number in range(len(groups)):
        assert np.ptp(groups.members(number) // 30) == 0


def test_a_shuffled_raster_is_not_cut_after_each_frame(rng):
    grid = trajectories.raster(20, 20)
    groups = group(trajectories.scan_at(grid[rng.permutation(400)]), 4)
    assert len(groups) < 150


@pytest.mark.parametrize("trajectory", sorted(TRAJECTORIES))
@pytest.mark.parametrize("n", [4, 9])
def test_bins_in_space_are_compact(trajectory, n):
    scan = trajectories.scan_at(TRAJECTORIES[trajectory]())
    groups = group(scan, n, "space")
    assert (groups.count < n).sum() <= 1
    area = np.prod(np.ptp(scan.positions_px, axis=0)) / len(scan)
    side = np.sqrt(n * area)
    spread = [
        np.ptp(scan.positions_px[groups.members(k)], axis=0).max() for k in range(len(groups))
    ]
    assert np.median(spread) <= 1.5 * side


def test_groups_of_a_long_scan_come_quickly(rng):
    import time

    positions = rng.uniform(0, 1, (60_000, 2))
    scan = Scan(np.zeros((60_000, 1, 1), np.uint8), positions_px=positions)
    began = time.process_time()
    groups = group(scan, 8, "space")
    assert time.process_time() - began < 10
    assert len(groups) == 7_500


def test_what_belongs_to_a_frame_follows_it():
    positions = trajectories.raster(4, 4)
    valid = np.ones((16, 4, 4), bool)
    valid[5, 1, 2] = False
    probe = np.ones((1, 4, 4), np.complex64)
    scan = trajectories.scan_at(
        positions,
        valid=valid,
        probe=probe,
        exposure=np.arange(1.0, 17),
        geometry=Geometry(energy_ev=8000.0),
        sources={"patterns": "file: data"},
        name="star",
    )
    binned = bin_positions(scan, (2, 2))
    np.testing.assert_array_equal(
        binned.positions_px, [[0.5, 0.5], [0.5, 2.5], [2.5, 0.5], [2.5, 2.5]]
    )
    np.testing.assert_array_equal(binned.exposure, [14, 22, 46, 54])
    assert not binned.valid[0, 1, 2]
    assert binned.valid.sum() == binned.valid.size - 1
    assert binned.sources["patterns"] == "binned 2x2 from file: data"
    assert (binned.name, binned.geometry) == ("star · 2x2", scan.geometry)
    np.testing.assert_array_equal(binned.probe, probe)


def test_one_mask_for_all_stays_one_mask():
    valid = np.ones((4, 4), bool)
    valid[0, 0] = False
    binned = bin_positions(trajectories.scan_at(trajectories.raster(4, 4), valid=valid), 2)
    np.testing.assert_array_equal(binned.valid, valid)


@pytest.mark.parametrize("size", [1, (1, 1)])
def test_a_size_of_one_is_the_scan_itself(size):
    scan = trajectories.scan_at(trajectories.raster(4, 4))
    assert bin_positions(scan, size) is scan


def test_bins_are_ordered_along_the_path():
    for neighbours, size in (("space", 4), ("path", 3), ("path", (2, 2))):
        groups = group(trajectories.scan_at(trajectories.raster(8, 8, True, 0.1)), size, neighbours)
        first = [groups.members(k)[0] for k in range(len(groups))]
        assert first == sorted(first)


@pytest.mark.parametrize("size", [0, -2, 2.5, (2,), (2, 0), (1, 2, 3), "2x2", True])
def test_a_bad_size_is_refused(size):
    with pytest.raises(OptionsError, match=r"bin size is .*; it must be a number of positions"):
        bin_positions(trajectories.scan_at(trajectories.raster(4, 4)), size)


def test_a_bad_choice_of_neighbours_is_refused():
    with pytest.raises(OptionsError, match="neighbours is 'time'; it must be one of path, space"):
        bin_positions(trajectories.scan_at(trajectories.raster(4, 4)), 2, "time")


def test_a_block_needs_a_raster():
    with pytest.raises(ScanError, match=r"no raster, which bins of 2x3 need.*such as 6"):
        bin_positions(trajectories.scan_at(trajectories.spiral(50)), (2, 3))


def test_a_negative_code_in_a_lazy_scan_is_refused():
    patterns = np.ones((16, 4, 4), np.int32)
    patterns[9, 1, 1] = -2
    scan = Scan(da.from_array(patterns, chunks=(4, 4, 4)), positions_px=trajectories.raster(4, 4))
    with pytest.raises(ScanError, match="pattern 9 has a count of -2; need counts >= 0"):
        bin_positions(scan, 2).patterns.compute()


def test_a_sum_that_does_not_fit_is_refused():
    patterns = np.full((4, 2, 2), 2**63, np.uint64)
    with pytest.raises(ScanError, match="2 patterns of up to 9223372036854775808 counts"):
        bin_positions(Scan(patterns, positions_px=trajectories.raster(2, 2)), 2)
    lazy = da.from_array(patterns, chunks=(2, 2, 2))
    with pytest.raises(ScanError, match="2 patterns of up to 9223372036854775808 counts"):
        bin_positions(Scan(lazy, positions_px=trajectories.raster(2, 2)), 2).patterns.compute()


def test_sums_of_wide_counts_in_memory_stay_narrow_where_they_fit():
    patterns = np.full((16, 2, 2), 1000, np.uint32)
    scan = Scan(patterns, positions_px=trajectories.raster(4, 4))
    assert bin_positions(scan, 4).patterns.dtype == np.uint32
    lazy = Scan(da.from_array(patterns), positions_px=scan.positions_px)
    assert bin_positions(lazy, 4).patterns.dtype == np.uint64
