"""Traps that files set: links, filters, missing parts, files that are not whole.

Every test makes the trap in a file, opens it as a user does, and compares with what was put in.
"""

import pickle
import shutil

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError
from napari_ptycho.io import (
    browse,
    read_scan,
)
from napari_ptycho.io.layout import Layout

from .conftest import H, N, W
from .traps import DATA, RASTER, filtered, told

# filter missing


def test_a_filter_that_is_missing(cxi, counts):
    path = cxi({DATA: None}, link=False)
    filtered(path, DATA, counts)
    with pytest.raises(FileError, match=r"made.cxi: .*data' is compressed with filter 32099"):
        read_scan(path)


def test_a_filter_that_is_missing_in_the_browser(cxi, counts):
    path = cxi({DATA: None}, link=False)
    filtered(path, DATA, counts)
    node = next(node for node in browse.contents(path).nodes if node.path == DATA)
    assert "32099" in node.problem
    assert all(DATA not in choice.paths for choice in browse.contents(path).frames)


# external links


def test_all_data_files_are_there(master, counts):
    scan = read_scan(master, layout=RASTER)
    np.testing.assert_array_equal(scan.patterns, counts)
    assert "data files are there" not in told(scan)


def test_the_last_data_file_is_missing(master, counts, tmp_path):
    (tmp_path / "scan_data_000003.h5").unlink()
    scan = read_scan(master, layout=RASTER)
    np.testing.assert_array_equal(scan.patterns, counts[:8])
    assert "2 of 3 data files are there; the first that is not: scan_data_000003.h5" in told(scan)
    assert f"8 of {N} frames expected are there" in told(scan)


def test_a_data_file_in_the_middle_is_missing(master, tmp_path):
    (tmp_path / "scan_data_000002.h5").unlink()
    with pytest.raises(
        FileError, match=r"scan_data_000002.h5 .* is not there, but later files are"
    ):
        read_scan(master, layout=RASTER)


def test_no_data_file_is_there(master, tmp_path):
    alone = shutil.copy(master, tmp_path / "alone")
    for path in tmp_path.glob("scan_data*"):
        path.unlink()
    with pytest.raises(FileError, match=r"none of the 3 files with its frames is there; the first"):
        read_scan(alone, layout=RASTER)


def test_a_data_file_of_other_capitals_beside_a_moved_master(master, counts, tmp_path):
    other = tmp_path / "moved"
    other.mkdir()
    with h5py.File(master, "a") as file:
        for number in range(1, 4):
            name = f"entry/data/data_{number:06d}"
            del file[name]
            gone = f"/beamline/raw/scan_data_{number:06d}.h5"
            file[name] = h5py.ExternalLink(gone, "/entry/data/data")
    shutil.copy(master, other / "scan_master.h5")
    for path in tmp_path.glob("scan_data*"):
        shutil.copy(path, other / path.name.upper())
    scan = read_scan(other / "scan_master.h5", layout=RASTER)
    np.testing.assert_array_equal(scan.patterns, counts)


# virtual datasets


@pytest.fixture
def virtual(cxi, counts, tmp_path):
    """A CXI file whose frames are put together from two others."""
    path = cxi({DATA: None}, link=False)
    layout = h5py.VirtualLayout((N, H, W), "i4")
    for number in range(2):
        part = counts[6 * number : 6 * number + 6].astype(np.int32)
        with h5py.File(tmp_path / f"part{number}.h5", "w") as file:
            file["frames"] = part
        layout[6 * number : 6 * number + 6] = h5py.VirtualSource(
            f"part{number}.h5", "frames", part.shape
        )
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset(DATA, layout)
    return path


def test_a_virtual_dataset_with_all_its_parts(virtual, counts):
    np.testing.assert_array_equal(read_scan(virtual).patterns, counts)


def test_a_virtual_dataset_with_a_missing_part_is_not_read_as_zeros(virtual, tmp_path):
    (tmp_path / "part1.h5").unlink()
    with pytest.raises(FileError, match=r"put together from .* 1 are missing \(part1.h5"):
        read_scan(virtual)


