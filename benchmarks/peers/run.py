"""Compares our engine with Pty-Chi, PtyRAD, py4DSTEM and phaser, each in an environment of its own.

    python benchmarks/peers/run.py [--rounds 3] [--only ptychi,phaser] [--quick]

Makes the environments and the data (once, in the user's cache or `--envs`), runs every package,
scores what it made with our own functions, and writes results.json and results.md beside this file.
CPU time, on one thread and on all; rounds are interleaved. Takes about 25 minutes on two cores.
"""

import argparse
import datetime
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from environments import default_folder, prepare
from plan import OURS, PER_EPOCH
from report import HERE, read, write
from runner import THREADS, Runner

for variable in THREADS:
    os.environ.setdefault(variable, "1")  # scoring needs no threads, and they would disturb

import datasets  # noqa: E402
import numpy as np  # noqa: E402
from errors import halves, levels  # noqa: E402

PARTS = "epochs,levels,halves"


def cpu_model() -> str:
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def per_epoch(runner: Runner, rounds: int, threads: int) -> list[dict[str, Any]]:
    """Time epochs on the star in interleaved rounds; each round begins with another package."""
    runs = [run for run in (*OURS, *PER_EPOCH) if runner.wants(run)]
    rows = {
        run.name: {**vars(run), "threads": threads, "cpu": [], "wall": [], "mb": [], "fft_us": []}
        for run in runs
    }
    for number in range(rounds):
        for run in runs[number % len(runs) :] + runs[: number % len(runs)]:
            made = runner.run(run, "star", threads=threads)
            if made is None:
                continue
            row = rows[run.name]
            row["version"] = str(made["version"])
            for name, values in {"cpu": "epoch_cpu", "wall": "epoch_wall"}.items():
                row[name].append(float(np.median(made[values])))
            row["mb"].append(float(made["peak_mb"]))
            row["fft_us"].append(float(made["fft_us"]))
    return [row for row in rows.values() if row["cpu"]]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds of epochs")
    parser.add_argument("--only", default="", help="packages, by comma; ours always runs")
    parser.add_argument("--quick", action="store_true", help="one round, no resolution")
    parser.add_argument("--envs", type=Path, default=default_folder(), help="environments, data")
    parser.add_argument("--jobs", type=int, default=1, help="runs to a level at a time")
    parser.add_argument("--parts", default=PARTS, help="only some; the rest stays as it was")
    parser.add_argument("--pictures", type=Path, help="a folder for the phases, to look at")
    return parser.parse_args()


def main() -> None:
    """Do it all, or some of it again; what was found is written after every part."""
    given = arguments()
    rounds = 1 if given.quick else given.rounds
    only = tuple(name for name in given.only.split(",") if name)
    runner = Runner(given.envs, only, given.pictures, given.jobs)
    notes = [note for name in runner.peers for note in prepare(given.envs, name)]
    runner.data = datasets.write(given.envs / "data")
    shutil.rmtree(runner.work, ignore_errors=True)
    cores = os.cpu_count() or 1
    parts = given.parts.split(",")
    found = read() if given.parts != PARTS else {"epochs": [], "levels": [], "halves": []}
    found |= {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": cpu_model(),
        "cores": cores,
        "python": platform.python_version(),
        "notes": notes,
    }
    if "epochs" in parts:
        found |= {"rounds": rounds, "epochs": per_epoch(runner, rounds, 1)}
        if cores > 1:
            found["epochs"] += per_epoch(runner, 1, cores)
        write(found)
    if "levels" in parts:
        found["levels"] = levels(runner)
        write(found)
    if "halves" in parts and not given.quick:
        found["halves"] = halves(runner, found["levels"])
        write(found)
    print((HERE / "results.md").read_text())


if __name__ == "__main__":
    main()
