"""Traps that files set: sizes, chunks, rasters, code, files that somebody changed.

Every test makes the trap in a file, opens it as a user does, and compares with what was put in.
"""

import pickle
import zipfile
from dataclasses import replace

import h5py
import numpy as np
import pytest
import tifffile

from napari_ptycho.errors import FileError, PtychoError, ScanError
from napari_ptycho.io import (
    read_image,
    read_reconstruction,
    read_scan,
    write_reconstruction,
    write_scan,
)
from napari_ptycho.io.hdf5_frames import Hdf5Frames
from napari_ptycho.model import Reconstruction

from .conftest import H, N, W
from .traps import DATA, MASK, PLACES, RASTER, told, translation

# size and chunks


def test_a_badly_chunked_file_says_what_it_costs(cxi, counts):
    path = cxi({DATA: None})
    with h5py.File(path, "a") as file:
        file.create_dataset(DATA, data=counts.astype(np.int32), chunks=(6, 8, 8), compression=1)
    scan = read_scan(path, lazy_above_bytes=0)
    assert "keeps 6 frames in one chunk (6, 8, 8): showing one frame decompresses 6" in told(scan)
    np.testing.assert_array_equal(scan.patterns, counts)


def test_a_badly_chunked_file_is_read_in_blocks(cxi, counts, monkeypatch):
    path = cxi({DATA: None})
    with h5py.File(path, "a") as file:
        file.create_dataset(DATA, data=counts.astype(np.int32), chunks=(5, 8, 8), compression=1)
    scan = read_scan(path, lazy_above_bytes=0)
    read, usual = [], Hdf5Frames.read

    def counted(frames, start, stop):
        read.append((start, stop))
        return usual(frames, start, stop)

    monkeypatch.setattr(Hdf5Frames, "read", counted)
    for number in (0, 1, 4, 5, 11, 10):
        np.testing.assert_array_equal(scan.patterns[number], counts[number])
    assert read == [(5, 10), (10, 12)]  # the first chunk was at hand since the file was opened
    np.testing.assert_array_equal(scan.patterns[3:7], counts[3:7])


def test_chunks_that_fill_the_memory(cxi):
    path = cxi({DATA: None})
    with h5py.File(path, "a") as file:
        file.create_dataset(DATA, (4, 2**15, 2**15), "u2", chunks=(1, 2**15, 2**15))
    with pytest.raises(FileError, match=r"has chunks of 2.15 GB, of which every frame needs"):
        read_scan(path)


def test_positions_that_claim_more_than_the_file_can_hold(cxi):
    path = cxi({PLACES: None})
    with h5py.File(path, "a") as file:
        file.create_dataset(PLACES, (10**9, 3), "f8", chunks=(1000, 3))
    with pytest.raises(FileError, match=r"claims to have 24 GB, but the file holds 0 bytes of it"):
        read_scan(path)


def test_frames_that_lie_in_a_device(cxi):
    path = cxi({DATA: None})
    with h5py.File(path, "a") as file:
        file.create_dataset(DATA, (N, H, W), "u2", external=[("/dev/zero", 0, 10**6)])
    with pytest.raises(FileError, match=r"lies in the raw file /dev/zero, which is not there"):
        read_scan(path)


