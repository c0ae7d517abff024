"""MATLAB files of version 5, written by SciPy, and by hand as the format is documented."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from napari_ptycho.errors import FileError, NeedsPositions, PtychoError
from napari_ptycho.io import read_scan
from napari_ptycho.io.formats.matlab import MatFile
from napari_ptycho.io.layout import Layout


@pytest.fixture
def arrays(rng, counts, positions):
    return {
        "dp": np.moveaxis(counts, 0, -1).astype(np.uint16),
        "positions_m": positions,
        "energy_ev": 8000.0,
        "probe": (rng.normal(size=(32, 24)) + 1j).astype(np.complex64),
        "p": {"note": "a structure"},
        "remark": "text",
    }


@pytest.mark.parametrize("packed", [False, True])
def test_frames_on_the_last_axis_as_matlab_has_them(tmp_path, arrays, counts, positions, packed):
    savemat(tmp_path / "made.mat", arrays, do_compression=packed)
    scan = read_scan(tmp_path / "made.mat")
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_array_equal(scan.positions_m, positions)
    np.testing.assert_array_equal(scan.probe[0], arrays["probe"])
    assert scan.geometry.energy_ev == 8000
    assert scan.sources["patterns"] == "file: dp"
    assert any("its first two axes are the frame" in note for note in scan.notes)


def test_square_frames_without_positions_are_told_by_their_shape(tmp_path, counts):
    square = counts[:, :24, :24]
    savemat(tmp_path / "made.mat", {"data": np.moveaxis(square, 0, -1)})
    with pytest.raises(NeedsPositions, match="fit: 3 x 4"):
        read_scan(tmp_path / "made.mat")
    scan = read_scan(tmp_path / "made.mat", layout=Layout(raster_rows=3, step_y=1))
    np.testing.assert_array_equal(scan.patterns, square)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "c8"]
)
def test_every_kind_of_number(tmp_path, rng, dtype, packed):
    stored = (rng.uniform(0, 100, (3, 5, 2)) * (1 + 2j if dtype == "c8" else 1)).astype(dtype)
    row = np.array([[1]], dtype)
    savemat(tmp_path / "made.mat", {"x": stored, "one": row}, do_compression=packed)
    file = MatFile(tmp_path / "made.mat")
    assert file.names == ("x", "one")
    assert file.header("x").dtype == stored.dtype
    np.testing.assert_array_equal(file.load("x"), stored)
    np.testing.assert_array_equal(file.load("one"), row)


def element(kind, data, order="<"):
    return struct.pack(f"{order}II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(shape, kind, data, name=b"data", order="<"):
    """A matrix of doubles (class 6) whose numbers are stored as another type."""
    parts = [
        element(6, struct.pack(f"{order}II", 6, 0), order),
        element(5, struct.pack(f"{order}{len(shape)}i", *shape), order),
        element(1, name, order),
        element(kind, data, order),
    ]
    return element(14, b"".join(parts), order)


def mat(path, *elements, order="<"):
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(f"{order}H", 0x0100)
    path.write_bytes(head + (b"IM" if order == "<" else b"MI") + b"".join(elements))
    return path


@pytest.mark.parametrize("order", "<>")
def test_doubles_kept_as_bytes_column_by_column(tmp_path, order):
    path = mat(tmp_path / "x.mat", matrix((2, 3), 2, bytes(range(6)), order=order), order=order)
    np.testing.assert_array_equal(MatFile(path).load("data"), [[0, 2, 4], [1, 3, 5]])
    assert MatFile(path).load("data").dtype == np.float64


def test_a_matrix_that_claims_more_than_it_has_is_refused(tmp_path):
    path = mat(tmp_path / "x.mat", matrix((9000, 9000, 9), 9, bytes(64)))
    with pytest.raises(FileError, match=r"over 300 times as much"):
        read_scan(path)
    path = mat(tmp_path / "x.mat", matrix((8, 8, 9), 9, bytes(64)))
    with pytest.raises(FileError, match="'data' is cut short"):
        read_scan(path)


def test_a_packed_matrix_is_unpacked_no_further_than_wanted(tmp_path):
    packed = zlib.compress(matrix((8, 8, 9), 9, bytes(32 * 2**20)))
    path = mat(tmp_path / "x.mat", struct.pack("<II", 15, len(packed)) + packed)
    tracemalloc.start()
    assert MatFile(path).load("data").shape == (8, 8, 9)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_a_file_cut_short_says_so(tmp_path, arrays):
    savemat(tmp_path / "whole.mat", arrays)
    whole = (tmp_path / "whole.mat").read_bytes()
    for at in (0.3, 0.6, 0.99):
        (tmp_path / "cut.mat").write_bytes(whole[: int(at * len(whole))])
        with pytest.raises(FileError, match=r"cut.mat: the file is incomplete"):
            read_scan(tmp_path / "cut.mat")


def test_what_holds_no_frames_is_of_no_known_layout(tmp_path):
    savemat(tmp_path / "x.mat", {"a": 1, "b": "text"})
    with pytest.raises(FileError, match="a MATLAB file of no known layout"):
        read_scan(tmp_path / "x.mat")


@pytest.mark.parametrize("packed", [False, True])
def test_any_damaged_byte_gives_a_scan_or_a_sentence(tmp_path, arrays, rng, packed):
    arrays["dp"] = arrays["dp"][:8, :8]
    del arrays["probe"]
    savemat(tmp_path / "whole.mat", arrays, do_compression=packed)
    whole, sentences = bytearray((tmp_path / "whole.mat").read_bytes()), []
    for place in rng.choice(len(whole), 60):
        broken = whole.copy()
        broken[place] ^= rng.integers(1, 256)
        (tmp_path / "broken.mat").write_bytes(broken)
        try:
            read_scan(tmp_path / "broken.mat")
        except PtychoError as error:
            sentences.append(str(error))
    assert sentences
    assert not any("\n" in sentence for sentence in sentences)
