"""What a look at a growing scan costs when many frames are there already.

    python benchmarks/scale/growing.py --frames 10000 --side 128

A writer process adds 40 frames between two looks, as one at 200 frames per second does to a window
that looks five times a second. The medians are printed, in milliseconds of this process' computing
time: the clock on the wall would tell what else the machine does.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import writers

from napari_ptycho.io import open_growing

KINDS = {
    "HDF5 (SWMR)": ("swmr", "live.h5", ("--planned",)),
    "HDF5 (SWMR), bitshuffle-LZ4": ("swmr", "packed.h5", ("--planned", "--compress")),
    "DECTRIS, 1000 frames a file": (
        "dectris",
        "run_master.h5",
        ("--announced", "--per-file", "1000", "--part-swmr"),
    ),
    "folder of NPY": ("npy", "npys", ("--planned",)),
    "folder of TIFF": ("tiff", "tiffs", ("--planned",)),
}
LOOKS, EVERY_S, LONGEST_S, CALM_S = 20, 0.2, 60, 3


def main() -> None:
    """Print a row per kind of writer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000, help="frames before the looks")
    parser.add_argument("--side", type=int, default=128, help="of a frame, in pixels")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = _source(Path(folder), given.frames, given.side)
        print(f"| writer | first look, {given.frames} frames | look, 40 new | nothing new |")
        print("|---|---|---|---|")
        for title, (kind, name, flags) in KINDS.items():
            first, new, nothing = measured(kind, source, Path(folder) / name, flags, given.frames)
            print(f"| {title} | {first:.0f} ms | {new:.1f} ms | {nothing:.2f} ms |", flush=True)


def measured(
    kind: str, source: Path, out: Path, flags: tuple[str, ...], frames: int
) -> tuple[float, float, float]:
    """Return the milliseconds of the first look, of looks with new frames, of looks without."""
    writers.start(kind, source, out, "--rate", "1e9", "--die-at", str(frames), *flags).wait()
    table = out.with_name("positions.csv") if kind == "dectris" else None
    growing = open_growing(out, positions=table)
    first = timed(growing.look)
    begin = frames // 1000 * 1000 if kind == "dectris" else frames
    more = writers.start(kind, source, out, "--rate", "200", "--begin", str(begin), *flags)
    looks: list[float] = []
    end = time.monotonic() + LONGEST_S
    while len(looks) < LOOKS and time.monotonic() < end:
        time.sleep(EVERY_S)
        came: list[object] = []
        cost = timed(lambda came=came: came.append(growing.look()))
        looks += [cost] if came[0] is not None else []
    more.kill()
    more.wait()
    time.sleep(CALM_S)
    growing.look()
    growing.look()
    nothing = [timed(growing.look) for _ in range(LOOKS)]
    return first, statistics.median(looks), statistics.median(nothing)


def timed(look: Callable[[], object]) -> float:
    """Return the milliseconds of computing that a look takes."""
    began = time.process_time()
    look()
    return (time.process_time() - began) * 1e3


def _source(folder: Path, frames: int, side: int) -> Path:
    rng = np.random.default_rng(0)
    y, x = np.ogrid[:side, :side]
    mean = 900 * np.exp(-((y - side // 2) ** 2 + (x - side // 2) ** 2) / 60) + 0.2
    some = rng.poisson(np.broadcast_to(mean, (16, side, side))).astype(np.uint16)
    count = frames + 4000
    return writers.save(
        folder / "source.npz",
        patterns=some[np.arange(count) % 16],
        positions_m=rng.uniform(-2e-6, 2e-6, (count, 2)),
    )


if __name__ == "__main__":
    main()
