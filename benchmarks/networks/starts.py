"""ePIE and rPIE from a network's object and from a flat one: Figures 8 and 9 of Pan et al. 2023.

    python benchmarks/networks/starts.py [--full] [--only EPIE_OR_RPIE ...]

Simulated: 64 x 64 pixels, a zone plate's probe that is known and stays, 10^6 photons per pattern,
windows 8, 16, 24 pixels apart. The network is PtyNet-S, taught with other images under the same
probe, then fine-tuned to each scan. Fills benchmarks/networks/starts.md and
docs/images/network-starts.png; rows so far are kept in starts.json (delete it to measure anew).
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scene import Data, held_out_scan, kept_network, scores, table, taught

from napari_ptycho import device, networks
from napari_ptycho.engines import EpieOptions, RpieOptions, reconstruct
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.networks import FinetuneOptions
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.predict import sample_of
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
    "quick": {"patterns": 2000, "steps": 800, "batch": 16, "tuning": 60, "objects": 1},
    "full": {"patterns": 20_000, "steps": 10_000, "batch": 32, "tuning": 300, "objects": 4},
}
"""What it learns from, how long, epochs of fine-tuning, scans."""
STARTS = {"flat": "flat", "predicted": "network", "tuned": "network, fine-tuned"}
SHOWN = (0, 5, 20, 50, 100)


class Watch:
    """Follows an engine: how far its object is from the truth, and its R factor."""

    def __init__(self, scan: Scan, truth: Reconstruction) -> None:
        self.area = illuminated(truth)
        self.truth = truth.object[self.area]
        self.nrmse: list[float] = []
        self.r_factor: list[float] = []
        counts = torch.from_numpy(np.asarray(scan.patterns, np.float32))
        where = torch.device("cpu")
        corners = torch.from_numpy(np.array(truth.positions_px))
        self.sample = sample_of(
            counts, torch.ones(1, *scan.frame_shape, dtype=bool), corners, where
        )
        self.beam = propagator(scan.geometry, scan.frame_shape, where)
        self.probe = torch.from_numpy(np.array(truth.probe))

    def look(self, object_: Any) -> None:
        """Note the errors of an object (H, W)."""
        found = object_[self.area]
        found = found * np.exp(1j * np.angle(np.vdot(found, self.truth)))
        off = np.linalg.norm(found - self.truth) / np.linalg.norm(self.truth)
        self.nrmse.append(float(off))
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
    return {"nrmse": watch.nrmse, "r_factor": watch.r_factor}


def starts_of(
    scan: Scan, network: Network, mode: dict[str, Any]
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


def measured(rows: dict[str, Any], name: str, mode: dict[str, Any], engines: list[str]) -> None:
    """Measure what is missing in the rows of a mode, and keep it."""

    def made() -> Network:
        pairs = Data(mode["patterns"]).pairs()
        return taught(pairs, "ptynet-s", mode["steps"], mode["batch"]).result.network

    folder = Path(tempfile.gettempdir()) / "napari-ptycho-networks"
    network = kept_network(folder, f"starts-{name}-{mode['steps']}", made)
    for seed in range(mode["objects"]):
        for step in STEPS_PX:
            missing = [e for e in engines if f"{name} {e} {step} {seed}" not in rows]
            if not missing:
                continue
            scan, truth = held_out_scan(step, seed=seed)
            starts = starts_of(scan, network, mode)
            for engine in missing:
                rows[f"{name} {engine} {step} {seed}"] = {
                    "patterns": len(scan),
                    "scan": scan.name,
                    "training": network.about["metrics"],
                    **{
                        start: {
                            **curve(engine, scan, truth, found),
                            "seconds": seconds,
                            "scores": scores(found, truth),
                        }
                        for start, (found, seconds) in starts.items()
                    },
                }
                KEPT.write_text(json.dumps(rows))
                print(f"{engine}, {step} px, object {seed} done", flush=True)


def chosen(rows: dict[str, Any], name: str, engine: str, step: int) -> list[dict[str, Any]]:
    """Return the rows of all objects."""
    return [row for key, row in rows.items() if key.startswith(f"{name} {engine} {step} ")]


def page(rows: dict[str, Any], name: str) -> str:
    """Return the tables: errors by epoch, and epochs to the error that a flat start ends with."""
    mode = MODES[name]
    first, second = [], []
    for engine in ENGINES:
        for step in STEPS_PX:
            found = chosen(rows, name, engine, step)
            for start, title in STARTS.items() if found else ():
                mean = np.mean([row[start]["nrmse"] for row in found], axis=0)
                factor = np.mean([row[start]["r_factor"][-1] for row in found])
                kind = f"{ENGINES[engine].title}, {step} px ({found[0]['patterns']})"
                first.append([kind, title, *(float(mean[n]) for n in SHOWN), float(factor)])
            for epochs in (20, 50, 100) if found else ():
                cells: list[Any] = [kind, epochs]
                for start in ("predicted", "tuned"):
                    aims = [row["flat"]["nrmse"][epochs] for row in found]
                    took = [needed(r[start]["nrmse"], a) for r, a in zip(found, aims, strict=True)]
                    cells += ratio(took, epochs)
                second.append(cells)
    trained = next(iter(rows.values()))["training"]
    head = (
        f"`python benchmarks/networks/starts.py{' --full' * (name == 'full')}`: "
        f"{mode['objects']} held-out object(s); PtyNet-S after {mode['steps']} steps of "
        f"{mode['batch']} of {mode['patterns']} simulated patterns (validation phase correlation "
        f"{trained['correlation']:.2f}); fine-tuned for at most {mode['tuning']} epochs."
    )
    titles = ["engine, step (patterns)", "start", *(f"nRMSE, {n}" for n in SHOWN), "R, 100"]
    others = ["engine, step (patterns)", "flat start, epochs"]
    others += [f"{w}{t}" for w in ("network", "fine-tuned") for t in (", epochs", ": factor")]
    return f"{head}\n\n{table(titles, first)}\n\n{table(others, second)}\n"


def ratio(took: list[int | None], epochs: int) -> list[Any]:
    """Return the mean number of epochs and by how much it is less, as cells."""
    if any(one is None for one in took):
        return [f"more than {EPOCHS}", ""]
    mean = float(np.mean([one for one in took if one is not None]))
    return [mean, "at once" if mean == 0 else f"{epochs / mean:.1f}"]


def draw(rows: dict[str, Any], name: str) -> None:
    """Draw the curves of nRMSE: a column for each step, a row for each engine."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(ENGINES), len(STEPS_PX), sharex=True, sharey="row")
    colours = dict(zip(STARTS, ("#777777", "#1f77b4", "#d62728"), strict=True))
    for line, engine in zip(grid, ENGINES, strict=True):
        for axes, step in zip(line, STEPS_PX, strict=True):
            found = chosen(rows, name, engine, step)
            for start, title in STARTS.items() if found else ():
                mean = np.mean([row[start]["nrmse"] for row in found], axis=0)
                axes.semilogy(range(len(mean)), mean, color=colours[start], label=title)
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
    flags.add_argument("--only", nargs="*", default=list(ENGINES), choices=list(ENGINES))
    asked = flags.parse_args()
    name = "full" if asked.full else "quick"
    rows: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    with device.threads(1):
        measured(rows, name, MODES[name], asked.only)
    rows = {key: row for key, row in rows.items() if key.startswith(name)}
    RESULTS.write_text(f"# Engines from a network's object\n\n{page(rows, name)}")
    draw(rows, name)
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
