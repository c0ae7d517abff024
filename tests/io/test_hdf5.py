import pickle
import shutil

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io import frames, hdf5, hdf5_frames, read_scan
from napari_ptycho.io.attributes import Attributes


@pytest.fixture
def made(tmp_path):
    path = tmp_path / "made.h5"
    with h5py.File(path, "w") as file:
        file["group/data"] = np.arange(24).reshape(4, 2, 3)
        file["group/length"] = 5.0
        file["group/length"].attrs["units"] = "mm"
        file["text"] = "words"
        file["empty/child"] = 1
    return path


def test_find_walks_links_and_groups(made):
    with h5py.File(made, "a") as file:
        file["soft"] = h5py.SoftLink("/group/data")
    with hdf5.open_file(made) as file:
        assert hdf5.find(file, "soft").shape == (4, 2, 3)
        assert hdf5.find(file, "group").shape == (4, 2, 3)
        assert hdf5.find(file, "group/nothing") is None
        assert hdf5.find(file, "group/data/below") is None
        assert hdf5.find(file, "empty") is None


def test_require_names_what_is_missing(made):
    with (
        hdf5.open_file(made) as file,
        pytest.raises(ScanError, match=r"made.h5: no dataset 'group/x', which a scan must have"),
    ):
        hdf5.require(file, "group/x", "a scan")


def test_number_honours_units(made):
    with h5py.File(made, "a") as file:
        file["odd"] = 3.0
        file["odd"].attrs["units"] = np.bytes_("parsec")
        file["plain"] = np.array([7.0, 8.0])
    with hdf5.open_file(made) as file:
        assert hdf5.number(file["group/length"], hdf5.LENGTHS) == pytest.approx(5e-3)
        assert hdf5.number(file["odd"], hdf5.LENGTHS) is None
        assert hdf5.number(file["plain"], hdf5.LENGTHS) == 7
        assert hdf5.number(file["text"], hdf5.LENGTHS) is None
        assert hdf5.number(None, hdf5.LENGTHS) is None


@pytest.mark.parametrize(
    ("unit", "metres"),
    [("meters", 2), ("Metres", 2), ("cm", 0.02), ("millimeter", 2e-3), ("microns", 2e-6)],
)
def test_lengths_are_known_by_their_words_too(tmp_path, unit, metres):
    with h5py.File(tmp_path / "words.h5", "w") as file:
        file["distance"] = 2.0
        file["distance"].attrs["units"] = unit
    with hdf5.open_file(tmp_path / "words.h5") as file:
        assert hdf5.number(file["distance"], hdf5.LENGTHS) == pytest.approx(metres)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_file_cut_short_says_how_much_is_there(tmp_path, libver):
    whole = tmp_path / "whole.h5"
    with h5py.File(whole, "w", libver=libver) as file:
        file["data"] = np.zeros(100_000)
    cut = tmp_path / "cut.h5"
    cut.write_bytes(whole.read_bytes()[:200_000])
    with pytest.raises(FileError, match=r"incomplete, 200 kB of 80\d kB"):
        read_scan(cut)


def test_a_damaged_file_is_one_sentence(made, tmp_path):
    broken = bytearray(made.read_bytes())
    broken[8:60] = bytes([255] * 52)
    (tmp_path / "broken.h5").write_bytes(broken)
    with pytest.raises(FileError, match=r"broken.h5: the HDF5 file is damaged"):
        read_scan(tmp_path / "broken.h5")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"),
        (b"/annex/objects/SHA256E-s12--00.h5\n", "git-annex pointer"),
        (b"<!DOCTYPE html><html>404</html>", "a web page"),
        (b"no data", "a text file"),
        (b"\x80\x04\x95\x00\x00", "a Python pickle, which is never opened"),
        (b"\x01\x02\x03", "of an unknown kind"),
    ],
)
def test_what_is_not_hdf5_is_named(tmp_path, content, sentence):
    path = tmp_path / "scan.h5"
    path.write_bytes(content)
    with pytest.raises(FileError) as caught, hdf5.open_file(path):
        pass
    assert sentence in str(caught.value)
    with pytest.raises(FileError) as caught:
        read_scan(path)
    assert sentence in str(caught.value)
    assert "are read from HDF5" in str(caught.value)


