"""Arrays alone in a .npy file."""

import numpy as np
import pytest

from napari_ptycho.errors import FileError, NeedsPositions, ScanError
from napari_ptycho.io import read_scan
from napari_ptycho.io.layout import Layout


@pytest.fixture
def steps():
    """A raster of 3 x 4 whose steps are given."""
    return Layout(raster_rows=3, raster_columns=4, step_y=20, step_x=10, position_unit="px")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [">u2", "<f4"])
def test_a_bare_raster_opens_with_steps(tmp_path, counts, order, dtype):
    stored = np.array(counts.reshape(3, 4, 32, 24), dtype, order=order)
    np.save(tmp_path / "bare.npy", stored)
    with pytest.raises(NeedsPositions, match="a raster of 3 x 4"):
        read_scan(tmp_path / "bare.npy")
    scan = read_scan(tmp_path / "bare.npy", layout=Layout(step_y=5, position_unit="px"))
    np.testing.assert_array_equal(scan.patterns, counts)


def test_a_bare_array_with_the_frame_first(tmp_path, counts, steps):
    np.save(tmp_path / "bare.npy", np.moveaxis(counts, 0, -1))
    layout = Layout(**{**vars(steps), "frame_axes": "first"})
    np.testing.assert_array_equal(read_scan(tmp_path / "bare.npy", layout=layout).patterns, counts)


def test_a_bare_array_stays_on_disk(tmp_path, counts, steps):
    np.save(tmp_path / "bare.npy", np.stack([counts + 7, counts]))
    layout = Layout(**{**vars(steps), "extra_axis": "first", "extra_index": 1})
    scan = read_scan(tmp_path / "bare.npy", layout=layout, lazy_above_bytes=0)
    assert scan.is_lazy
    np.testing.assert_array_equal(scan.patterns[5].compute(), counts[5])
    np.testing.assert_array_equal(scan.patterns.compute(), counts)


def test_a_bare_array_that_loses_its_end_is_a_sentence(tmp_path, counts, steps):
    path = tmp_path / "bare.npy"
    np.save(path, counts)
    scan = read_scan(path, layout=steps, lazy_above_bytes=0)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(FileError, match=r"bare.npy: frame 11 is no longer there"):
        scan.patterns[11].compute()


def test_a_bare_image_is_no_scan(tmp_path):
    np.save(tmp_path / "image.npy", np.ones((64, 64)))
    with pytest.raises(ScanError, match=r"image.npy: .* shape \(64, 64\) .* that is no scan"):
        read_scan(tmp_path / "image.npy")


@pytest.mark.real
def test_ptynet_patterns_with_their_true_positions(real_data):
    folder = real_data / "ptynet"
    path = folder / "1diff_cat100_0overlap.npy"
    with pytest.raises(NeedsPositions, match=r"fit: 5 x 5"):
        read_scan(path)
    scan = read_scan(path, positions=folder / "true_positions_0overlap.npy")
    np.testing.assert_array_equal(scan.patterns, np.load(path)[0])
    np.testing.assert_array_equal(
        scan.positions_px, np.load(folder / "true_positions_0overlap.npy")
    )
    rows = Layout(raster_rows=5, raster_columns=5, step_y=128, step_x=128, position_unit="px")
    np.testing.assert_array_equal(read_scan(path, layout=rows).positions_px[6], (128, 128))


def test_a_header_that_is_no_python_is_a_sentence(tmp_path, counts):
    np.save(tmp_path / "bare.npy", counts)
    whole = (tmp_path / "bare.npy").read_bytes()
    (tmp_path / "bare.npy").write_bytes(whole.replace(b"'descr'", b"(descr'"))
    with pytest.raises(FileError, match=r"bare.npy: could not read it"):
        read_scan(tmp_path / "bare.npy")
