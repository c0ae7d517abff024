"""How fast frames stream that do not fit into memory, and how fast they load.

1. Epochs of rPIE on random counts (128 x 128), on one CPU thread: amplitudes in memory, in a
   scratch file that the page cache holds, and in one that was taken out of the page cache before
   the epoch: read as the system likes and read ahead batch by batch as it is done for scans larger
   than the RAM. In every round all take turns; the median of the ratios within a round counts.
2. The same in memory at 192 x 192.
3. Loading from HDF5 into amplitudes: raw, gzip, bitshuffle-LZ4; the files are in the page cache.

    python benchmarks/scale/streaming.py [--rounds 3] [--frames 1500]

Prints the tables and writes `streaming.json` beside itself. Linux only (MADV_PAGEOUT).
"""

import argparse
import ctypes
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import h5py  # noqa: E402
import hdf5plugin  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

from napari_ptycho import io  # noqa: E402
from napari_ptycho.engines import RpieOptions  # noqa: E402
from napari_ptycho.engines.frames import Frames, load  # noqa: E402
from napari_ptycho.engines.loop import epochs  # noqa: E402
from napari_ptycho.engines.state import begin  # noqa: E402
from napari_ptycho.model import Scan  # noqa: E402
from napari_ptycho.physics.propagate import Propagator  # noqa: E402
from napari_ptycho.prepare import first_guess  # noqa: E402

CPU = torch.device("cpu")
BATCHES = (4, 8, 32)
PAGEOUT = 21
PLACES = ("memory", "disk, cached", "disk, not cached", "disk, not cached, read ahead")


