"""Inputs of networks: scaled as said, padded and cut back, mean and deviation as numpy has them."""

import dask.array as da
import numpy as np
import pytest
import torch

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.model import Scan
from napari_ptycho.networks import ARCHITECTURES
from napari_ptycho.networks.inputs import (
    Inputs,
    Sums,
    counts_of,
    fitting,
    preparation_of,
    scaled,
)
from napari_ptycho.networks.network import Preparation
from napari_ptycho.networks.table import build


def scan_of(patterns, **more):
    return Scan(patterns, positions_px=np.zeros((len(patterns), 2)), **more)


@pytest.fixture
def patterns(rng):
    return rng.poisson(20 * rng.random((24, 20)), (9, 24, 20)).astype(np.uint16)


def test_the_published_scalings():
    counts = torch.tensor([[[0.0, 2.0], [3.0, 16.0]], [[1.0, 4.0], [0.0, 0.0]]])
    cut = [[[0, 0], [3, 16]], [[0, 4], [0, 0]]]
    np.testing.assert_array_equal(scaled(counts, "counts"), cut)
    np.testing.assert_array_equal(scaled(counts, "counts-standardised"), cut)
    root = np.sqrt(counts.numpy())
    np.testing.assert_allclose(scaled(counts, "standardised"), root)
    largest = np.array([4, 2])[:, None, None]
    np.testing.assert_allclose(scaled(counts, "sqrt-max"), root / largest, rtol=1e-6)
    assert not scaled(torch.zeros(1, 2, 2), "sqrt-max").any()  # an empty pattern stays finite


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("scaling", ["standardised", "counts-standardised"])
def test_mean_and_deviation_are_those_of_numpy(scaling, lazy, patterns):
    given = da.from_array(patterns, chunks=(4, -1, -1)) if lazy else patterns
    made = preparation_of(scan_of(given), scaling)
    values = patterns.astype(float)
    values = np.sqrt(values) if scaling == "standardised" else np.where(values < 3, 0, values)
    mean = values.mean(axis=0)
    np.testing.assert_allclose(made.mean, mean, rtol=1e-6)
    assert made.std == pytest.approx((values - mean).std(), rel=1e-6)
    assert (made.scaling, made.shape) == (scaling, (24, 20))
    inputs = Inputs(made, 1)(torch.from_numpy(patterns.astype(np.float32)))
    np.testing.assert_allclose(inputs.mean(dim=0), 0, atol=1e-5)
    assert float(inputs.square().mean()) == pytest.approx(1, rel=1e-5)


def test_blocks_give_what_the_whole_gives(patterns):
    whole, parts = (Sums("standardised", (24, 20)) for _ in range(2))
    whole.add(patterns)
    for block in np.array_split(patterns, 4):
        parts.add(block)
    np.testing.assert_allclose(parts.preparation().mean, whole.preparation().mean, rtol=1e-7)
    assert parts.preparation().std == pytest.approx(whole.preparation().std, rel=1e-9)


@pytest.mark.parametrize("scaling", ["sqrt-max", "counts"])
def test_scalings_without_a_mean_need_no_data(scaling, patterns):
    made = preparation_of(scan_of(np.zeros_like(patterns)), scaling)
    assert made.mean is None
    assert made.std == 1.0


def test_patterns_that_are_all_the_same_are_refused(rng):
    """Many levels, as rounding must not make a deviation out of nothing."""
    for level in [0, 1, *rng.integers(2, 100_000, 40)]:
        one = rng.integers(0, level + 1, (24, 20))
        same = np.repeat(one[None], rng.integers(2, 9), axis=0)
        with pytest.raises(ScanError, match=r"all patterns are the same .*; choose another"):
            preparation_of(scan_of(same), "standardised")
    with pytest.raises(ScanError, match="no pattern to learn the scaling from; need at least one"):
        Sums("standardised", (24, 20)).preparation()


