"""Scans in folders with one NPY file per frame."""

import numpy as np
import pytest

from napari_ptycho.errors import FileError, NeedsPositions, PtychoError
from napari_ptycho.io import read_scan
from napari_ptycho.io.formats.npys import header_of
from napari_ptycho.io.layout import Layout

ROWS = Layout(raster_rows=3, raster_columns=4, step_y=20, step_x=10, position_unit="px")


@pytest.fixture
def folder(tmp_path, counts):
    """Twelve frames, whose order by name is not that by number."""
    for number, frame in enumerate(counts):
        np.save(tmp_path / f"run7_{number}.npy", frame.astype(np.uint16))
    return tmp_path


@pytest.mark.parametrize("lazily", [False, True])
def test_files_are_frames_in_the_order_of_their_numbers(folder, counts, lazily):
    scan = read_scan(folder, layout=ROWS, lazy_above_bytes=0 if lazily else 2**30)
    assert scan.is_lazy == lazily
    assert scan.patterns.dtype == np.uint16
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_array_equal(scan.positions_px[[1, 4]], [(0, 10), (20, 0)])
    assert scan.notes[0] == "12 files were read in the order run7_0.npy ... run7_11.npy."


def test_positions_lie_beside_the_frames_or_are_asked_for(folder, positions):
    with pytest.raises(NeedsPositions, match="holds 12 NPY files but no positions"):
        read_scan(folder)
    table = folder / "positions.csv"
    np.savetxt(table, positions, delimiter=",", header="y_m,x_m", comments="")
    np.testing.assert_allclose(read_scan(folder).positions_m, positions, rtol=1e-9)
    np.save(folder.parent / "places.npy", positions)
    layout = Layout(position_unit="m")
    given = read_scan(folder, positions=folder.parent / "places.npy", layout=layout)
    np.testing.assert_allclose(given.positions_m, positions)


def test_other_arrays_in_the_folder_are_left_alone(folder, counts):
    np.save(folder / "dark.npy", np.ones((3, 3)))
    np.testing.assert_array_equal(read_scan(folder, layout=ROWS).patterns, counts)


def test_one_array_or_stacks_are_no_such_folder(tmp_path, counts):
    np.save(tmp_path / "a_1.npy", counts[0])
    with pytest.raises(PtychoError):
        read_scan(tmp_path, layout=ROWS)
    for number in range(3):
        np.save(tmp_path / f"a_{number}.npy", counts)
    with pytest.raises(PtychoError):
        read_scan(tmp_path, layout=ROWS)


@pytest.mark.parametrize("other", [np.ones((5, 5), np.uint16), np.ones((32, 24), np.float32)])
def test_a_frame_unlike_the_others_is_named(folder, other):
    np.save(folder / "run7_5.npy", other)
    with pytest.raises(FileError, match=r"run7_5.npy: holds .* all frames of a scan must be alike"):
        read_scan(folder, layout=ROWS)


def test_a_file_that_is_cut_short_or_pickled_is_named(folder):
    path = folder / "run7_5.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(FileError, match=r"run7_5.npy: needs \d+ bytes of plain numbers, but"):
        read_scan(folder, layout=ROWS)
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(FileError, match=r"run7_5.npy: needs .* pickled or still being written"):
        read_scan(folder, layout=ROWS)
    path.write_bytes(b"no array")
    with pytest.raises(FileError, match=r"run7_5.npy: could not read it"):
        read_scan(folder, layout=ROWS)


def test_a_header_of_any_version_is_read(tmp_path):
    for version in [(1, 0), (2, 0)]:
        with (tmp_path / "a.npy").open("wb") as file:
            np.lib.format.write_array(file, np.zeros((4, 6), ">i2"), version)
        assert header_of(tmp_path / "a.npy").shape == (4, 6)
