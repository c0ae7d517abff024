"""Damaged compressed chunks get a sentence; without it, HDF5's filters end the process."""

from struct import pack

import h5py
import hdf5plugin
import numpy as np
import pytest

from napari_ptycho.errors import FileError
from napari_ptycho.io import chunks, hdf5
from napari_ptycho.io.hdf5_frames import Hdf5Frames

SHAPE = (6, 40, 33)
FILTERS = {
    "bitshuffle-LZ4": hdf5plugin.Bitshuffle(),
    "bitshuffle-Zstd": hdf5plugin.Bitshuffle(cname="zstd"),
    "bitshuffle alone": hdf5plugin.Bitshuffle(cname="none"),
    "bitshuffle, small blocks": hdf5plugin.Bitshuffle(nelems=64),
    "LZ4": hdf5plugin.LZ4(),
    "LZ4, small blocks": hdf5plugin.LZ4(nbytes=100),
    "Blosc": hdf5plugin.Blosc(),
    "gzip": {"compression": "gzip"},
}


@pytest.fixture
def stored(tmp_path, rng):
    """Write frames with a filter; return the file and the dataset's chunk 2 as stored."""

    def write(kind, dtype="u2", chunk=(1, 40, 33)):
        path = tmp_path / "made.h5"
        data = rng.poisson(3, SHAPE).astype(dtype)
        with h5py.File(path, "w") as file:
            made = file.create_dataset("data", data=data, chunks=chunk, **FILTERS[kind])
            info = made.id.get_chunk_info_by_coord((2, 0, 0))
            return path, data, info.byte_offset, info.size

    return write


def spoil(path, at, what):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(what)


@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize("chunk", [(1, 40, 33), (2, 7, 9), (1, 1, 5), (6, 40, 33)])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f8"])
def test_sound_chunks_are_read(stored, kind, dtype, chunk):
    path, data, _, _ = stored(kind, dtype, chunk)
    with hdf5.open_file(path) as file:
        frames = Hdf5Frames(hdf5.find(file, "data"))
        np.testing.assert_array_equal(frames[:], data)


@pytest.mark.parametrize(
    ("kind", "at", "what"),
    [
        ("bitshuffle-LZ4", 0, pack(">Q", 0x20A50)),
        ("bitshuffle-LZ4", 0, pack(">Q", 1)),
        ("bitshuffle-LZ4", 8, pack(">I", 3 * 2)),
        ("bitshuffle-LZ4", 8, pack(">I", 16)),
        ("bitshuffle-LZ4", 12, pack(">I", 2**31)),
        ("bitshuffle-Zstd", 12, pack(">I", 2**20)),
        ("LZ4", 0, pack(">Q", 2**40)),
        ("LZ4", 8, pack(">I", 0)),
        ("LZ4", 12, pack(">I", 2**30)),
        ("Blosc", 4, pack("<I", 2**30)),
        ("Blosc", 12, pack("<I", 2**30)),
    ],
)
def test_sizes_that_contradict_are_refused(stored, kind, at, what):
    path, data, start, _ = stored(kind)
    spoil(path, start + at, what)
    with hdf5.open_file(path) as file:
        frames = Hdf5Frames(file["data"])
        np.testing.assert_array_equal(frames[:2], data[:2])
        told = r"made\.h5: '/data' is damaged: its compressed part at \(2, 0, 0\) has not the size"
        with pytest.raises(FileError, match=told):
            frames[2]
        np.testing.assert_array_equal(frames[3:], data[3:])
        with pytest.raises(FileError, match=told):
            hdf5.find(file, "data")


def test_large_datasets_are_looked_at_frame_by_frame(stored, monkeypatch):
    path, _, start, _ = stored("bitshuffle-LZ4")
    spoil(path, start, pack(">Q", 1))
    monkeypatch.setattr(chunks, "SMALL_BYTES", 100)
    with hdf5.open_file(path) as file:
        frames = Hdf5Frames(hdf5.find(file, "data"))
        assert frames[1].shape == SHAPE[1:]
        with pytest.raises(FileError, match="is damaged"):
            frames[1:4]


def test_damaged_parts_of_a_virtual_dataset_are_refused(stored, tmp_path):
    path, _, start, _ = stored("bitshuffle-LZ4")
    layout = h5py.VirtualLayout(SHAPE, np.uint16)
    layout[:] = h5py.VirtualSource("made.h5", "data", SHAPE)
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file.create_virtual_dataset("all", layout)
    spoil(path, start, pack(">Q", 1))
    with (
        hdf5.open_file(tmp_path / "master.h5") as file,
        pytest.raises(FileError, match="'/data' is damaged"),
    ):
        hdf5.find(file, "all")
