import bz2
import gzip
import struct
import zipfile

import numpy as np
import pytest

from napari_ptycho.errors import FileError
from napari_ptycho.io import archive, read_scan
from napari_ptycho.io.files import translated


@pytest.fixture
def small_limits(monkeypatch):
    monkeypatch.setattr(archive, "BOMB_BYTES", 10_000)
    monkeypatch.setattr(archive, "BOMB_FACTOR", 50)


@pytest.mark.parametrize("pack", [bz2.compress, gzip.compress], ids=["bz2", "gz"])
def test_a_packed_bomb_is_refused_while_it_unpacks(tmp_path, small_limits, pack):
    np.save(tmp_path / "zeros.npy", np.zeros((100, 100, 100)))
    bomb = tmp_path / "bomb"
    bomb.write_bytes(pack((tmp_path / "zeros.npy").read_bytes()))
    with pytest.raises(FileError, match="refused as a trap"):
        read_scan(bomb)


def test_a_zip_bomb_is_refused(tmp_path, small_limits):
    zeros = np.zeros((100, 100, 100))
    np.savez_compressed(tmp_path / "bomb.npz", patterns=zeros, positions_px=np.ones((100, 2)))
    with pytest.raises(FileError, match="refused as a trap"):
        read_scan(tmp_path / "bomb.npz")


def test_well_packed_data_are_no_bomb(tmp_path, counts, positions):
    np.savez_compressed(tmp_path / "fine.npz", patterns=counts, positions_m=positions)
    assert len(read_scan(tmp_path / "fine.npz")) == len(counts)


def test_a_header_that_promises_more_than_is_there_is_refused(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000, 1000, 1000), }\n"
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64)
    with zipfile.ZipFile(tmp_path / "liar.npz", "w") as file:
        file.writestr("patterns.npy", member)
        file.writestr("positions_px.npy", member)
    with pytest.raises(FileError, match="80 GB but only"):
        read_scan(tmp_path / "liar.npz")


def test_something_else_that_is_packed_is_named(tmp_path):
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"some words"))
    with pytest.raises(FileError, match="holding a text file"):
        read_scan(tmp_path / "text.gz")


def test_hdf5_that_is_packed_is_named(tmp_path):
    (tmp_path / "scan.h5.bz2").write_bytes(bz2.compress(b"\x89HDF\r\n\x1a\n" + bytes(100)))
    with pytest.raises(FileError, match="holding an HDF5 file"):
        read_scan(tmp_path / "scan.h5.bz2")


def test_a_bare_array_is_read_by_no_name(tmp_path):
    path = tmp_path / "bare.npy"
    np.save(path, np.arange(6).reshape(2, 3))
    with archive.open_archive(path, "npy") as content:
        assert content.is_bare
        assert content.names == ("",)
        assert content.header("").shape == (2, 3)
        assert content.load("").tolist() == [[0, 1, 2], [3, 4, 5]]


def test_too_little_memory_is_one_sentence(tmp_path):
    path = tmp_path / "big.npz"
    with pytest.raises(FileError, match=r"big.npz: not enough memory to read it"), translated(path):
        raise MemoryError
