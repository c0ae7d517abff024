"""Throughput of position binning from disk, as a ratio to reading the same file alone.

Writes a raster of simulated counts (uint16, contiguous-frame chunks) uncompressed and as
bitshuffle-LZ4, reads each chunk by chunk with h5py alone, and bins it while reading. The rounds
alternate, all on one thread, the file in the page cache; medians of CPU time are compared.

    python benchmarks/binning.py [--frames 4096] [--side 192] [--rounds 7]
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import dask  # noqa: E402
import dask.array as da  # noqa: E402
import h5py  # noqa: E402
import hdf5plugin  # noqa: E402
import numpy as np  # noqa: E402

from napari_ptycho import prepare  # noqa: E402
from napari_ptycho.model import Scan  # noqa: E402

FILTERS = {"uncompressed": {}, "bitshuffle-LZ4": dict(hdf5plugin.Bitshuffle(cname="lz4"))}
CHUNK = 16
SIZES = {"4 along the path": 4, "16 along the path": 16, "2x2": (2, 2), "4x4": (4, 4)}


def write(path: Path, frames: int, side: int, filters: dict[str, object]) -> None:
    """Write frames with a bright middle, as a detector sees them."""
    rng = np.random.default_rng(0)
    away = np.hypot(*(np.indices((side, side)) - side / 2))
    some = rng.poisson(3e4 / (100 + away**2.5), (64, side, side)).astype(np.uint16)
    with h5py.File(path, "w") as file:
        shape, chunks = (frames, side, side), (CHUNK, side, side)
        data = file.create_dataset("data", shape, np.uint16, chunks=chunks, **filters)
        for first in range(0, frames, len(some)):
            data[first : first + len(some)] = np.roll(some, first, axis=0)[: frames - first]


def raster(frames: int) -> np.ndarray:
    """Return positions of a square raster, the last line perhaps shorter."""
    return np.stack(np.divmod(np.arange(frames), int(frames**0.5)), axis=1).astype(float)


def read_alone(path: Path, frames_at_once: int) -> None:
    """Read all frames, whole chunks at a time."""
    with h5py.File(path) as file:
        data = file["data"]
        for first in range(0, len(data), frames_at_once):
            data[first : first + frames_at_once]


def read_binned(path: Path, size: int | tuple[int, int]) -> None:
    """Bin the scan, block by block."""
    with h5py.File(path) as file:
        data = file["data"]
        together = CHUNK * max(1, 2**25 // data[:CHUNK].nbytes)
        frames = da.from_array(data, chunks=(together, *data.shape[1:]), lock=True)
        scan = Scan(frames, positions_px=raster(len(data)))
        binned = prepare.bin_positions(scan, size).patterns
        for number in range(binned.numblocks[0]):
            binned.blocks[number].compute()


def cpu_seconds(task: Callable[[], None]) -> float:
    """Return the CPU time of one call."""
    began = time.process_time()
    task()
    return time.process_time() - began


def measure(path: Path, rounds: int) -> dict[str, float]:
    """Return the median CPU seconds of reading alone and of each bin size, rounds alternating."""
    tasks: dict[str, Callable[[], None]] = {"read alone": lambda: read_alone(path, 64)}
    for name, size in SIZES.items():
        tasks[name] = lambda size=size: read_binned(path, size)
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            times[name].append(cpu_seconds(task))
    return {name: statistics.median(values) for name, values in times.items()}


def main(words: list[str]) -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=4096)
    parser.add_argument("--side", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=7)
    wanted = parser.parse_args(words)
    megabytes = wanted.frames * wanted.side**2 * 2 / 1e6
    print("| file | task | CPU s | MB/s | ratio to reading alone |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, dask.config.set(scheduler="synchronous"):
        for kind, filters in FILTERS.items():
            path = Path(folder) / "scan.h5"
            write(path, wanted.frames, wanted.side, filters)
            seconds = measure(path, wanted.rounds)
            for name, value in seconds.items():
                ratio = seconds["read alone"] / value
                print(f"| {kind} | {name} | {value:.3f} | {megabytes / value:.0f} | {ratio:.2f} |")
            path.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