def test_a_weak_change_on_a_strong_pattern_is_kept(rng):
    """One part in ten thousand: the noise of 10^8 counts."""
    one = rng.integers(10_000_000, 20_000_000, (24, 20))
    patterns = one * (1 + 1e-4 * rng.standard_normal((30, 24, 20)))
    root = np.sqrt(patterns)
    made = preparation_of(scan_of(patterns), "standardised")
    assert made.std == pytest.approx((root - root.mean(axis=0)).std(), rel=1e-3)


def test_counts_at_full_exposure_without_dead_pixels(patterns):
    valid = np.ones((24, 20), bool)
    valid[3, 4] = False
    exposure = np.linspace(0.5, 2, len(patterns))
    scan = scan_of(patterns, valid=valid, exposure=exposure)
    counts = counts_of(scan, slice(2, 5), patterns[2:5])
    expected = patterns[2:5] * (2 / exposure[2:5])[:, None, None] * valid
    np.testing.assert_allclose(counts, expected, rtol=1e-6)
    assert counts.dtype == np.float32


def test_dead_pixels_may_change_from_frame_to_frame(patterns, rng):
    valid = rng.random(patterns.shape) > 0.1
    counts = counts_of(scan_of(patterns, valid=valid), slice(4, 9), patterns[4:9])
    np.testing.assert_array_equal(counts, np.where(valid[4:9], patterns[4:9], 0))


@pytest.mark.parametrize(("shape", "multiple"), [((24, 20), 16), ((17, 33), 8), ((32, 16), 16)])
def test_padding_is_centred_with_zeros_and_cut_off_again(shape, multiple, rng):
    counts = torch.from_numpy(rng.random((2, *shape), np.float32))
    mean = rng.random(shape, np.float32)
    inputs = Inputs(Preparation("standardised", shape, mean, 0.5), multiple)
    made = inputs(counts)
    assert made.shape[:2] == (2, 1)
    assert all(0 <= big - n < multiple for big, n in zip(made.shape[2:], shape, strict=True))
    assert all(big % multiple == 0 for big in made.shape[2:])
    inside = inputs.crop(made)
    expected = (np.sqrt(counts.numpy()) - mean) / 0.5
    np.testing.assert_allclose(inside[:, 0], expected, rtol=1e-5, atol=1e-6)
    assert int((made != 0).sum()) <= counts.numel()  # all else is zero
    # The pixel of zero frequency, n // 2, is still there.
    centre = tuple(big // 2 for big in made.shape[2:])
    assert float(made[0, 0][centre]) == float(inside[0, 0, shape[0] // 2, shape[1] // 2])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_any_size_of_pattern_gives_patches_of_its_size(name, rng):
    shape = (19, 30)
    inputs = Inputs(Preparation("sqrt-max", shape), ARCHITECTURES[name].multiple)
    with torch.inference_mode():
        output = inputs.crop(build(name).eval()(inputs(torch.rand(2, *shape))))
    assert output.shape == (2, 1 if ARCHITECTURES[name].phase_only else 2, *shape)
    assert torch.isfinite(output).all()


def test_a_scan_of_another_size_is_refused(patterns):
    with pytest.raises(OptionsError, match="patterns are 24 x 20 pixels, but this network was"):
        fitting(Preparation("sqrt-max", (64, 64)), scan_of(patterns), True, 8)


def test_the_scan_or_the_network_says_what_is_taken_off(patterns):
    scan = scan_of(patterns)
    known = Preparation("standardised", (24, 20), np.ones((24, 20), np.float32), 7.0)
    kept, notes = fitting(known, scan, False, 8)
    assert kept.std == 7.0
    assert notes == (
        "patterns are padded with zeros from 24 x 20 to 24 x 24 pixels, as the network needs "
        "multiples of 8",
    )
    own, _ = fitting(known, scan, True, 8)
    np.testing.assert_array_equal(own.mean, preparation_of(scan, "standardised").mean)
    same, notes = fitting(Preparation("counts", (24, 20)), scan, True, 4)
    assert same.mean is None
    assert notes == ()