def test_a_block_in_front_as_matlab_writes_it(tmp_path):
    path = tmp_path / "made.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["x"] = 1
    with hdf5.open_file(path) as file:
        assert "x" in file


def test_a_missing_filter_is_named(tmp_path, monkeypatch):
    path = tmp_path / "packed.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=np.zeros((4, 8, 8), "u2"), **hdf5.BITSHUFFLE)
    with hdf5.open_file(path) as file:
        assert hdf5.find(file, "data").shape == (4, 8, 8)
        monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: False)
        with pytest.raises(FileError, match=r"filter 32008 \(bitshuffle"):
            hdf5.find(file, "data")


@pytest.fixture
def virtual(tmp_path):
    """A virtual dataset of two files; returns their folder."""
    layout = h5py.VirtualLayout((4, 8, 8), "u2")
    for index in range(2):
        with h5py.File(tmp_path / f"part{index}.h5", "w") as file:
            file["data"] = np.full((2, 8, 8), index + 1, "u2")
        source = h5py.VirtualSource(f"part{index}.h5", "data", (2, 8, 8))
        layout[2 * index : 2 * index + 2] = source
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    return tmp_path


def test_a_whole_virtual_dataset_is_read(virtual):
    with hdf5.open_file(virtual / "master.h5") as file:
        found = hdf5.find(file, "data")
        assert found[:, 0, 0].tolist() == [1, 1, 2, 2]
        assert len(hdf5.virtual_files(found)) == 2


def test_a_missing_virtual_source_is_refused_not_read_as_zeros(virtual):
    (virtual / "part1.h5").unlink()
    with (
        hdf5.open_file(virtual / "master.h5") as file,
        pytest.raises(FileError, match=r"1 are missing \(part1.h5"),
    ):
        hdf5.find(file, "data")


def test_a_virtual_source_without_its_dataset_is_refused(virtual):
    with h5py.File(virtual / "part1.h5", "w") as file:
        file["other"] = 1
    with (
        hdf5.open_file(virtual / "master.h5") as file,
        pytest.raises(FileError, match=r"'data' in part1.h5, which lacks it"),
    ):
        hdf5.find(file, "data")


def test_a_virtual_source_in_the_same_file_is_checked(tmp_path):
    path = tmp_path / "same.h5"
    layout = h5py.VirtualLayout((2, 8, 8), "u2")
    layout[:] = h5py.VirtualSource(".", "gone", (2, 8, 8))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("data", layout)
    with hdf5.open_file(path) as file, pytest.raises(FileError, match="which lacks it"):
        hdf5.find(file, "data")


def test_frames_read_like_the_array_they_are(made):
    stored = np.arange(24).reshape(4, 2, 3)
    keep = np.array([0, 2, 3])
    with hdf5.open_file(made) as file:
        found = hdf5_frames.Hdf5Frames(file["group/data"])
        found.keep = keep
    expected = stored[keep]
    assert found.shape == expected.shape
    assert found.ndim == 3
    assert found.nbytes == expected.nbytes
    for key in (1, -1, slice(1, None), slice(None, None, -1), (slice(0, 2), 1), (2, 0, 1), [2, 0]):
        np.testing.assert_array_equal(found[key], expected[key])
    assert found[5:].shape == (0, 2, 3)
    copy = pickle.loads(pickle.dumps(found))  # as dask sends it to another process
    np.testing.assert_array_equal(copy[:], expected)


def test_frames_that_pass_through_a_function(made):
    with hdf5.open_file(made) as file:
        found = hdf5_frames.Hdf5Frames(file["group/data"])
    doubled = frames._Made(found, lambda block: 2.0 * block, np.dtype(float))
    expected = 2.0 * np.arange(24).reshape(4, 2, 3)
    for key in (1, slice(1, None), (slice(0, 2), 1), (2, 0, 1)):
        np.testing.assert_array_equal(doubled[key], expected[key])
    lazy = found.lazy(lambda block: 2.0 * block, np.dtype(float))
    assert lazy.dtype == float
    np.testing.assert_array_equal(lazy[3].compute(), expected[3])