def test_pages_that_go_in_a_circle(tmp_path, counts):
    path = tmp_path / "circle.tif"
    tifffile.imwrite(path, counts.astype(np.uint16), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as file:
        first, last = file.pages[0].offset, file.pages[-1]
        at = last.offset + 2 + 12 * len(last.tags)
    content = bytearray(path.read_bytes())
    content[at : at + 4] = first.to_bytes(4, "little")
    path.write_bytes(content)
    sentence = r"circle.tif: page 12 is followed by one that came before; the file is damaged"
    with pytest.raises(FileError, match=sentence):
        read_scan(path)
    with pytest.raises(FileError, match=sentence):
        read_image(path)


def test_a_scan_larger_than_the_memory_stays_on_disk(cxi, tmp_path):
    path = cxi({DATA: None, PLACES: translation(np.indices((200, 500)).reshape(2, -1).T * 1e-7)})
    with h5py.File(path, "a") as file:
        shape, chunks = (100_000, 512, 512), (1, 512, 512)
        frames = file.create_dataset(DATA, shape, "u2", chunks=chunks, compression=1)
        frames[70_000, 256, 256] = 9
        del file[MASK]
    assert path.stat().st_size < 10**7  # of 52 GB
    scan = read_scan(path)
    assert scan.is_lazy
    assert scan.patterns[70_000].compute().sum() == 9


# rasters


@pytest.mark.parametrize("snake", [False, True])
def test_a_raster_with_or_without_a_snake(master, snake):
    scan = read_scan(master, layout=replace(RASTER, snake=snake))
    there, back = [0.0, 2.0, 4.0, 6.0], [6.0, 4.0, 2.0, 0.0]
    columns = there + (back if snake else there) + there
    np.testing.assert_allclose(scan.positions_m[:, 1], np.array(columns) * 1e-6)
    np.testing.assert_allclose(scan.positions_m[:, 0], np.repeat([0, 1e-6, 2e-6], 4))


def test_an_offset_of_the_positions_does_not_matter(cxi, positions):
    scan = read_scan(cxi({PLACES: translation(positions + np.array([0.02, -0.01]))}))
    np.testing.assert_allclose(np.ptp(scan.positions_m, axis=0), np.ptp(positions, axis=0))
    assert "slip" not in told(scan)


# code in files


class _Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickles_in_archives_are_refused(tmp_path, counts):
    canary = tmp_path / "canary"
    path = tmp_path / "scan.npz"
    trap = np.array([_Trap(canary)], object)
    np.savez(path, patterns=counts, positions_px=trap)
    with pytest.raises(FileError, match=r"'positions_px' is pickled; pickles can run code"):
        read_scan(path)
    np.save(tmp_path / "scan.npy", trap, allow_pickle=True)
    with pytest.raises(FileError, match="is pickled; pickles can run code"):
        read_scan(tmp_path / "scan.npy")
    assert not canary.exists()


def test_a_pickle_beside_the_frames_is_not_looked_at(tmp_path, counts, positions):
    canary, path = tmp_path / "canary", tmp_path / "scan.npz"
    np.savez(path, patterns=counts, positions_m=positions)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("metadata.pkl", pickle.dumps(_Trap(canary)))
    assert len(read_scan(path)) == N
    assert not canary.exists()


@pytest.mark.parametrize("kind", ["pickle", "record_array"])
def test_pickles_in_ptyd_are_not_opened(tmp_path, counts, positions, kind):
    canary, path = tmp_path / "canary", tmp_path / "scan.ptyd"
    with h5py.File(path, "w") as file:
        file.attrs["h5rw_version"] = "0.1"
        file["meta/num_frames"], file["meta/energy"] = N, 8.0
        file["chunks/0/data"], file["chunks/0/positions"] = counts.astype("f4"), positions
        file["chunks/0/indices"] = np.arange(N)
        for name in ("info/recipe", "meta/label"):
            file[name] = np.frombuffer(pickle.dumps(_Trap(canary), 0), np.uint8)
            file[name].attrs["type"] = kind
    scan = read_scan(path)
    np.testing.assert_allclose(scan.positions_m, positions)
    assert not canary.exists()


# our own files, changed by somebody


@pytest.mark.parametrize("name", ["geometry", "sources", "notes"])
def test_our_scan_with_something_else_in_its_json(scan, tmp_path, name):
    path = tmp_path / "scan.h5"
    write_scan(scan, path)
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = "7"
    with pytest.raises(FileError, match=f"scan.h5: '{name}' is no (dict|list); damaged"):
        read_scan(path)


@pytest.mark.parametrize("content", ["[1]", "{}", '{"provenance": []}'])
def test_our_result_with_something_else_in_its_json(tmp_path, content):
    path = tmp_path / "result.h5"
    probe = np.ones((1, 8, 8), complex)
    write_reconstruction(Reconstruction(np.ones((20, 20), complex), probe, [[2.0, 3.0]]), path)
    with h5py.File(path, "a") as file:
        del file["napari_ptycho"]
        file["napari_ptycho"] = content
    with pytest.raises(ScanError, match="does not hold what this program writes; damaged"):
        read_reconstruction(path)


# more than one thing wrong


def test_one_image_is_no_scan(tmp_path):
    tifffile.imwrite(tmp_path / "one.tif", np.ones((8, 8), np.uint16))
    with pytest.raises(PtychoError, match=r"holds one image, not a scan"):
        read_scan(tmp_path / "one.tif")
