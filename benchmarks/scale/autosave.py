"""What autosaves cost a reconstruction, and whether it goes on bit by bit.

Every engine runs on a simulated star (600 patterns of 128 x 128) for some seconds with a checkpoint
asked for every second and every ten seconds, and once for longer than a minute as commands and
window do it (60 s). The clock runs from the moment a checkpoint is due until it is on the disk
(written, flushed, renamed), so that what other programs do to the run falls out of the share. Then
a run of three epochs is compared with one that goes on from its checkpoint after the first.

    python benchmarks/scale/autosave.py [--seconds 12]

Prints the table and writes `autosave.json` beside itself.
"""

import argparse
import json
import os
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402

from napari_ptycho.engines import ENGINES, EngineOptions, reconstruct  # noqa: E402
from napari_ptycho.io.autosave import SHARE, Autosave, Checkpoint, read_checkpoint  # noqa: E402
from napari_ptycho.job import run_to_end  # noqa: E402
from napari_ptycho.model import Scan  # noqa: E402
from napari_ptycho.samples import SampleOptions, open_sample  # noqa: E402

NAMES = ("rpie", "mpie", "lsqml", "adam", "dm")
DEFAULT_S, LONG_S = 60.0, 70.0


class Timed(Autosave):
    """Adds up what checkpoints cost, from the moment one is due."""

    def __init__(self, path: Path, every_s: float) -> None:
        super().__init__(path, every_s)
        self.wall: list[float] = []
        self.cpu: list[float] = []
        self.began = (0.0, 0.0)

    @property
    def due(self) -> bool:
        """Whether it is time; then the clocks start."""
        self.began = time.monotonic(), time.process_time()
        return super().due

    def save(self, checkpoint: Checkpoint) -> None:
        """Write and stop the clocks."""
        super().save(checkpoint)
        if self.notes:
            raise OSError(self.notes[0])
        self.wall.append(time.monotonic() - self.began[0])
        self.cpu.append(time.process_time() - self.began[1])


def share(scan: Scan, options: EngineOptions, path: Path, every_s: float, last_s: float) -> Any:
    """Run for some seconds; return what checkpoints took of them."""
    autosave = Timed(path, every_s)
    began, cpu = time.monotonic(), time.process_time()
    with closing(reconstruct(scan, options, device="cpu", autosave=autosave)) as job:
        for _ in job:
            if time.monotonic() - began > last_s:
                break
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    count = len(autosave.wall)
    return {
        "every_s": every_s,
        "checkpoints": count,
        "share_wall": sum(autosave.wall) / wall,
        "share_cpu": sum(autosave.cpu) / cpu,
        "checkpoint_wall_s": float(np.median(autosave.wall)) if count else None,
        "checkpoint_cpu_s": float(np.median(autosave.cpu)) if count else None,
        "megabytes": path.stat().st_size / 1e6 if count else None,
    }


def same_after_resume(scan: Scan, options: EngineOptions, path: Path) -> bool:
    """Whether a run that goes on from its first epoch ends bit by bit like one that never ended."""
    first = None
    for update in reconstruct(scan, options, device="cpu", autosave=Autosave(path, 0)):
        found = read_checkpoint(path) if first is None and path.exists() else None
        if found is not None and found.done >= 1:
            first = found
        whole = update.result
    if first is None or first.done == first.total:
        raise ValueError("no checkpoint was seen in the middle of the run")
    again = run_to_end(reconstruct(scan, None, device="cpu", resume=first))
    arrays = ("object", "probe", "positions_px", "errors")
    return all(np.array_equal(getattr(whole, one), getattr(again, one)) for one in arrays)


def endless(name: str) -> EngineOptions:
    """Return options of a run that somebody has to end."""
    return ENGINES[name].from_dict({"epochs": 100_000})


def measured(seconds: float, folder: Path) -> list[dict[str, Any]]:
    """Return a row for every engine; the intervals alternate."""
    scan = open_sample("siemens-star", SampleOptions(lines=24, columns=25))
    few = open_sample("siemens-star", SampleOptions(lines=10, columns=10))
    rows = []
    for name in NAMES:
        path = folder / f"{name}.autosave"
        options = ENGINES[name].from_dict({"epochs": 3})
        row: dict[str, Any] = {"engine": options.title}
        row["bitwise"] = same_after_resume(few, options, path)
        row["runs"] = [share(scan, endless(name), path, every, seconds) for every in (1.0, 10.0)]
        if name == NAMES[0]:
            row["runs"].append(share(scan, endless(name), path, DEFAULT_S, LONG_S))
        rows.append(row)
        print(".", end="", flush=True)
    print()
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "| engine | checkpoint | wall (CPU) of one | share of wall (CPU) time, every 1 s | "
        "every 10 s | every 60 s | goes on bit by bit |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        often = row["runs"][0]
        one, cpu = often["checkpoint_wall_s"], often["checkpoint_cpu_s"]
        cells = [row["engine"], f"{often['megabytes']:.0f} MB"]
        cells.append(f"{one * 1e3:.0f} ({cpu * 1e3:.0f}) ms")
        cells += [_share(run) for run in row["runs"]]
        if len(row["runs"]) == 2:
            spacing = max(DEFAULT_S, one / SHARE)
            cells.append(f"{one / spacing:.2%} ({cpu / spacing:.2%}), from one checkpoint")
        cells.append("yes" if row["bitwise"] else "NO")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _share(run: dict[str, Any]) -> str:
    if not run["checkpoints"]:
        return "none was written yet"
    shares = f"{run['share_wall']:.2%} ({run['share_cpu']:.2%})"
    return f"{shares}, {run['checkpoints']} written"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=12.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(seconds, Path(folder))
    print(table(rows))
    Path(__file__).with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")
    if not all(row["bitwise"] for row in rows):
        raise SystemExit("a run did not go on bit by bit")


if __name__ == "__main__":
    main()
