from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
from scipy import fft

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.networks.pairs import Pairs, from_reconstructions
from napari_ptycho.networks.source import Source
from napari_ptycho.physics.simulation import simulate
from napari_ptycho.samples import small_scan

SIZE = 32


@pytest.fixture
def smooth(rng):
    """A transmission that bends little from pixel to pixel: bilinear values are close to it."""

    def wave(y, x):
        amplitude = 0.8 + 0.1 * np.sin(y / 9) * np.cos(x / 7)
        return amplitude * np.exp(1j * np.sin(y / 8 + 0.4) * np.cos(x / 11))

    return wave


def disc(radius: float) -> np.ndarray:
    y, x = np.indices((SIZE, SIZE)) - SIZE // 2
    return (np.hypot(y, x) < radius).astype(np.complex64)


def raster(rows=12, columns=8, step=4.0, name="raster", radius=5.0):
    """A scan of a random object, in lines, and its truth."""
    random = np.random.default_rng(3)
    places = np.indices((rows, columns)).reshape(2, -1).T * step
    extent = int(places.max()) + SIZE + 2
    image = np.exp(1j * random.uniform(-0.5, 0.5, (extent, extent)))
    scan = replace(simulate(image, disc(radius), places, photons=1e5), name=name)
    return scan, Reconstruction(image, scan.probe, places, name=f"{name} truth")


def test_a_window_lies_where_its_pattern_was_taken_between_pixels(smooth):
    y, x = np.indices((90, 80)).astype(float)
    corners = np.array([[3.25, 7.5], [20.0, 11.75], [40.6, 30.1]])
    source = Source(np.zeros((3, SIZE, SIZE), np.uint16), smooth(y, x), corners, disc(5)[None])
    windows = source.windows(np.array([2, 0, 1]))
    for window, corner in zip(windows, corners[[2, 0, 1]], strict=True):
        rows, columns = np.indices((SIZE, SIZE)) + corner[:, None, None]
        np.testing.assert_allclose(window, smooth(rows, columns), atol=4e-3)
    nearest = smooth(*(np.indices((SIZE, SIZE)) + np.rint(corners[2])[:, None, None]))
    assert np.abs(windows[0] - nearest).max() > 0.02  # whole pixels would not do


def test_windows_at_the_rim_repeat_the_last_pixel():
    image = np.arange(40 * 40).reshape(40, 40) + 0j
    corners = np.array([[-0.5, 0.0], [8.5, 8.0]])
    source = Source(np.zeros((2, SIZE, SIZE), np.uint16), image, corners, disc(5)[None])
    first, last = source.windows(np.arange(2))
    np.testing.assert_allclose(first[0], image[0, :SIZE])
    np.testing.assert_allclose(last[-1], image[39, 8:])


def test_labels_propagate_to_the_patterns(smooth):
    """Truth on truth: probe times label gives the pattern, sub-pixel positions included."""
    y, x = np.indices((60, 60)).astype(float)
    places = np.array([[2.3, 5.8], [10.5, 9.25], [20.9, 17.4]])
    scan = simulate(smooth(y, x), disc(7), places, photons=1e6, seed=None)
    source = Source(scan.patterns, smooth(y, x), places, scan.probe)
    pairs = Pairs((source,), np.array([0, 1]), np.array([2]))
    counts, labels = pairs.batch(np.array([2, 0, 1]))
    waves = labels[:, 0] * np.exp(1j * labels[:, 1]) * scan.probe[0]
    made = np.abs(fft.fftshift(fft.fft2(waves, norm="ortho"), axes=(1, 2))) ** 2
    assert np.abs(np.sqrt(made) - np.sqrt(counts)).sum() / np.sqrt(counts).sum() < 0.03
    assert np.abs(np.sqrt(made[::-1]) - np.sqrt(counts)).sum() / np.sqrt(counts).sum() > 0.03