def test_a_virtual_dataset_with_a_part_that_lacks_its_frames(virtual, tmp_path):
    with h5py.File(tmp_path / "part1.h5", "w") as file:
        file["other"] = 1
    with pytest.raises(FileError, match=r"'frames' in part1.h5, which lacks it"):
        read_scan(virtual)


@pytest.mark.parametrize(
    "sources",
    [
        {DATA: (".", DATA)},
        {DATA: (".", "other"), "other": (".", DATA)},
        {DATA: ("made.cxi", DATA)},
        {DATA: (".", "linked")},
    ],
)
def test_a_virtual_dataset_that_is_made_of_itself(cxi, sources):
    path = cxi({DATA: None}, link=False)
    with h5py.File(path, "a") as file:
        file["linked"] = h5py.SoftLink(f"/{DATA}")
        for name, (other, part) in sources.items():
            layout = h5py.VirtualLayout((N, H, W), "i4")
            layout[:] = h5py.VirtualSource(other, part, (N, H, W))
            file.create_virtual_dataset(name, layout)
    with pytest.raises(FileError, match=r"is put together from itself; repair it"):
        read_scan(path)


def test_numbered_parts_of_which_the_first_is_the_whole(tmp_path):
    endless = h5py.h5s.UNLIMITED
    space = h5py.h5s.create_simple((4, 8, 8), (endless, 8, 8))
    space.select_hyperslab((0, 0, 0), (endless, 1, 1), (2, 1, 1), (2, 8, 8))
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_virtual(space, b".", b"part%b", h5py.h5s.create_simple((2, 8, 8)))
    with h5py.File(tmp_path / "made.h5", "w") as file:
        whole = h5py.h5s.create_simple((4, 8, 8), (endless, 8, 8))
        h5py.h5d.create(file.id, b"part0", h5py.h5t.NATIVE_UINT16, whole, properties)
    with pytest.raises(FileError, match="is put together from itself"):
        read_scan(tmp_path / "made.h5", layout=Layout(frames="part0"))


def test_a_virtual_dataset_of_too_many_levels(cxi):
    path = cxi({DATA: None, "level0": np.ones((N, H, W), np.int32)}, link=False)
    with h5py.File(path, "a") as file:
        for level in range(30):
            layout = h5py.VirtualLayout((N, H, W), "i4")
            layout[:] = h5py.VirtualSource(".", f"level{level}", (N, H, W))
            file.create_virtual_dataset(f"level{level + 1}" if level < 29 else DATA, layout)
    with pytest.raises(FileError, match=r"is put together from itself"):
        read_scan(path)


# links and groups inside the file


def test_a_soft_link_to_nowhere_is_passed_by_where_the_frames_are_elsewhere(cxi, counts):
    path = cxi(link=False)
    with h5py.File(path, "a") as file:
        file["entry_1/data_1/data"] = h5py.SoftLink("/gone")
    np.testing.assert_array_equal(read_scan(path).patterns, counts)


def test_a_soft_link_to_nowhere(cxi):
    path = cxi({DATA: None}, link=False)
    with h5py.File(path, "a") as file:
        file["entry_1/data_1/data"] = h5py.SoftLink("/gone")
    with pytest.raises(FileError, match=r"is a link to '/gone', which is not in the file"):
        read_scan(path)


def test_a_group_where_the_frames_should_be(cxi, counts):
    path = cxi({DATA: None, f"{DATA}/data": counts.astype(np.int32)})
    np.testing.assert_array_equal(read_scan(path).patterns, counts)


# files that are not whole, or not what their name says


def test_a_file_that_is_still_being_written(cxi, tmp_path):
    whole = cxi().read_bytes()
    cut = tmp_path / "cut.cxi"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match=r"cut.cxi: the file is incomplete, .* kB of .* kB"):
        read_scan(cut)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS pointer"),
        (b"/annex/objects/SHA256E-s12--00.h5\n", "git-annex pointer"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "a web page"),
        (pickle.dumps({"data": 1}, 4), "a Python pickle, which is never opened"),
    ],
)
@pytest.mark.parametrize("name", ["scan.h5", "scan.npz", "scan.tif", "scan.mib", "scan.mat"])
def test_something_else_under_the_name_of_a_scan(tmp_path, content, words, name):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileError, match=words):
        read_scan(path)
