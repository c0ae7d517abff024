"""ePIE and rPIE from a network's object and from a flat one: Figures 8 and 9 of Pan et al. 2023.

    python benchmarks/networks/starts.py [--full] [--network FILE] [--only epie ...]

The case of `tuning_case`: 64 x 64 pixels, a probe that is known and stays, 10^6 photons per
pattern, windows 8, 16, 24 pixels apart, a cat that PtyNet-S has not seen; it has learnt the other
ones under the same probe, and is fine-tuned to each scan. Needs data/ptynet. Fills
benchmarks/networks/starts.md and docs/images/network-starts.png; rows so far are kept in
starts.json (delete it to measure anew).
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scene import FOLDER, asked, correlation, table
from tuning_case import taught

from napari_ptycho import device, networks
from napari_ptycho.engines import EpieOptions, RpieOptions, reconstruct
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.networks import FinetuneOptions
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.prediction import sample_of
from napari_ptycho.physics.align import illuminated
from napari_ptycho.physics.propagate import propagator
from napari_ptycho.prepare import first_guess

HERE = Path(__file__)
RESULTS, KEPT = HERE.with_suffix(".md"), HERE.with_suffix(".json")
FIGURE = HERE.parents[2] / "docs" / "images" / "network-starts.png"
STEPS_PX = (8, 16, 24)
ENGINES = {"epie": EpieOptions, "rpie": RpieOptions}
EPOCHS = 100
MODES = {
    "quick": {"steps": 1000, "tuning": 60},
    "full": {"steps": 10_000, "tuning": 300},
}
"""Steps of training, and epochs of fine-tuning at most."""
ASKED = 36  # patterns that R is taken of
STARTS = {"flat": "flat", "predicted": "network", "tuned": "network, fine-tuned"}
SHOWN = (0, 5, 20, 50, 100)


class Watch:
    """Follows an engine: how far its object is from the truth, and its R factor."""

    def __init__(self, scan: Scan, truth: Reconstruction) -> None:
        self.area = illuminated(truth)
        self.truth = truth.object[self.area]
        self.nrmse: list[float] = []
        self.phase: list[float] = []
        self.r_factor: list[float] = []
        some = np.arange(0, len(scan), -(-len(scan) // ASKED))
        counts = torch.from_numpy(np.asarray(scan.patterns[some], np.float32))
        where = torch.device("cpu")
        good = torch.ones(1, *scan.frame_shape, dtype=torch.bool)
        corners = torch.from_numpy(truth.positions_px[some].copy())
        self.sample = sample_of(counts, good, corners, where)
        self.beam = propagator(scan.geometry, scan.frame_shape, where)
        self.probe = torch.from_numpy(truth.probe.copy())

    def look(self, object_: Any) -> None:
        """Note the errors of an object (H, W), after one global phase."""
        found = object_[self.area]
        found = found * np.exp(1j * np.angle(np.vdot(found, self.truth)))
        off = np.linalg.norm(found - self.truth) / np.linalg.norm(self.truth)
        self.nrmse.append(float(off))
        self.phase.append(correlation(np.angle(found), np.angle(self.truth)))
        image = torch.from_numpy(np.array(object_, np.complex64))
        self.r_factor.append(self.sample.r_factor(image, self.probe, self.beam))


def curve(engine: str, scan: Scan, truth: Reconstruction, start: Reconstruction) -> dict[str, Any]:
    """Return the errors of an engine that goes on from a start, which counts as epoch 0."""
    watch = Watch(scan, truth)
    watch.look(start.object)
    options = ENGINES[engine](epochs=EPOCHS, batch=1, probe_step=0.0, anneal=0.0)
    begin = replace(start, probe=truth.probe, errors=(), extras={})
    job = reconstruct(scan, options, begin, "cpu", hook=lambda s: watch.look(s.object.numpy()))
    run_to_end(job)
    return {"nrmse": watch.nrmse, "phase": watch.phase, "r_factor": watch.r_factor}


def starts_of(
    scan: Scan, network: Network, mode: dict[str, int]
) -> dict[str, tuple[Reconstruction, float]]:
    """Return where engines begin, and the seconds that each start takes."""
    began = time.perf_counter()
    predicted = run_to_end(networks.predict(scan, network, device="cpu")).reconstruction
    seconds = time.perf_counter() - began
    tuning = FinetuneOptions(epochs=mode["tuning"])
    tuned = run_to_end(networks.finetune(scan, network, tuning, device="cpu"))
    return {
        "flat": (first_guess(scan), 0.0),
        "predicted": (predicted, seconds),
        "tuned": (tuned.predicted.reconstruction, time.perf_counter() - began),
    }


def needed(curve_: list[float], error: float) -> int | None:
    """Return the first epoch at which an error is reached; None if it is not."""
    return next((epoch for epoch, value in enumerate(curve_) if value <= error), None)


def measured(rows: dict[str, Any], name: str, network: Network, engines: list[str]) -> None:
    """Measure what is missing in the rows of a mode, and keep it."""
    for step in STEPS_PX:
        missing = [engine for engine in engines if f"{name} {engine} {step}" not in rows]
        if not missing:
            continue
        scan, truth = asked(step, jitter=0)
        starts = starts_of(scan, network, MODES[name])
        for engine in missing:
            curves = {
                start: {**curve(engine, scan, truth, found), "seconds": seconds}
                for start, (found, seconds) in starts.items()
            }
            told = {name: network.about[name] for name in ("metrics", "steps", "options")}
            row = {"patterns": len(scan), "training": told, **curves}
            rows[f"{name} {engine} {step}"] = row
            KEPT.write_text(json.dumps(rows))
            print(f"{engine}, {step} px done", flush=True)


def page(rows: dict[str, Any], name: str) -> str:
    """Return the tables: errors by epoch, and epochs to the error that a flat start ends with."""
    first, second = [], []
    for key, row in rows.items():
        _, engine, step = key.split()
        kind = f"{ENGINES[engine].title}, {step} px ({row['patterns']})"
        for start, title in STARTS.items():
            found, ends = row[start]["nrmse"], row[start]["r_factor"]
            first.append([kind, title, *(found[n] for n in SHOWN), ends[0], ends[-1]])
        for epochs in (20, 50, 100):
            aim = row["flat"]["nrmse"][epochs]
            cells: list[Any] = [kind, epochs]
            for start in ("predicted", "tuned"):
                cells += ratio(needed(row[start]["nrmse"], aim), epochs)
            second.append(cells)
    trained = next(iter(rows.values()))["training"]
    words = f"python benchmarks/networks/starts.py{' --full' * (name == 'full')}"
    head = (
        f"`{words}`: a cat that PtyNet-S has not seen, after {trained['steps']} steps of "
        f"{trained['options']['batch']} patterns of other cats (phase correlation in validation: "
        f"{trained['metrics']['correlation']:.2f}); fine-tuned for at most "
        f"{MODES[name]['tuning']} epochs. nRMSE of the complex object over lit pixels after one "
        f"global phase, R of at most {ASKED} patterns."
    )
    epochs_ = [f"nRMSE, {n}" for n in SHOWN]
    titles = ["engine, step (patterns)", "start", *epochs_, "R, 0", f"R, {EPOCHS}"]
    others = ["engine, step (patterns)", "flat start, epochs"]
    others += [f"{w}{t}" for w in ("network", "fine-tuned") for t in (", epochs", ": factor")]
    figure = f"![Error of ePIE and rPIE from each start](images/{FIGURE.name})"
    return f"{head}\n\n{figure}\n\n{table(titles, first)}\n\n{table(others, second)}\n"


def ratio(took: int | None, epochs: int) -> list[Any]:
    """Return the number of epochs and by how much it is less, as cells."""
    if took is None:
        return [f"more than {EPOCHS}", ""]
    return [took, f"{epochs / took:.1f}" if took else "at once"]


def draw(rows: dict[str, Any], name: str) -> None:
    """Draw the curves of nRMSE: a column for each step, a row for each engine."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = [step for step in STEPS_PX if any(f"{name} {e} {step}" in rows for e in ENGINES)]
    figure = Figure(figsize=(1 + 3.4 * len(steps), 6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(ENGINES), len(steps), sharex=True, sharey="row", squeeze=False)
    colours = dict(zip(STARTS, ("#777777", "#1f77b4", "#d62728"), strict=True))
    for line, engine in zip(grid, ENGINES, strict=True):
        for axes, step in zip(line, steps, strict=True):
            row = rows.get(f"{name} {engine} {step}", {})
            for start, title in STARTS.items() if row else ():
                axes.semilogy(row[start]["nrmse"], color=colours[start], label=title)
            axes.set_title(f"{ENGINES[engine].title}, windows {step} px apart", fontsize=10)
            axes.grid(alpha=0.25, which="both")
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
    for line in grid:
        line[0].set_ylabel("nRMSE of the object")
    grid[0][0].legend(frameon=False, fontsize=9)
    figure.savefig(FIGURE)


def main() -> None:
    """Measure what is missing, write tables and figure."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--full", action="store_true")
    flags.add_argument("--network", type=Path, help="made if it is not there")
    flags.add_argument("--only", nargs="*", default=list(ENGINES), choices=list(ENGINES))
    given = flags.parse_args()
    name = "full" if given.full else "quick"
    FOLDER.mkdir(exist_ok=True)
    path = given.network or FOLDER / f"cats-{MODES[name]['steps']}.safetensors"
    rows: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    with device.threads(1):
        measured(rows, name, taught(path, MODES[name]["steps"]), given.only)
    rows = {key: row for key, row in rows.items() if key.startswith(name)}
    RESULTS.write_text(f"# Engines from a network's object\n\n{page(rows, name)}")
    draw(rows, name)
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