def test_dead_pixels_are_zero_and_exposure_is_made_up_for():
    patterns = np.full((4, SIZE, SIZE), 6, np.uint16)
    valid = np.ones((4, SIZE, SIZE), bool)
    valid[1, 3, 4] = False
    source = Source(
        patterns,
        np.ones((40, 40), complex),
        np.zeros((4, 2)),
        disc(5)[None],
        da.from_array(valid, chunks=2),
        np.array([1, 2, 2, 2.0]),
    )
    counts = Pairs((source,), np.array([0, 1, 2]), np.array([3])).batch(np.array([1, 0]))[0]
    assert counts[0, 3, 4] == 0
    assert counts[0, 3, 5] == 6
    assert (counts[1] == 12).all()
    assert counts.dtype == np.float32


def test_labels_have_neither_ramp_nor_phase_and_end_below_one():
    scan, truth = raster()
    y, x = np.indices(truth.object.shape)
    tilted = replace(truth, object=3 * truth.object * np.exp(1j * (1.2 + 0.03 * y - 0.02 * x)))
    plain, turned = (from_reconstructions([(scan, one)]) for one in (truth, tilted))
    wanted, found = plain.batch(plain.training)[1], turned.batch(turned.training)[1]
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    assert turned.amplitude_scale == pytest.approx(3 * plain.amplitude_scale, rel=1e-4)
    assert np.percentile(found[:, 0][:, turned.lit], 99.9) == pytest.approx(0.8, rel=0.02)