def test_a_file_that_breaks_while_it_is_read_lazily_is_one_sentence(made):
    with hdf5.open_file(made) as file:
        found = hdf5_frames.Hdf5Frames(file["group/data"])
    made.unlink()
    with pytest.raises(FileError, match=r"made.h5"):
        found[:]


def test_a_copy_elsewhere_is_not_in_use(made, tmp_path):
    with hdf5.open_file(made) as file:
        found = hdf5_frames.Hdf5Frames(file["group/data"])
    shutil.copy(made, tmp_path / "copy.h5")
    assert frames.in_use(made)
    assert not frames.in_use(tmp_path / "copy.h5")
    assert not frames.in_use(tmp_path / "nothing.h5")
    assert found.advice() is None


def test_a_locked_file_is_opened_without_locks(made, monkeypatch):
    opened, usual = [], h5py.File

    def locked(path, mode, **options):
        opened.append(options)
        if not options:
            raise BlockingIOError("unable to lock file")
        return usual(path, mode, **options)

    monkeypatch.setattr(h5py, "File", locked)
    with hdf5.open_file(made) as file:
        assert "group" in file
    assert opened == [{}, {"locking": False}]


def test_numbered_virtual_sources_are_looked_for_by_the_first(tmp_path):
    space = h5py.h5s.create_simple((4, 8, 8), (h5py.h5s.UNLIMITED, 8, 8))
    space.select_hyperslab((0, 0, 0), (h5py.h5s.UNLIMITED, 1, 1), (2, 1, 1), (2, 8, 8))
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    part = h5py.h5s.create_simple((2, 8, 8))
    properties.set_virtual(space, b"part_%b.h5", b"data", part)
    path = tmp_path / "master.h5"
    with h5py.File(path, "w") as file:
        whole = h5py.h5s.create_simple((4, 8, 8), (h5py.h5s.UNLIMITED, 8, 8))
        h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_UINT16, whole, properties)
    with hdf5.open_file(path) as file, pytest.raises(FileError, match=r"1 are missing \(part_0.h5"):
        hdf5.find(file, "data")
    with h5py.File(tmp_path / "part_0.h5", "w") as file:
        file["data"] = np.ones((2, 8, 8), "u2")
    with hdf5.open_file(path) as file:
        assert hdf5.find(file, "data")[0].sum() == 64


def test_attributes_are_numbers_and_texts_others_count_as_absent(tmp_path):
    with h5py.File(tmp_path / "made.h5", "w") as file:
        file.attrs["number"], file.attrs["text"] = 3.5, "µm"
        ragged = np.empty(1, object)
        ragged[0] = np.arange(2)
        file.attrs.create("ragged", ragged, dtype=h5py.vlen_dtype(np.int64))
        file.attrs["link"] = file.ref
        found = Attributes(file)
        assert (found["number"], found.get("text")) == (3.5, "µm")
        assert found.get("ragged") is None
        assert found.get("link", "") == ""
        assert "ragged" not in found
        assert "number" in found


def test_lists_of_varying_length_are_refused(tmp_path):
    with h5py.File(tmp_path / "made.h5", "w") as file:
        file.create_dataset("ragged", (3,), h5py.vlen_dtype(float))
    with hdf5.open_file(tmp_path / "made.h5") as file:
        with pytest.raises(FileError, match="'/ragged' holds lists of varying length; need an arr"):
            hdf5.find(file, "ragged")
        assert hdf5.names(file, "ragged") == []
        assert hdf5.names(file, "/") == ["ragged"]


def test_frames_that_no_detector_has_are_refused_before_they_are_made(tmp_path):
    with h5py.File(tmp_path / "made.h5", "w") as file:
        file.create_dataset("frames", (4, 100_000, 100_000), "u2", chunks=(1, 16, 16))
        with pytest.raises(ScanError, match="frames of 100000 x 100000 pixels; none larger than"):
            hdf5_frames.Hdf5Frames(file["frames"])
