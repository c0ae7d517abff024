"""All networks on the same data; and what patterns, epochs, overlap, photons and sparsity do.

    python benchmarks/networks/studies.py [--full] [--only STUDY ...] [--networks NAME ...]

PtyNet's cats (data/ptynet) under one probe, 64 x 64 pixels, amplitude and phase of one image. Asked
are scans of cats that taught nobody. The quick mode suits two CPU cores (name a few --networks),
the full one a GPU. Fills benchmarks/networks/STUDY.md for each study, from which `tables.py` takes
the tables of docs/networks.md; rows so far are kept in studies.json (delete it to measure anew).
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scene import PHOTONS, asked, kept_network, known, published, raster, scores, table, taught
from tuning_case import OBJECT, SIZE

from napari_ptycho import device, networks
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.networks import ARCHITECTURES, PredictOptions
from napari_ptycho.networks.cost import cost
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.stitch import Stitcher, cut

HERE = Path(__file__).parent
KEPT = HERE / "studies.json"
STEP = 8
Row = dict[str, Any]


@dataclass(frozen=True)
class Mode:
    """How much is done."""

    name: str
    patterns: int
    """Pairs that the networks learn from and validate with."""
    steps: int
    batch: int
    cats: int
    """How many are asked about, and teach nobody; numbers are means over them."""
    sizes: tuple[int, ...]
    """Patterns of the study of the training set's size."""
    studied: tuple[str, ...]
    """Networks of the other studies."""


QUICK = Mode("quick", 3900, 1000, 32, 1, (800, 3900), ("ptynet-s",))
FULL = Mode("full", 36_000, 20_000, 32, 4, (800, 3900, 12_000, 36_000), ("ptynet-s", "w3net"))
OVERLAPS = {"87.5": 8, "75": 16, "50": 32, "25": 48, "0": 64}
"""Percent of a window's width that is shared -> step in pixels."""
DOSES = (1e3, 1e4, 1e5, 1e6, 1e7)
SPARSE = (1, 5, 7)  # lines have 12 patterns: no divisor of it, which would leave out columns
MARKS = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Shares of a training at which its validation is told."""
MEASURES = (
    *("nrmse", "corr_phase", "psnr_phase", "ssim_phase"),
    *("corr_amplitude", "psnr_amplitude", "ssim_amplitude", "R"),
)
MEASURED = [
    *("nRMSE", "corr phase", "PSNR phase", "SSIM phase"),
    *("corr amplitude", "PSNR amplitude", "SSIM amplitude", "R"),
]
PRINTED = [
    f"{kind}_2023_{part}" for part in ("amplitude", "phase") for kind in ("psnr", "ssim", "mse")
]


class Study:
    """The rows so far, and the networks that they need."""

    def __init__(self, mode: Mode, names: list[str]) -> None:
        self.mode, self.names = mode, names
        self.rows: dict[str, Row] = json.loads(KEPT.read_text()) if KEPT.exists() else {}

    def row(self, study: str, variant: str, made: Callable[[], Row]) -> Row:
        """Return a row, which is measured if it is not yet known."""
        key = f"{self.mode.name} {study} {variant}"
        if key not in self.rows:
            self.rows[key] = made()
            KEPT.write_text(json.dumps(self.rows, indent=1))
            print(key, "done", flush=True)
        return self.rows[key]

    def network(self, architecture: str, patterns: int = 0) -> Network:
        """Return a network of this mode, taught if it is not yet there."""
        mode, patterns = self.mode, patterns or self.mode.patterns
        name = f"{mode.name}-{architecture}-{patterns}-{mode.steps}x{mode.batch}"
        return kept_network(name, lambda: self._taught(architecture, patterns))

    def _taught(self, architecture: str, patterns: int) -> Network:
        began, mode = time.process_time(), self.mode
        wall = time.monotonic()
        last = taught(known(patterns, mode.cats), architecture, mode.steps, mode.batch)
        told = {
            "history": {name: list(values) for name, values in last.history.items()},
            "cpu_s": time.process_time() - began,
            "wall_s": time.monotonic() - wall,
        }
        network = last.result.network
        return replace(network, about={**network.about, "benchmark": told})


def predicted(network: Network, scan: Scan, every: int = 1) -> tuple[Reconstruction, float, float]:
    """Return what a network makes of a scan, its R factor, and CPU-ms per pattern of one thread."""
    options = PredictOptions(every=every)
    began = time.process_time()
    found = run_to_end(networks.predict(scan, network, options))
    return (
        found.reconstruction,
        found.r_factor,
        1e3 * (time.process_time() - began) / len(found.frames),
    )


def mean(rows: list[Row]) -> Row:
    """Return the mean of each number."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def judged(network: Network, mode: Mode, every: int = 1, **about: Any) -> Row:
    """Return how well a network does on the cats that it has not seen."""
    rows = []
    for cat in range(mode.cats):
        scan, truth = asked(**{"step": STEP, "cat": cat, **about})
        found, r_factor, ms = predicted(network, scan, every)
        rows.append({**scores(found, truth), **published(found, truth), "R": r_factor, "ms": ms})
    return mean(rows)


