import dask.array as da
import numpy as np
import pytest

from napari_ptycho import recipes, samples
from napari_ptycho.errors import OptionsError
from napari_ptycho.model import Scan
from napari_ptycho.prepare import keep_every, sparse_report
from napari_ptycho.recipes.reading import read_scan


def make_scan(lazy=False):
    """A raster of 7 x 5 whose frames tell their number."""
    patterns = np.arange(35)[:, None, None] * np.ones((35, 8, 8), np.uint16)
    positions = np.array([(4.0 * i, 3.0 * j) for i in range(7) for j in range(5)])
    probe = np.ones((1, 8, 8), np.complex64)
    return Scan(
        da.from_array(patterns, chunks=(4, 8, 8)) if lazy else patterns,
        positions_px=positions,
        exposure=1.0 + np.arange(35),
        probe=probe,
        name="raster",
    )


@pytest.mark.parametrize("lazy", [False, True])
def test_one_pattern_in_three_is_the_first_of_every_three_along_the_path(lazy):
    scan = make_scan(lazy)
    kept = keep_every(scan, 3)
    numbers = np.arange(0, 35, 3)
    np.testing.assert_array_equal(np.asarray(kept.patterns)[:, 0, 0], numbers)
    np.testing.assert_array_equal(kept.positions_px, scan.positions_px[numbers])
    np.testing.assert_array_equal(kept.exposure, 1.0 + numbers)
    assert kept.is_lazy == lazy
    assert kept.name != scan.name
    assert kept.notes[-1] == "Of 35 patterns, 12 were kept: 1 in 3 along the path."


def test_all_patterns_are_the_scan_itself():
    scan = make_scan()
    assert keep_every(scan, 1) is scan


@pytest.mark.parametrize("every", [0, -1, 1.5, True])
def test_no_such_sampling_is_refused(every):
    with pytest.raises(OptionsError, match="whole number from 1 on"):
        keep_every(make_scan(), every)


def test_the_report_tells_the_whole_scan_before_and_what_is_left_after():
    report = sparse_report(make_scan(), 5, (1, 1))
    assert report.frames == (35, 7)
    assert report.step == (3.0, 4.0)
    assert report.memory_bytes[0] == 5 * report.memory_bytes[1]
    assert report.label == "1 pattern in 5"
    assert sparse_report(make_scan(), 1, (1, 1)).label == "1x1"


def test_bins_are_made_of_what_is_kept():
    report = sparse_report(make_scan(), 3, 4)
    assert report.frames == (35, 3)
    assert report.label == "4 along the path of 1 pattern in 3"


def test_a_recipe_opens_the_scan_as_sparse_as_it_says():
    recipe = recipes.Recipe(binning=recipes.BinningOptions(every=9))
    scan = read_scan(recipes.loads(recipes.dumps(recipe), "recipe.toml"), "sample:star-64")
    assert len(scan) == len(samples.open_sample("star-64")) // 9
    assert scan.name.endswith("1 in 9")
