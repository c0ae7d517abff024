"""Denoises two phantoms by every architecture, and compares the stopping rules.

    python benchmarks/denoising.py [--size 128] [--quick]

Fills benchmarks/denoising.md, from which `tables.py` takes the tables of docs/denoising.md. What is
lost is the PSNR of the best iteration of the same run minus that of the iteration a rule keeps.
The rules "loss" and "discrepancy" are read off the run of "wmv", whose patience is long; holdout
and second-copy have runs of their own.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from napari_ptycho import device
from napari_ptycho.denoise import ClassicalOptions, DenoiseOptions, classical, dip
from napari_ptycho.denoise.result import Denoised
from napari_ptycho.denoise.stopping import Judge
from napari_ptycho.phantoms import PHANTOMS, noisy

RESULTS = Path(__file__).with_suffix(".md")
KEPT = Path(__file__).with_suffix(".json")  # rows so far: delete it to measure all anew
LOUD, QUIET = 0.15, 0.3
MOST = {"skip": 1500, "arch1-bilinear": 1000, "arch1": 5000, "arch2": 200, "arch2-bilinear": 100}
"""Iterations: those of Arch 2 are what a CPU does in two minutes, too few for its small rate."""
PATIENCE = 300
FULL = ("skip", "arch1-bilinear")
RULES = ("second-copy", "holdout", "discrepancy", "wmv", "loss")


@dataclass
class Row:
    """One image, one architecture."""

    phantom: str
    sigma: float
    architecture: str
    rule: str = ""
    psnr: float = 0.0
    best: float = 0.0
    iteration: int = 0
    seconds: float = 0.0
    grid: float = 0.0
    lost: dict[str, float] = field(default_factory=dict)


def driven(row: Row, options: DenoiseOptions, size: int) -> tuple[Denoised, float]:
    """Run a job; return its result and its seconds."""
    image, clean = noisy(row.phantom, size, row.sigma)
    second = noisy(row.phantom, size, row.sigma, 1)[0] if options.stop == "second-copy" else None
    began = time.perf_counter()
    for update in dip(image, options, clean, second=second, device="cpu"):
        result = update.result
    return result, time.perf_counter() - began


def read_off(result: Denoised, patience: int) -> dict[str, int]:
    """Return the iterations that two rules keep which change nothing of what is learnt."""
    picked: dict[str, int] = {}
    judges = {name: Judge(name, patience) for name in ("loss", "discrepancy")}
    numbers = result.run.numbers
    noise = (result.sigma / result.run.target.scale) ** 2
    for at, (loss, fidelity) in enumerate(
        zip(numbers["loss"], numbers["fidelity"], strict=True), 1
    ):
        found = {"loss": loss, "discrepancy": -1.0 if fidelity <= noise else 1e8 - at}
        for name, number in found.items():
            judge = judges[name]
            if name not in picked and not judge.over:
                judge.add(number, loss)
                if judge.over:
                    picked[name] = judge.best
    for name in found:
        picked.setdefault(name, judges[name].best)
    return picked


def measured(phantom: str, sigma: float, architecture: str, size: int) -> Row:
    """Return all that is known of an architecture on an image."""
    row = Row(phantom, sigma, architecture)
    asked = {"iterations": MOST[architecture], "stop": "wmv", "patience": PATIENCE}
    options = DenoiseOptions.of(architecture, **asked)
    plain, seconds = driven(row, options, size)
    psnr = np.array(plain.curves["psnr_db"])
    picked = read_off(plain, options.patience)
    for name, iteration in {**picked, "wmv": plain.iteration}.items():
        row.lost[name] = float(psnr.max() - psnr[iteration - 1])
    keep(row, plain, "loss", picked["loss"])
    row.seconds = seconds * row.iteration / len(psnr)
    for rule in ("holdout", "second-copy") if architecture in FULL else ():
        result, seconds = driven(row, replace(options, stop=rule), size)
        row.lost[rule] = max(result.curves["psnr_db"]) - (result.score("psnr_db") or 0.0)
        if rule == "holdout":
            keep(row, result, rule, result.iteration)
            row.seconds = seconds
    return row


def keep(row: Row, result: Denoised, rule: str, iteration: int) -> None:
    """Note what a rule has kept."""
    psnr = result.curves["psnr_db"]
    row.rule, row.iteration = rule, iteration
    row.psnr, row.best = psnr[iteration - 1], max(psnr)
    at = int(np.argmin(np.abs(np.array(result.past.iterations) - iteration)))
    row.grid = result.curves["grid_db"][at]


def baselines(size: int) -> Iterator[Row]:
    """Yield the classical methods."""
    for phantom in PHANTOMS:
        for sigma in (LOUD, QUIET):
            image, clean = noisy(phantom, size, sigma)
            for method in ("tv", "nlm", "wavelet"):
                began = time.perf_counter()
                result = classical(image, ClassicalOptions.from_dict({"method": method}), clean)
                row = Row(phantom, sigma, str(result.settings["title"]), rule="j-invariant")
                row.psnr = row.best = result.score("psnr_db") or 0.0
                row.seconds, row.grid = time.perf_counter() - began, result.grid[4]
                yield row


def first_table(rows: list[Row]) -> str:
    """Return PSNR, iterations, time and grid."""
    lines = [
        "| phantom | noise | method | rule | PSNR at stop | best PSNR | kept iteration | seconds "
        "| grid score (4 px) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row.phantom, f"{row.sigma:g}", row.architecture, row.rule, f"{row.psnr:.2f} dB"]
        cells += [f"{row.best:.2f} dB", str(row.iteration or ""), f"{row.seconds:.0f}"]
        lines.append(f"| {' | '.join(cells)} | {row.grid:.1f} dB |")
    return "\n".join(lines)


def second_table(rows: list[Row]) -> str:
    """Return what the rules have lost."""
    lines = [
        f"| phantom | noise | architecture | {' | '.join(RULES)} |",
        f"|---|---|---|{'---|' * len(RULES)}",
    ]
    for row in rows:
        if row.lost:
            cells = [f"{row.lost[name]:.2f}" if name in row.lost else "" for name in RULES]
            cells = [row.phantom, f"{row.sigma:g}", row.architecture, *cells]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def known(case: tuple[str, float, str], before: list[Row]) -> Row | None:
    """Return what an earlier run, cut short, has measured of a case."""
    return next((r for r in before if (r.phantom, r.sigma, r.architecture) == case), None)


def main() -> None:
    """Measure, and write after every image."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--size", type=int, default=128)
    arguments.add_argument("--quick", action="store_true", help="only a fifth of the iterations")
    given = arguments.parse_args()
    if given.quick:
        MOST.update({name: most // 5 for name, most in MOST.items()})
    both = ("skip", "arch1-bilinear")
    cases = [(name, LOUD, one) for one in both for name in PHANTOMS]
    cases += [("fibres", LOUD, one) for one in ("arch1", "arch2", "arch2-bilinear")]
    cases += [(name, QUIET, one) for one in both for name in PHANTOMS] + [("star", LOUD, "arch1")]
    before = [Row(**one) for one in json.loads(KEPT.read_text())] if KEPT.exists() else []
    with device.threads(1):
        plain, rows = list(baselines(given.size)), []
        for case in cases:
            rows.append(known(case, before) or measured(*case, given.size))
            KEPT.write_text(json.dumps([asdict(row) for row in [*rows, *before]]))
            both = sorted([*rows, *plain], key=lambda row: (row.sigma, row.phantom))
            RESULTS.write_text(f"# denoising\n\n{first_table(both)}\n\n{second_table(rows)}\n")
            print(f"{case} done", flush=True)


if __name__ == "__main__":
    main()
