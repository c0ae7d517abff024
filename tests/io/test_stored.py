import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io.formats import external, stored
from napari_ptycho.io.formats.beam import energy_of, off_centre


@pytest.fixture
def file(tmp_path):
    """An open HDF5 file."""
    with h5py.File(tmp_path / "made.h5", "w") as opened:
        yield opened


def test_complex_numbers_by_any_name(file):
    values = np.array([[1 + 2j, 3 - 4j]], np.complex64)
    file["native"] = values
    for pair in (("real", "imag"), ("r", "i"), ("imag", "real")):
        made = np.empty(values.shape, [(name, "<f8") for name in pair])
        for name in pair:
            made[name] = values.real if name.startswith("r") else values.imag
        file["_".join(pair)] = made
    for name in file:
        found = stored.complexes(file[name])
        assert found.dtype == np.complex64
        np.testing.assert_array_equal(found, values)
    file["plain"] = [1, 2]
    np.testing.assert_array_equal(stored.complexes(file["plain"]), [1, 2])


def test_what_is_no_number_is_said(file):
    file["words"] = [b"one", b"two"]
    file["wave"] = [1j]
    with pytest.raises(ScanError, match=r"made.h5: '/words' is object; need complex numbers"):
        stored.complexes(file["words"])
    with pytest.raises(ScanError, match="'/wave' is complex128; need numbers"):
        stored.numbers(file["wave"])


def test_what_cannot_be_in_the_file_is_not_made_room_for(file):
    file.create_dataset("huge", (10**9, 100), np.float64, chunks=(1, 100))
    file["huge"][3] = 1
    with pytest.raises(FileError, match=r"'/huge' claims to have 800 GB, but the file holds 800 b"):
        stored.numbers(file["huge"])
    file.create_dataset("sparse", (1000, 1000), np.float32, chunks=(10, 10))
    assert not stored.numbers(file["sparse"]).any()


def test_files_are_found_beside_by_their_name(tmp_path):
    master = tmp_path / "master.h5"
    (tmp_path / "Part.H5").touch()
    (tmp_path / "folder.h5").mkdir()
    for name in ("part.h5", "/a/b/PART.h5", "c:\\data\\part.h5"):
        assert external.beside(master, name) == tmp_path / "Part.H5"
    for name in ("folder.h5", "other.h5", "", "..", "a\0b"):
        assert external.beside(master, name) is None


def test_energies_of_wavelengths():
    assert energy_of(1e-10) == (pytest.approx(12398.42, rel=1e-6), "photon")
    assert energy_of(2.5079e-12) == (pytest.approx(200e3, rel=1e-4), "electron")


def test_a_centre_within_a_pixel_of_the_middle_is_the_middle():
    assert off_centre((16.9, 11.2), (32, 24)) is None
    assert off_centre((float("nan"), 11.2), (32, 24)) is None
    assert "at (18, 12) (y, x), the middle of a frame at (16, 12)" in str(
        off_centre((18, 12), (32, 24))
    )