# -- studies


def architectures(study: Study) -> str:
    """Compare all networks, and what no network can pass by the definitions of 2023."""
    rows = []
    for name in study.names:
        kind, price = ARCHITECTURES[name], cost(name, (SIZE, SIZE))

        def made(name: str = name) -> Row:
            network = study.network(name)
            told = network.about["benchmark"]
            memory = (
                torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None
            )
            return {**judged(network, study.mode), "cpu_s": told["cpu_s"], "gpu_mb": memory}

        row = study.row("architectures", name, made)
        size = [f"{kind.parameters:,}", price.gflop, price.train_bytes / 2**20]
        rows.append([kind.title, *size, row["cpu_s"], row["ms"], *(row[n] for n in MEASURES)])
    titles = [
        *("network", "weights", "GFLOP", "training MB per pattern", "training CPU-s"),
        *("CPU-ms per pattern", *MEASURED),
    ]
    return table(titles, rows)


def architectures_2023(study: Study) -> str:
    """Tell the same scans by the definitions of 2023, with their ceilings."""
    known = {n: study.rows.get(f"{study.mode.name} architectures {n}") for n in study.names}
    rows = [[ARCHITECTURES[n].title, *(row[p] for p in PRINTED)] for n, row in known.items() if row]
    for title, places in (("a perfect network", "true"), ("the same, jitter ignored", "nominal")):
        row = study.row("ceilings", places, lambda places=places: ceiling(study.mode, places))
        rows.append([title, *(row[p] for p in PRINTED)])
    parts = [
        f"{kind} {part}" for part in ("amplitude", "phase") for kind in ("PSNR", "SSIM", "MSE")
    ]
    return table(["network", *parts], rows)


def ceiling(mode: Mode, places: str) -> Row:
    """Return what true patches score, stitched uniformly at true or at nominal positions."""
    rows = []
    for cat in range(mode.cats):
        truth = asked(STEP, cat=cat)[1]
        whole = torch.from_numpy(truth.object.copy())
        corners = torch.from_numpy(truth.positions_px.copy())
        patches = cut(whole, corners, (SIZE, SIZE))
        if places == "nominal":
            corners = torch.from_numpy(raster(STEP)) + corners.min()
        stitcher = Stitcher(truth.object.shape, torch.ones(SIZE, SIZE), whole_pixels=True)
        stitcher.add(patches, corners)
        found = replace(truth, object=stitcher.result().object.numpy())
        rows.append(published(found, truth))
    return mean(rows)


