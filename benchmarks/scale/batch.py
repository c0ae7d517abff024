"""A batch of 20 scans on a cluster of two workers, one of which is killed in the middle.

Simulated scans of several sizes and noise, the real ones if they are there, and a broken file. The
real command runs on a real scheduler and two `dask worker` processes; SIGKILL ends one while it
computes. Every result is compared, bit by bit, with the same recipe run in this process; then the
same command runs again, and has nothing to do but the broken file.

    python benchmarks/scale/batch.py [--json FILE] [--epochs 10]
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
from distributed import Client  # noqa: E402

from napari_ptycho import device, io, recipes, samples  # noqa: E402
from napari_ptycho.engines import ENGINES  # noqa: E402
from napari_ptycho.recipes.tasks import Task, run_task  # noqa: E402

COUNT = 20
REAL = (
    "tike_siemens/siemens-star-small.npz.bz2",
    "p25_nearfield/PETRAIII_P25_Near_Field_Ptycho.cxi",
    "ptynet/ptynet75_poisson1e6.npz",
)
BROKEN = "broken.h5"
KILL_AFTER = 5
"""Results that are there before a worker is killed."""


def data() -> Path:
    """Return the folder of real scans, which may be absent."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("NAPARI_PTYCHO_DATA") or beside)


def make(folder: Path) -> None:
    """Write the scans."""
    for name in REAL:
        if (data() / name).is_file():
            shutil.copy(data() / name, folder)
    whole = folder / "simulated_00.h5"
    left = COUNT - 1 - len(list(folder.iterdir()))
    for number in range(left):
        path = folder / f"simulated_{number:02d}{('.h5', '.cxi')[number % 2]}"
        if number % 3:
            name, photons = ("fibres", "star")[number % 2], (2e3, 2e4, 2e5)[number % 5 % 3]
            io.write_scan(samples.small_scan(name, photons, seed=number)[0], path)
        else:
            side = 8 + number // 2
            size = samples.SampleOptions(lines=side, columns=side, step_nm=200.0, seed=number)
            io.write_scan(samples.open_sample("siemens-star", size), path)
    (folder / BROKEN).write_bytes(whole.read_bytes()[:5000])


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Give the address of a scheduler with two workers of one thread, in processes of their own."""
    where = folder / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli"]
    scheduler = ["dask_scheduler", "--port", "0", "--no-dashboard", "--host", "127.0.0.1"]
    worker = ["dask_worker", "--nthreads", "1", "--nworkers", "2", "--memory-limit", "0"]
    with ExitStack() as stack:
        for words in (scheduler, [*worker, "--no-dashboard", "--local-directory", str(folder)]):
            command = [*dask[:2], f"{dask[2]}.{words[0]}", *words[1:], "--scheduler-file", where]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = stack.enter_context(subprocess.Popen(list(map(str, command)), **quiet))
            stack.callback(process.terminate)
        while not where.exists():
            time.sleep(0.1)
        address = json.loads(where.read_text())["address"]
        with Client(address) as client:
            client.wait_for_workers(2)
        yield address


def kill_one(address: str, out: Path) -> None:
    """Kill a worker while it computes, once some results are there."""
    with Client(address, set_as_default=False) as client:
        pids = client.run(os.getpid)
        while len(list(out.glob("*.report.json"))) < KILL_AFTER:
            time.sleep(0.05)
        while True:
            for worker, tasks in client.processing().items():
                if tasks:
                    os.kill(pids[worker], signal.SIGKILL)
                    return
            time.sleep(0.05)


def command(recipe: Path, scans: Path, out: Path, address: str) -> tuple[dict, str, float]:
    """Run the batch; return what it told as JSON, what it said, and its seconds."""
    program = [sys.executable, "-c", "from napari_ptycho.cli import main; main()", "batch"]
    words = [recipe, scans / "*", "-o", out, "--runs-on", address, "--json"]
    began = time.monotonic()
    ended = subprocess.run(
        [*program, *map(str, words), "--device", "cpu"], capture_output=True, text=True, check=False
    )
    if ended.returncode not in (0, 1):
        raise SystemExit(ended.stderr)
    return json.loads(ended.stdout), ended.stderr, time.monotonic() - began


def alone(text: str, row: dict, folder: Path) -> str:
    """Run the recipe here and say whether the cluster has come to the same."""
    task = Task(text, row["scan"], str(folder / Path(row["output"]).name), device="cpu")
    with device.threads(1):
        report = run_task(task, lambda _: None, lambda: False)
    if report.state != row["state"]:
        return f"wrong: {row['state']} there, {report.state} here"
    if report.state != "done":
        return "right" if report.message == row["message"] else f"wrong: {row['message']}"
    here, there = (io.read_reconstruction(path) for path in (task.output, row["output"]))
    same = np.array_equal(here.object, there.object) and np.array_equal(here.probe, there.probe)
    return "right" if same else "wrong: not the same numbers"


def table(found: dict[str, Any]) -> str:
    """Return the Markdown table of what happened."""
    again = found["again"]
    rows = {
        "scans, one report each": found["reports"],
        "done; failed (the broken file)": f"{found['done']}; {found['failed']}",
        "equal, bit by bit, to the recipe run alone": f"{found['right']} of {found['scans']}",
        "workers killed; scans begun again": (
            f"{found['workers killed']}; {found['scans begun again']}"
        ),
        "seconds": f"{found['seconds']:.0f}",
        "the same command again: skipped; tried again; seconds": (
            f"{again['skipped']}; {again['done'] + again['failed']}; {found['seconds again']:.0f}"
        ),
    }
    lines = (f"| {name} | {value} |" for name, value in rows.items())
    return "\n".join(("| | |", "|---|---|", *lines))


def main() -> None:
    """Do it all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    flags = parser.parse_args()
    began = time.monotonic()
    recipe = recipes.Recipe(title="20 scans", stages=(ENGINES["rpie"](epochs=flags.epochs),))
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        root = Path(temporary)
        scans, out, here = (root / name for name in ("scans", "out", "here"))
        for folder in (scans, out, here):
            folder.mkdir()
        make(scans)
        recipes.write(recipe, root / "recipe.toml")
        address = stack.enter_context(cluster(root))
        killer = threading.Thread(target=kill_one, args=(address, out), daemon=True)
        killer.start()
        first, said, seconds = command(root / "recipe.toml", scans, out, address)
        killer.join(timeout=1)
        second, _, seconds_again = command(root / "recipe.toml", scans, out, address)
        text = recipes.dumps(recipe)
        verdicts = {Path(row["scan"]).name: alone(text, row, here) for row in first["scans"]}
    rows = sorted(first["scans"], key=lambda row: row["scan"])
    for row in rows:
        name = Path(row["scan"]).name
        print(
            f"{name:40} {row['state']:7} {row['seconds']:6.1f} s  {verdicts[name]}", file=sys.stderr
        )
    found = {
        "scans": len(rows),
        "reports": len(first["scans"]),
        "done": first["done"],
        "failed": first["failed"],
        "right": sum(verdict == "right" for verdict in verdicts.values()),
        "wrong": sum(verdict != "right" for verdict in verdicts.values()),
        "workers killed": int(not killer.is_alive()),
        "scans begun again": said.count("its worker was lost"),
        "seconds": round(seconds, 1),
        "again": {name: second[name] for name in ("skipped", "done", "failed")},
        "seconds again": round(seconds_again, 1),
        "seconds in all": round(time.monotonic() - began, 1),
    }
    print(table(found))
    if flags.json:
        flags.json.write_text(json.dumps({**found, "verdicts": verdicts}, indent=1) + "\n")


if __name__ == "__main__":
    main()