def a_scan(frames: int, side: int) -> Scan:
    """Return counts as a detector sees them: few, most of them zero at the edge."""
    rng = np.random.default_rng(0)
    y, x = np.indices((side, side)) - side / 2
    mean = 100 * np.exp(-(y**2 + x**2) / (side / 8) ** 2) + 0.01
    counts = np.tile(rng.poisson(mean, (50, side, side)).astype(np.uint16), (frames // 50, 1, 1))
    return Scan(counts, positions_px=rng.uniform(0, 4 * side, (len(counts), 2)))


def page_out(frames: Frames) -> None:
    """Take a scratch file out of the page cache."""
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    os.sync()
    advise(frames.amplitude.data_ptr(), frames.amplitude.nbytes, PAGEOUT)


def read_bytes() -> int:
    """Return the bytes that this process has had read from disks."""
    text = Path("/proc/self/io").read_text(encoding="ascii")
    return int(text.split("read_bytes: ")[1].split()[0])


def endless(scan: Scan, frames: Frames, batch: int, before: Callable[[], None]) -> Iterator[Any]:
    """Run epochs; yield wall and CPU seconds of each, and bytes read."""
    options = RpieOptions(epochs=100_000, batch=batch, anneal=0)
    state = begin(first_guess(scan), frames, options)
    finished = 0
    with torch.inference_mode():
        states = epochs(frames, state, Propagator(), options)
        before()
        began = time.monotonic(), time.process_time(), read_bytes()
        for live in states:
            if live.done >= finished + 1:
                now = time.monotonic(), time.process_time(), read_bytes()
                yield [there - then for there, then in zip(now, began, strict=True)]
                finished += 1
                before()
                began = time.monotonic(), time.process_time(), read_bytes()


def streamed(scan: Scan, rounds: int) -> list[dict[str, Any]]:
    """Return a row for every batch size."""
    memory, disk = load(scan, CPU), load(scan, CPU, keep="disk")
    beyond = replace(disk, beyond=True)
    places = dict(zip(PLACES, (memory, disk, disk, beyond), strict=True))
    rows = []
    for batch in BATCHES:
        runs = {}
        for name, frames in places.items():
            out = (lambda: page_out(disk)) if "not cached" in name else (lambda: None)
            runs[name] = endless(scan, frames, batch, out)
            next(runs[name])
        found = [{name: next(run) for name, run in runs.items()} for _ in range(rounds)]
        for name in PLACES:
            own = [one[name] for one in found]
            ratios = [
                [one["memory"][clock] / one[name][clock] for one in found] for clock in (0, 1)
            ]
            rows.append(
                {
                    "batch": batch,
                    "frames": name,
                    "us_per_frame_wall": statistics.median(o[0] for o in own) / len(scan) * 1e6,
                    "us_per_frame_cpu": statistics.median(o[1] for o in own) / len(scan) * 1e6,
                    "speed_wall": statistics.median(ratios[0]),
                    "speed_cpu": statistics.median(ratios[1]),
                    "read_share": statistics.median(o[2] for o in own) / disk.amplitude.nbytes,
                }
            )
    return rows


def large_frames(rounds: int) -> dict[str, Any]:
    """Return what a pattern of 192 x 192 takes in memory, for the plan of 10^6 of them."""
    scan = a_scan(500, 192)
    run = endless(scan, load(scan, CPU), 8, lambda: None)
    next(run)
    times = [next(run) for _ in range(rounds)]
    wall, cpu, _ = (min(values) / len(scan) * 1e6 for values in zip(*times, strict=True))
    return {"side": 192, "batch": 8, "us_per_frame_wall": wall, "us_per_frame_cpu": cpu}


def loaded(folder: Path, frames: int, rounds: int) -> list[dict[str, Any]]:
    """Return a row for every filter of HDF5."""
    scan = a_scan(frames, 192)
    filters: dict[str, dict[str, Any]] = {
        "raw": {},
        "gzip": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
        "bitshuffle-LZ4": dict(hdf5plugin.Bitshuffle()),
    }
    paths = {}
    for name, filtered in filters.items():
        paths[name] = folder / f"{name}.h5"
        io.write_scan(scan, paths[name])
        recode(paths[name], filtered)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in paths}
    for _ in range(rounds):
        for name, path in paths.items():
            began, cpu = time.monotonic(), time.process_time()
            load(io.read_scan(path, lazy_above_bytes=0), CPU)
            found[name].append((time.monotonic() - began, time.process_time() - cpu))
    rows = []
    for name, times in found.items():
        wall, cpu = (min(values) for values in zip(*times, strict=True))
        raw = scan.patterns.nbytes
        rows.append(
            {
                "filter": name,
                "file_megabytes": paths[name].stat().st_size / 1e6,
                "frames_per_s_wall": len(scan) / wall,
                "frames_per_s_cpu": len(scan) / cpu,
                "megabytes_per_s_cpu": raw / cpu / 1e6,
            }
        )
    return rows


def recode(path: Path, filtered: dict[str, Any]) -> None:
    """Write the patterns of a file again, frame by frame, through another filter."""
    with h5py.File(path, "r+") as file:
        found: list[h5py.Dataset] = []
        file.visititems(
            lambda _, node: (
                found.append(node) if isinstance(node, h5py.Dataset) and node.ndim == 3 else None
            )
        )
        old = max(found, key=lambda node: node.size)
        name, counts, known = old.name, old[()], dict(old.attrs)
        del file[name]
        chunks = (1, *counts.shape[1:])
        new = file.create_dataset(name, data=counts, chunks=chunks, **filtered)
        new.attrs.update(known)


def tables(found: dict[str, Any]) -> str:
    """Return what was measured as Markdown."""
    lines = [
        "| batch | frames in | µs per frame, CPU (wall) | speed, CPU (wall) | read / needed |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['batch']} | {row['frames']} | {row['us_per_frame_cpu']:.0f} "
        f"({row['us_per_frame_wall']:.0f}) | {row['speed_cpu']:.2f} ({row['speed_wall']:.2f}) | "
        f"{row['read_share']:.2f} |"
        for row in found["streaming"]
    ]
    one = found["large_frames"]
    cost = f"{one['us_per_frame_cpu']:.0f} ({one['us_per_frame_wall']:.0f}) µs per frame and epoch"
    lines += ["", f"192 x 192, batch {one['batch']}, in memory, CPU (wall), best round: {cost}"]
    lines += ["", "| HDF5 | file | frames per s, CPU (wall) | counts, CPU |", "|---|---|---|---|"]
    lines += [
        f"| {row['filter']} | {row['file_megabytes']:.0f} MB | {row['frames_per_s_cpu']:.0f} "
        f"({row['frames_per_s_wall']:.0f}) | {row['megabytes_per_s_cpu']:.0f} MB/s |"
        for row in found["loading"]
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=1500)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "streaming": streamed(a_scan(asked.frames, 128), asked.rounds),
            "large_frames": large_frames(asked.rounds),
            "loading": loaded(Path(folder), asked.frames // 2, asked.rounds),
        }
    print(tables(found))
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
