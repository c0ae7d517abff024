from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.model import Scan
from napari_ptycho.prepare import alternate, bin_positions, find_raster, thin

from . import trajectories

TRAJECTORIES = {
    "raster": lambda: trajectories.raster(6, 9),
    "snake": lambda: trajectories.raster(6, 9, snake=True),
    "jittered": lambda: trajectories.raster(6, 9, True, 0.2),
    "slow x": lambda: trajectories.raster(6, 8, fast="y"),
    "fermat": lambda: trajectories.fermat(54),
}


def poisson_scan(mean=3.0, n=24, side=8, dtype="u2", seed=0, **fields):
    """Return a scan of Poisson counts and their means."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(0, 2 * mean, (n, side, side))
    counts = rng.poisson(means).astype(dtype)
    rows = max(1, n // 6)
    return Scan(counts, positions_px=trajectories.raster(rows, n // rows), **fields), means


def lazy_copy(scan, chunk, across=None):
    chunks = (chunk, across or scan.frame_shape[0], scan.frame_shape[1])
    return replace(scan, patterns=da.from_array(scan.patterns, chunks=chunks))


@given(
    st.sampled_from(["u1", "u2", "u4", "u8", "i4", "f4", "f8"]),
    st.floats(0.01, 0.99),
    st.integers(0, 2**64 - 1),
    st.sampled_from([0.05, 3.0, 100.0]),
)
def test_every_photon_goes_to_one_half(dtype, fraction, seed, mean):
    scan, _ = poisson_scan(mean, n=6, dtype=dtype, seed=seed % 100)
    one, other = thin(scan, fraction, seed)
    assert one.patterns.dtype == other.patterns.dtype == np.dtype(dtype)
    assert (one.patterns <= scan.patterns).all()
    np.testing.assert_array_equal(one.patterns + other.patterns, scan.patterns)


@pytest.mark.parametrize("fraction", [0.5, 0.2])
def test_the_halves_are_poisson_and_independent(fraction):
    scan, means = poisson_scan(20.0, n=96, side=64)
    shares = (fraction, 1 - fraction)
    rest = [
        (half.patterns - share * means) / np.sqrt(share * means + 1e-9)
        for half, share in zip(thin(scan, fraction), shares, strict=True)
    ]
    bright = means > 1
    count = bright.sum()
    for one in rest:
        assert abs(one[bright].mean()) < 4 / np.sqrt(count)
        assert one[bright].var() == pytest.approx(1, abs=6 * np.sqrt(2 / count))
    assert abs((rest[0] * rest[1])[bright].mean()) < 4 / np.sqrt(count)
    whole = (scan.patterns - means) / np.sqrt(means + 1e-9)
    assert (whole * rest[0])[bright].mean() == pytest.approx(np.sqrt(fraction), abs=0.02)


@pytest.mark.parametrize("across", [None, 4], ids=["whole frames", "chunked across"])
@pytest.mark.parametrize("chunk", [1, 5, 24])
def test_however_a_lazy_scan_is_read_a_frame_has_the_same_photons(chunk, across):
    scan, _ = poisson_scan()
    eager = thin(scan, seed=7)
    for half, known in zip(thin(lazy_copy(scan, chunk, across), seed=7), eager, strict=True):
        assert half.is_lazy
        assert half.patterns.dtype == known.patterns.dtype
        np.testing.assert_array_equal(half.patterns[::-3].compute(), known.patterns[::-3])
        np.testing.assert_array_equal(half.patterns[11].compute(), known.patterns[11])
        np.testing.assert_array_equal(
            half.patterns[[9, 2, 2], 1:, ::2].compute(), known.patterns[[9, 2, 2], 1:, ::2]
        )
        np.testing.assert_array_equal(half.patterns.rechunk((7, 8, 8)), known.patterns)
        read = np.concatenate([block for _, block in half.blocks(500)])
        np.testing.assert_array_equal(read, known.patterns)


@given(st.integers(0, 23), st.integers(1, 24), st.integers(1, 24), st.booleans())
def test_slices_of_lazy_halves_are_those_of_eager_ones(start, stop, chunk, second):
    scan, _ = poisson_scan(seed=3)
    some = slice(start, stop)
    lazy, eager = (thin(one, seed=1)[second] for one in (lazy_copy(scan, chunk), scan))
    np.testing.assert_array_equal(lazy.patterns[some].compute(), eager.patterns[some])


def test_a_seed_is_a_draw():
    scan, _ = poisson_scan()
    one, same, other = (thin(scan, seed=seed)[0].patterns for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).mean() > 0.3


def test_frames_of_the_same_counts_are_drawn_apart():
    rng = np.random.default_rng(0)
    frames = np.repeat(rng.poisson(9, (1, 8, 8)), 24, axis=0)
    one = thin(Scan(frames, positions_px=trajectories.raster(4, 6)))[0].patterns
    assert len(np.unique(one.reshape(24, -1), axis=0)) == 24


def test_a_lazy_half_reads_only_the_frames_that_are_shown():
    class Watched:
        shape, ndim, dtype, read = (4000, 8, 8), 3, np.dtype("u2"), 0

        def __getitem__(self, key):
            block = np.random.default_rng(0).poisson(4, self.shape).astype("u2")[key]
            self.read += len(block) if block.ndim == 3 else 1
            return block

    source = Watched()
    frames = da.from_array(
        source, chunks=(400, 8, 8), asarray=False, meta=np.empty((0, 0, 0), "u2")
    )
    half, _ = thin(Scan(frames, positions_px=trajectories.raster(40, 100)))
    source.read = 0
    half.patterns[1234].compute()
    assert source.read == 1
    half.patterns[:400].compute()
    assert source.read == 401


def test_what_is_known_of_the_scan_stays_and_the_probe_gets_its_photons(rng):
    valid = np.ones((24, 8, 8), bool)
    valid[3, 1, 2] = False
    scan, _ = poisson_scan(
        valid=valid,
        probe=rng.normal(size=(2, 8, 8)).astype(np.complex64),
        exposure=np.arange(1.0, 25),
        sources={"patterns": "file: data"},
        notes=("masked",),
        name="star",
    )
    for half, share, name in zip(thin(scan, 0.2, 5), (0.2, 0.8), "AB", strict=True):
        np.testing.assert_allclose(half.probe, scan.probe * np.sqrt(share), rtol=1e-6)
        np.testing.assert_array_equal(half.valid, valid)
        np.testing.assert_array_equal(half.exposure, scan.exposure)
        np.testing.assert_array_equal(half.positions_px, scan.positions_px)
        assert half.name == f"star · half {name}"
        assert half.sources["patterns"] == f"half {name}, thinned by 0.2 (seed 5) from file: data"
        assert half.notes[0] == "masked"
        assert f"this is half {name} with a share of {share:g} of them" in half.notes[-1]


def test_binned_counts_are_photons_too():
    scan = bin_positions(poisson_scan()[0], 4)
    one, other = thin(scan)
    np.testing.assert_array_equal(one.patterns + other.patterns, scan.patterns)


def test_invalid_pixels_may_hold_anything():
    counts = poisson_scan()[0].patterns.astype("f4")
    counts[:, 2, 2], counts[:, 2, 3] = 0.5, 1e9
    valid = np.ones((8, 8), bool)
    valid[2, 2:4] = False
    scan = Scan(counts, positions_px=trajectories.raster(4, 6), valid=valid)
    one, other = thin(scan)
    np.testing.assert_array_equal(one.patterns + other.patterns, counts)


OFFER = "or split it by positions instead"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda n: n * 1.1, rf"pattern 0 has a count of .*need whole numbers from 0 to .*{OFFER}"),
        (lambda n: n.astype("f4") * 2.0**22, r"need whole numbers from 0 to 1.67772e\+07"),
        (lambda n: n.astype("u8") << 60, r"need whole numbers from 0 to 9.22337e\+18"),
        (lambda n: np.sqrt(n), "look like amplitudes .*square them, or split it by"),
        (lambda n: np.sqrt(n).astype("f4"), "look like amplitudes"),
        (lambda n: n * 5, rf"all counts are multiples of 5, .*divide the counts by 5, {OFFER}"),
        (lambda n: np.rint(n * 1.6).astype("u2"), r"hold 2 counts and none holds 1, as after"),
    ],
    ids=["fractions", "large floats", "huge", "amplitudes", "single amplitudes", "gain", "gaps"],
)
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_counts_that_are_no_photons_are_refused(change, sentence, lazy):
    scan, _ = poisson_scan(8.0, side=32)
    changed = Scan(change(scan.patterns), positions_px=scan.positions_px, name="chip")
    with pytest.raises(ScanError, match=f"chip: .*{sentence}"):
        thin(lazy_copy(changed, 5) if lazy else changed)


@pytest.mark.parametrize(("value", "dtype"), [(0.5, "f4"), (np.nan, "f8"), (-2, "i4")])
def test_a_frame_that_was_not_looked_at_is_refused_when_it_is_read(value, dtype):
    scan, _ = poisson_scan(n=120, dtype=dtype)
    patterns = scan.patterns.copy()
    patterns[100, 4, 4] = value
    frames = da.from_array(patterns, chunks=(10, 8, 8))
    half = thin(Scan(frames, positions_px=scan.positions_px))[1]
    half.patterns[:90].compute()
    with pytest.raises(ScanError, match=f"pattern 100 has a count of {value:g}"):
        half.patterns.compute()


def test_few_counts_and_bright_frames_are_no_gain():
    at, rng = trajectories.raster(4, 6), np.random.default_rng(0)
    for counts, positions in (
        (np.full((2, 2, 2), 4), np.eye(2)),
        (rng.poisson(200.0, (24, 64, 64)), at),
        (rng.poisson(1e-3, (24, 64, 64)), at),
    ):
        one, other = thin(Scan(counts, positions_px=positions))
        np.testing.assert_array_equal(one.patterns + other.patterns, counts)


@pytest.mark.real
def test_the_real_star_holds_photons(real_data):
    from napari_ptycho.io import read_scan

    scan = read_scan(real_data / "tike_siemens" / "siemens-star-small.npz.bz2")
    one, other = thin(scan)
    np.testing.assert_array_equal(one.patterns + other.patterns, scan.patterns)
    assert one.patterns.sum() / scan.patterns.sum() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 1.5, float("nan")])
def test_a_fraction_lies_between_nothing_and_all(fraction):
    with pytest.raises(OptionsError, match=r"fraction is .*; it must lie between 0 and 1"):
        thin(poisson_scan()[0], fraction)


@pytest.mark.parametrize("seed", [-1, 2**64, 0.5, True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(OptionsError, match=r"seed is .*; it must be a whole number"):
        thin(poisson_scan()[0], seed=seed)


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
@pytest.mark.parametrize("trajectory", sorted(TRAJECTORIES))
def test_odd_and_even_positions_share_all_frames(trajectory, lazy):
    positions = TRAJECTORIES[trajectory]()
    n = len(positions)
    numbered = np.arange(n, dtype="u2")[:, None, None] * np.ones((1, 4, 4), "u2")
    patterns = da.from_array(numbered, chunks=(7, 4, 4)) if lazy else numbered
    valid = np.ones((n, 4, 4), bool)
    valid[5, 1, 1] = False
    valid = da.from_array(valid, chunks=(7, 4, 4)) if lazy else valid
    scan = Scan(patterns, positions_px=positions, exposure=np.arange(1.0, n + 1), valid=valid)
    seen = []
    for half, name in zip(alternate(scan), "AB", strict=True):
        assert half.is_lazy == lazy
        assert half.name == f"scan · half {name}"
        frames = np.asarray(half.patterns)[:, 0, 0].astype(int)
        np.testing.assert_array_equal(half.positions_px, positions[frames])
        np.testing.assert_array_equal(half.exposure, frames + 1)
        np.testing.assert_array_equal(np.asarray(half.valid), np.asarray(valid)[frames])
        assert f"Of {n} patterns, {len(frames)} were kept as half {name}" in half.notes[-1]
        assert half.sources["patterns"] == f"{len(frames)} of {n} frames from unknown"
        seen.extend(frames)
    assert sorted(seen) == list(range(n))


@pytest.mark.parametrize("trajectory", sorted(TRAJECTORIES))
def test_both_halves_cover_the_area_evenly(trajectory):
    scan = trajectories.scan_at(TRAJECTORIES[trajectory]())
    halves = [half.positions_px for half in alternate(scan)]
    assert abs(len(halves[0]) - len(halves[1])) <= 1
    step = np.median(nearest(scan.positions_px, scan.positions_px, 1))
    for positions in halves:
        assert nearest(scan.positions_px, positions, 0).max() < 2 * step
        if find_raster(scan) is not None:
            assert nearest(positions, positions, 1) == pytest.approx(np.sqrt(2), abs=0.5)


def nearest(ones, others, rank):
    """Return how far from each of some points the nearest others lie."""
    apart = np.linalg.norm(ones[:, None] - others[None], axis=2)
    return np.sort(apart, axis=1)[:, rank]


def test_one_frame_has_no_halves():
    scan = Scan(np.ones((1, 4, 4)), positions_px=np.zeros((1, 2)), name="dot")
    with pytest.raises(ScanError, match="dot: 1 pattern; two halves need at least 2"):
        alternate(scan)
