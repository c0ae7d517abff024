"""Write a scan frame by frame as a beamline's detector program does, in a process of its own.

    python benchmarks/scale/writers.py swmr scan.npz out.h5 --rate 200 --announced
    python benchmarks/scale/writers.py dectris scan.npz out_master.h5 --per-file 100
    python benchmarks/scale/writers.py tiff scan.npz out/ --rate 200 --die-at 150

The scan is an NPZ with `patterns` (N, H, W) and `positions_m` (N, 2) as (y, x), and may hold
`energy_ev`, `distance_m` and `pixel_m`; `save` makes one, `start` starts the process. With
`--die-at K` the process kills itself (SIGKILL) when K frames are written; `--begin K` goes on with
frame K in the same file or folder.
"""

import argparse
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import tifffile
from numpy.typing import NDArray

ENTRY = "entry_1"
DETECTOR = f"{ENTRY}/instrument_1/detector_1"
SPECIFIC = "entry/instrument/detector/detectorSpecific"
MASK_32 = 0xFFFFFFFF


class Beamline:
    """The scan that is written, and how fast."""

    def __init__(self, source: Path, options: argparse.Namespace) -> None:
        with np.load(source) as held:
            self.held = {name: held[name] for name in held.files}
        self.patterns: NDArray[Any] = self.held["patterns"]
        self.positions: NDArray[Any] = self.held["positions_m"]
        self.options = options
        self.end = len(self.patterns)
        """Frames that are announced."""

    def ticks(self) -> Iterator[int]:
        """Yield the numbers of the frames at their times, and die when it is time to."""
        options, began = self.options, time.monotonic()
        for number in range(options.begin, self.end):
            if number == options.die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            due = began + (number - options.begin) / options.rate
            time.sleep(max(0.0, due - time.monotonic()))
            yield number

    def number(self, name: str) -> float | None:
        """Return a number of the experiment, None if it is not known."""
        return float(np.ravel(self.held[name])[0]) if name in self.held else None


def swmr(line: Beamline, path: Path) -> None:
    """Write a CXI file in SWMR mode: the positions first, then the frame, both flushed."""
    options = line.options
    if options.begin:
        clear_flags(path)
        file = h5py.File(path, "r+", libver="latest")
    else:
        file = h5py.File(path, "w", libver="latest")
        _structure(file, line)
    with file:
        frames, places = file[f"{ENTRY}/data_1/data"], file[f"{ENTRY}/data_1/translation"]
        file.swmr_mode = True
        for number in line.ticks():
            if places.shape[0] <= number:
                places.resize(number + 1, axis=0)
                places[number] = _moved(line.positions[number : number + 1])[0]
                places.flush()
            if frames.shape[0] <= number:
                frames.resize(number + 1, axis=0)
            frames[number] = line.patterns[number]
            if (number + 1) % options.flush_every == 0:
                frames.flush()


def _structure(file: h5py.File, line: Beamline) -> None:
    """Make all datasets: none can be added in SWMR mode."""
    options, (n, height, width) = line.options, line.patterns.shape
    most = n if options.announced or options.full else None
    file["cxi_version"] = 160
    data = file.create_group(f"{ENTRY}/data_1")
    data.create_dataset(
        "data",
        shape=(n if options.full else 0, height, width),
        maxshape=(most, height, width),
        chunks=(options.chunk, height, width),
        dtype=line.patterns.dtype,
        **(dict(hdf5plugin.Bitshuffle()) if options.compress else {}),
    )
    known = _moved(line.positions) if options.planned else np.empty((0, 3))
    data.create_dataset("translation", data=known, maxshape=(None, 3), chunks=(256, 3))
    for name, key in (("distance_m", "distance"), ("pixel_m", "x_pixel_size")):
        if (value := line.number(name)) is not None:
            file[f"{DETECTOR}/{key}"] = value
    if (energy := line.number("energy_ev")) is not None:
        file[f"{ENTRY}/instrument_1/source_1/energy"] = energy * 1.602176634e-19


def _moved(positions: NDArray[Any]) -> NDArray[Any]:
    """Return translations (n, 3) as CXI has them: x, y, z in metres."""
    return np.stack([positions[:, 1], positions[:, 0], np.zeros(len(positions))], axis=1)