def test_pairs_of_several_scans_keep_apart():
    scans = [raster(name=name) for name in "abc"]
    scans[1] = (scans[1][0], replace(scans[1][1], object=2 * scans[1][1].object))
    pairs = from_reconstructions(scans, validation=0.3)
    numbers = np.array([250, 3, 100, 97])
    counts, labels = pairs.batch(numbers)
    for row, number in enumerate(numbers):
        raw = scans[number // 96][0].patterns[number % 96]
        np.testing.assert_allclose(counts[row], raw, rtol=1e-6)
    levels = labels[:, 0, SIZE // 2, SIZE // 2] / labels[1, 0, SIZE // 2, SIZE // 2]
    np.testing.assert_allclose(levels, [1, 1, 2, 2], rtol=0.1)
    assert set(pairs.validation // 96) == {2}
    assert set(pairs.training // 96) == {0, 1}


def test_the_last_lines_validate_and_no_training_window_covers_them():
    scan, truth = raster(rows=16, columns=8, step=2.0, radius=5.0)
    pairs = from_reconstructions([(scan, truth)], validation=0.2, train_lines=0.75)
    line = np.arange(len(scan)) // 8
    assert set(line[pairs.validation]) == {10, 11}
    assert set(line[pairs.training]) == set(range(9))
    light = pairs.lit

    def covered(numbers):
        seen = np.zeros(truth.object.shape, bool)
        for y, x in truth.positions_px[numbers].astype(int):
            seen[y : y + SIZE, x : x + SIZE] |= light
        return seen

    taught = covered(pairs.training)
    shares = []
    for number in pairs.validation:
        y, x = truth.positions_px[number].astype(int)
        shares.append(taught[y : y + SIZE, x : x + SIZE][light].mean())
    assert max(shares) < 0.6
    assert np.median(shares) < 0.5  # the union of all that teaches; at random it would be about 1
    assert not pairs.notes
    assert "left out" in pairs.about["split"]


def test_a_scan_that_runs_upwards_validates_with_what_was_scanned_last():
    scan, truth = raster()
    back = slice(None, None, -1)
    scan = replace(scan, patterns=scan.patterns[back], positions_px=scan.positions_px[back])
    pairs = from_reconstructions([(scan, replace(truth, positions_px=truth.positions_px[back]))])
    assert pairs.validation.min() > pairs.training.max()
    assert pairs.validation.max() == len(scan) - 1


def test_a_scan_without_lines_splits_along_its_path():
    turn = np.sqrt(np.arange(150.0))
    angle = 3.1 * turn
    places = 40 + 3 * turn[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    image = np.exp(0.3j * np.random.default_rng(0).standard_normal((120, 120)))
    scan = simulate(image, disc(4), places, photons=1e5)
    pairs = from_reconstructions([(scan, Reconstruction(image, scan.probe, places))])
    assert "stretches of the path" in pairs.about["split"]
    assert pairs.training.max() < pairs.validation.min()
    gaps = places[pairs.training][:, None] - places[pairs.validation]
    assert np.hypot(*np.moveaxis(gaps, -1, 0)).min() > 2.5  # about a third of the disc


def test_a_scan_smaller_than_its_probe_says_that_validation_flatters():
    scan, truth = raster(rows=12, columns=12, step=0.5, radius=12)
    pairs = from_reconstructions([(scan, truth)])
    assert len(pairs.training) >= 50
    assert "validation looks better than it is" in " ".join(pairs.notes)


def test_a_lazy_scan_gives_the_same(rng):
    scan, truth = small_scan("star")
    lazy = replace(scan, patterns=da.from_array(scan.patterns, chunks=(50, 64, 64)))
    one, other = (from_reconstructions([(s, truth)]) for s in (scan, lazy))
    numbers = rng.permutation(len(scan))[:10]
    np.testing.assert_array_equal(one.batch(numbers)[0], other.batch(numbers)[0])
    assert one.about == other.about


def test_the_input_is_scaled_by_training_patterns_alone():
    scan, truth = raster()
    pairs = from_reconstructions([(scan, truth)])
    made = pairs.preparation("standardised")
    roots = np.sqrt(scan.patterns[pairs.training].astype(float))
    np.testing.assert_allclose(made.mean, roots.mean(axis=0), rtol=1e-4, atol=1e-4)
    assert made.std == pytest.approx((roots - roots.mean(axis=0)).std(), rel=1e-4)
    assert pairs.preparation("sqrt-max").mean is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s, r: (s, replace(r, positions_px=r.positions_px[1:])), "is not of"),
        (lambda s, r: (s, replace(r, probe=r.probe[:, :16, :16])), "is not of"),
        (lambda s, r: (s, replace(r, positions_px=r.positions_px[::-1])), "same order"),
        (lambda s, r: (s, replace(r, object=0 * r.object)), "empty .*; choose another"),
    ],
    ids=["number", "size", "order", "empty"],
)
def test_what_does_not_belong_together_is_refused(change, sentence):
    with pytest.raises(ScanError, match=sentence):
        from_reconstructions([change(*raster())])


def test_nothing_to_learn_or_to_validate_with_is_refused():
    scan, truth = raster()
    with pytest.raises(ScanError, match="at least one"):
        from_reconstructions([])
    with pytest.raises(ScanError, match="cannot both teach and validate"):
        from_reconstructions([(scan, truth)], train_lines=0.05)
    with pytest.raises(OptionsError, match="shares"):
        from_reconstructions([(scan, truth)], validation=0)
    source = from_reconstructions([(scan, truth)]).sources[0]
    with pytest.raises(ScanError, match="to validate with"):
        Pairs((source,), np.arange(5), np.arange(0))
    with pytest.raises(ScanError, match="both teaches and validates"):
        Pairs((source,), np.arange(5), np.arange(4, 6))


def test_patterns_of_two_sizes_are_refused():
    scan, truth = raster()
    with pytest.raises(ScanError, match="need one size"):
        from_reconstructions([(scan, truth), small_scan("star")])


def test_not_a_number_is_refused():
    image = np.ones((40, 40), complex)
    image[3, 3] = np.nan
    with pytest.raises(ScanError, match="not finite"):
        Source(np.zeros((1, SIZE, SIZE)), image, np.zeros((1, 2)), disc(5)[None])


def test_what_is_known_goes_into_json():
    import json

    scan, truth = raster()
    about = from_reconstructions([(scan, truth)]).about
    assert json.loads(json.dumps(about)) == about
    assert about["names"] == ["raster"]
    assert about["counts"]["max"] > about["counts"]["mean"] > 0
    assert isinstance(scan, Scan)
