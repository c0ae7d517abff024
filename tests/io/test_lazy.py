import h5py
import numpy as np

from napari_ptycho.io import read_scan
from napari_ptycho.io.counts import Plan

DETECTOR = "entry_1/instrument_1/detector_1"


def test_a_lazy_scan_decides_as_an_eager_one_does(cxi, counts):
    stored = np.fft.ifftshift(counts, axes=(1, 2)).astype(np.int32)
    stored[:, 1, 1], stored[4, 9, 9] = -3, -1
    path = cxi({f"{DETECTOR}/data": stored})
    eager, lazy = read_scan(path), read_scan(path, lazy_above_bytes=0)
    assert lazy.is_lazy
    assert not eager.is_lazy
    np.testing.assert_array_equal(np.concatenate([b for _, b in lazy.blocks()]), eager.patterns)
    np.testing.assert_array_equal(lazy.valid_of(slice(0, 12)), eager.valid)
    np.testing.assert_array_equal(lazy.patterns[5, 3:9, ::2].compute(), eager.patterns[5, 3:9, ::2])
    assert lazy.patterns.dtype == np.uint32


def test_one_frame_of_a_lazy_scan_reads_one_frame(cxi, counts, monkeypatch):
    read, usual = [], Plan.counts
    monkeypatch.setattr(
        Plan, "counts", lambda plan, block: read.append(len(block)) or usual(plan, block)
    )
    scan = read_scan(cxi(), lazy_above_bytes=0)
    assert scan.patterns.numblocks == (1, 1, 1)
    np.testing.assert_array_equal(scan.patterns[7], counts[7])
    np.testing.assert_array_equal(scan.patterns[2:4, 5], counts[2:4, 5])
    assert read == [1, 2]
    np.testing.assert_array_equal(scan.patterns[[8, 1]][:, [3, 2]], counts[[8, 1]][:, [3, 2]])


def test_lazy_chunks_are_whole_chunks_of_the_file(cxi, counts, monkeypatch):
    monkeypatch.setattr("napari_ptycho.io.frames.CHUNK_BYTES", 8 * counts[0].nbytes // 2)
    path = cxi({f"{DETECTOR}/data": None})
    with h5py.File(path, "a") as file:
        data = counts.astype(np.int32)
        file.create_dataset(f"{DETECTOR}/data", data=data, chunks=(5, 8, 8), compression="gzip")
    scan = read_scan(path, lazy_above_bytes=0)
    assert scan.patterns.chunks == ((5, 5, 2), (32,), (24,))
    assert any("5 frames in one chunk (5, 8, 8)" in note for note in scan.notes)
    assert not any("in one chunk" in note for note in read_scan(path).notes)
    np.testing.assert_array_equal(scan.patterns.compute(), counts)
    monkeypatch.setattr("napari_ptycho.io.frames.CHUNK_BYTES_MOST", 2 * counts[0].nbytes // 2)
    scan = read_scan(path, lazy_above_bytes=0)
    assert scan.patterns.chunks[0][0] == 2
    assert any("decompresses everything 3 times" in note for note in scan.notes)