def size(study: Study) -> str:
    """Tell how the number of patterns and the epochs count, at the same number of steps."""
    rows: list[list[Any]] = []
    for name in study.mode.studied:
        for patterns in study.mode.sizes:

            def made(name: str = name, patterns: int = patterns) -> Row:
                network = study.network(name, patterns)
                curve = network.about["benchmark"]["history"]
                marks = {str(m): at(curve, m) for m in MARKS}
                return {**judged(network, study.mode), "marks": marks, "epochs": curve["epoch"][-1]}

            row = study.row("size", f"{name} {patterns}", made)
            marks = [row["marks"][str(m)] for m in MARKS]
            found = [row[n] for n in ("nrmse", "corr_phase")]
            rows.append([ARCHITECTURES[name].title, patterns, row["epochs"], *marks, *found])
    titles = ["network", "patterns", "epochs", *(f"validation corr at {m:.0%}" for m in MARKS)]
    return table([*titles, "nRMSE", "corr phase"], rows)


def at(curve: dict[str, list[float]], share: float) -> float:
    """Return the validation correlation at a share of the epochs."""
    return float(np.interp(share * curve["epoch"][-1], curve["epoch"], curve["correlation"]))


def varied(study: Study, what: str, title: str, variants: dict[str, dict[str, Any]]) -> str:
    """Ask the same networks about scans that differ in one thing."""
    rows: list[list[Any]] = []
    for name in study.mode.studied:
        for variant, about in variants.items():
            row = study.row(
                what,
                f"{name} {variant}",
                lambda name=name, about=about: judged(study.network(name), study.mode, **about),
            )
            rows.append([ARCHITECTURES[name].title, variant, *(row[n] for n in MEASURES)])
    return table(["network", title, *MEASURED], rows)


def overlap(study: Study) -> str:
    """Widen the steps of the scan."""
    variants = {f"{n} ({s} px)": {"step": s} for n, s in OVERLAPS.items()}
    return varied(study, "overlap", "overlap, % (step)", variants)


def noise(study: Study) -> str:
    """Lower the dose."""
    return varied(study, "noise", "photons per pattern", {f"{n:g}": {"photons": n} for n in DOSES})


def sparse(study: Study) -> str:
    """Use every k-th pattern."""
    return varied(study, "sparse", "every k-th pattern", {f"{k}": {"every": k} for k in SPARSE})


STUDIES: dict[str, Callable[[Study], str]] = {
    "architectures": architectures,
    "architectures_2023": architectures_2023,
    "size": size,
    "overlap": overlap,
    "noise": noise,
    "sparse": sparse,
}


def said(mode: Mode, name: str) -> Iterator[str]:
    """Say what was run, and on what."""
    step = "" if name == "overlap" else f", step {STEP} px"
    cats = "a cat" if mode.cats == 1 else f"means over {mode.cats} cats"
    scans = f"{cats} that taught nobody ({OBJECT} px wide, {PHOTONS:g} photons per "
    scans += f"pattern{step})"
    yield f"`python benchmarks/networks/studies.py{' --full' * (mode.name == 'full')}`: {scans}. "
    if name != "size":
        yield f"Taught for {mode.steps} steps of {mode.batch} of {mode.patterns} patterns. "
    else:
        yield f"Taught for {mode.steps} steps of {mode.batch}, however many patterns there are. "
    if name == "architectures_2023":
        yield "Numbers by the definitions of Pan et al. 2023, over the box of the lit pixels."
    else:
        yield "Over lit pixels, after one global phase; PSNR and SSIM by the range of the truth."


def main() -> None:
    """Measure what is missing, and write the tables."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--full", action="store_true")
    flags.add_argument("--only", nargs="*", default=list(STUDIES), choices=list(STUDIES))
    flags.add_argument("--networks", nargs="*", default=list(ARCHITECTURES))
    given = flags.parse_args()
    mode = FULL if given.full else QUICK
    study = Study(mode, given.networks)
    with device.threads(None if given.full else 1):
        for name in given.only:
            text = STUDIES[name](study)
            path = HERE / f"{name}.md"
            path.write_text(f"# {name}\n\n{''.join(said(mode, name))}\n\n{text}\n")
            print(path.read_text(), flush=True)


if __name__ == "__main__":
    main()