def dectris(line: Beamline, path: Path) -> None:
    """Write a master that names all data files, then these one by one; the positions are a CSV."""
    options, stem = line.options, path.name.removesuffix("_master.h5")
    files = -(-line.end // options.per_file)
    names = [f"{stem}_data_{number:06d}.h5" for number in range(1, files + 1)]
    if not options.begin:
        _master(line, path, names)
        _table(path.with_name("positions.csv"), line.positions, "w")
    file: h5py.File | None = None
    for number in line.ticks():
        inside = number % options.per_file
        if inside == 0 or file is None:
            if file is not None:
                file.close()
            file = _data_file(line, path.with_name(names[number // options.per_file]), number)
        frames = file["entry/data/data"]
        frames.resize(inside + 1, axis=0)
        frames[inside] = line.patterns[number]
        if options.part_swmr:
            frames.flush()
    if file is not None:
        file.close()


def _master(line: Beamline, path: Path, names: list[str]) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        file["entry/definition"] = np.bytes_("NXmx")
        file[f"{SPECIFIC}/pixel_mask"] = np.zeros(line.patterns.shape[1:], np.uint32)
        if line.options.announced:
            file[f"{SPECIFIC}/nimages"] = np.uint64(line.end)
            file[f"{SPECIFIC}/ntrigger"] = np.uint64(1)
        for at, name in enumerate(names, 1):
            file[f"entry/data/data_{at:06d}"] = h5py.ExternalLink(name, "/entry/data/data")


def _data_file(line: Beamline, path: Path, number: int) -> h5py.File:
    shape = line.patterns.shape[1:]
    file = h5py.File(path, "w", libver="latest")
    frames = file.create_dataset(
        "entry/data/data",
        shape=(0, *shape),
        maxshape=(None, *shape),
        chunks=(1, *shape),
        dtype=line.patterns.dtype,
        **hdf5plugin.Bitshuffle(),
    )
    frames.attrs["image_nr_low"] = np.uint64(number + 1)
    if line.options.part_swmr:
        file.swmr_mode = True
    return file


def folder(line: Beamline, path: Path) -> None:
    """Write a file per frame, in two halves, and a line of positions.csv before each."""
    path.mkdir(exist_ok=True)
    kind, table = line.options.kind, path / "positions.csv"
    if line.options.planned and not line.options.begin:
        _table(table, line.positions, "w")
    for number in line.ticks():
        if not line.options.planned:
            _table(table, line.positions[number : number + 1], "a" if number else "w")
        whole = path / f"frame_{number:06d}.{kind}"
        half = path / f".{number:06d}.part"
        if kind == "npy":
            with half.open("wb") as file:
                np.save(file, line.patterns[number])
        else:
            tifffile.imwrite(half, line.patterns[number])
        made = half.read_bytes()
        half.unlink()
        with whole.open("wb", buffering=0) as file:
            file.write(made[: len(made) // 2])
            time.sleep(0.2 / line.options.rate)
            file.write(made[len(made) // 2 :])


def _table(path: Path, positions: NDArray[Any], mode: str) -> None:
    with path.open(mode) as file:
        if mode == "w":
            file.write("y_m,x_m\n")
        file.writelines(f"{y!r},{x!r}\n" for y, x in positions.tolist())


def clear_flags(path: Path) -> None:
    """Do what `h5clear -s -i` does after a crash: nobody writes, and all of the file is its own."""
    with path.open("r+b") as file:
        head = bytearray(file.read(48))
        head[11] = 0
        struct.pack_into("<Q", head, 28, path.stat().st_size)
        struct.pack_into("<I", head, 44, lookup3(bytes(head[:44])))
        file.seek(0)
        file.write(head)


def lookup3(data: bytes) -> int:
    """Return the checksum that HDF5 has at the end of its parts (Bob Jenkins, lookup3)."""
    a = b = c = (0xDEADBEEF + len(data)) & MASK_32
    blocks = -(-len(data) // 12)
    words = struct.unpack(f"<{3 * blocks}I", data.ljust(12 * blocks, b"\0"))
    for at in range(0, len(words) - 3, 3):
        a, b, c = ((x + w) & MASK_32 for x, w in zip((a, b, c), words[at : at + 3], strict=True))
        for turn in (4, 6, 8, 16, 19, 4):
            a = ((a - c) ^ _rotated(c, turn)) & MASK_32
            c = (c + b) & MASK_32
            a, b, c = b, c, a
    a, b, c = ((x + w) & MASK_32 for x, w in zip((a, b, c), words[-3:], strict=True))
    for turn in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _rotated(b, turn)) & MASK_32
        a, b, c = b, c, a
    return b


def _rotated(value: int, by: int) -> int:
    return ((value << by) | (value >> (32 - by))) & MASK_32


WRITERS = {"swmr": swmr, "dectris": dectris, "tiff": folder, "npy": folder}


def save(path: Path, **arrays: Any) -> Path:
    """Write the NPZ of a scan and return its path."""
    np.savez(path, **arrays)
    return path


def start(kind: str, source: Path, out: Path, *flags: str) -> "subprocess.Popen[bytes]":
    """Start a writer; flags are those of the command line."""
    command = [sys.executable, __file__, kind, str(source), str(out), *flags]
    return subprocess.Popen(command)


def arguments() -> argparse.ArgumentParser:
    """Return what the command line takes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=WRITERS)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rate", type=float, default=200.0, help="frames per second")
    parser.add_argument("--die-at", type=int, default=-1, help="SIGKILL when so many are written")
    parser.add_argument("--begin", type=int, default=0, help="go on with this frame")
    parser.add_argument("--announced", action="store_true", help="say how many frames will come")
    parser.add_argument("--planned", action="store_true", help="all positions are there at once")
    parser.add_argument("--full", action="store_true", help="swmr: the shape is final at once")
    parser.add_argument("--chunk", type=int, default=1, help="swmr: frames in a chunk")
    parser.add_argument("--compress", action="store_true", help="swmr: bitshuffle-LZ4")
    parser.add_argument("--flush-every", type=int, default=1, help="swmr: frames between flushes")
    parser.add_argument("--per-file", type=int, default=100, help="dectris: frames in a file")
    parser.add_argument("--part-swmr", action="store_true", help="dectris: data files by SWMR")
    return parser


if __name__ == "__main__":
    given = arguments().parse_args()
    WRITERS[given.kind](Beamline(given.source, given), given.out)
