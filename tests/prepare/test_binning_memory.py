"""Binning from disk must not hold more for a longer scan: measured in a fresh process."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

MEASURE = """
import resource, sys
import dask, dask.array as da, h5py, numpy as np
from napari_ptycho.model import Scan
from napari_ptycho.prepare import bin_positions
dask.config.set(scheduler="synchronous")
size = eval(sys.argv[2])
with h5py.File(sys.argv[1]) as file:
    data = file["data"]
    positions = np.stack(np.divmod(np.arange(len(data)), 32), axis=1).astype(float)
    scan = Scan(da.from_array(data, chunks=(256, 128, 128)), positions_px=positions)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    total = 0
    binned = bin_positions(scan, size)
    for number in range(binned.patterns.numblocks[0]):
        total += int(binned.patterns.blocks[number].compute().sum())
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, total)
"""


def write(path, frames):
    block = np.random.default_rng(0).poisson(3, (64, 128, 128)).astype(np.uint16)
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", (frames, 128, 128), "u2", chunks=(16, 128, 128))
        for first in range(0, frames, 64):
            data[first : first + 64] = block
    return int(block.sum()) * frames // 64


@pytest.mark.parametrize("size", ["4", "(2, 2)"])
def test_peak_memory_does_not_grow_with_the_scan(tmp_path, size):
    grown = []
    for frames in (1536, 6144):  # 50 MB and 201 MB
        total = write(tmp_path / "scan.h5", frames)
        command = [sys.executable, "-c", MEASURE, str(tmp_path / "scan.h5"), size]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        kilobytes, summed = map(int, done.stdout.split())
        assert summed == total
        grown.append(kilobytes / 1e3)
    assert grown[1] < grown[0] + 25
    assert grown[1] < 150
