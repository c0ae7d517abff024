"""Times prediction against a plain loop: pattern by pattern in eager float32.

    python benchmarks/networks/speed.py [--full] [--device cpu]

Both count pre-processing, network and stitching, by the same rule at the same positions. The plain
loop is what one writes first, without gradients, with all it needs made beforehand; ours streams
through the job's own batches. "whole job" adds what only the job does: mean pattern, first guess,
R factors, updates. On a CPU, processor time of one thread each; on a GPU, seconds between
synchronisations. Rounds alternate, and medians count. Fills benchmarks/networks/speed.md and .json;
rows that are there are not measured again.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch

from napari_ptycho import device as devices
from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Scan
from napari_ptycho.networks import ARCHITECTURES, PredictOptions, predict, shipped
from napari_ptycho.networks.network import Network, Preparation
from napari_ptycho.networks.prediction import Prediction
from napari_ptycho.networks.table import build

KEPT = Path(__file__).with_suffix(".json")  # rows so far: delete it to measure all anew
RESULTS = Path(__file__).with_suffix(".md")
SIZES = (64, 128)
QUICK = ("ptynet-s", "w3net", "ptychonn2")
GOAL = 120_000  # patterns of 64 x 64 per second on one H100
KINDS = {
    "ours": {},
    "ours, bfloat16": {"precision": "bfloat16"},
    "ours, compiled": {"compile": True},
}
COUNTS = {
    ("quick", 64): (16, 144),
    ("quick", 128): (8, 64),
    ("full", 64): (32, 512),
    ("full", 128): (16, 256),
    ("gpu", 64): (200, 16384),
    ("gpu", 128): (200, 4096),
}
"""Patterns of the plain loop, and of ours."""


@dataclass
class Row:
    """One network, one size, one way."""

    architecture: str
    size: int
    device: str
    way: str
    plain_ms: float = 0.0
    ours_ms: float = 0.0
    whole_ms: float = 0.0
    off_rad: float = 0.0
    note: str = ""


def scan_of(size: int, count: int) -> Scan:
    """Return a scan of random counts: what they show does not matter here."""
    random = np.random.default_rng(1)
    y, x = np.indices((size, size)) - size / 2
    mean = 2e3 * np.exp(-np.hypot(y, x) / (size / 12))
    side = int(np.ceil(np.sqrt(count)))
    places = np.indices((side, side)).reshape(2, -1).T[:count] * (size / 8)
    places = places + random.uniform(0, 1, places.shape)
    probe = np.exp(-(y**2 + x**2) / 2 / (size / 6) ** 2).astype(np.complex64)
    patterns = random.poisson(mean, (count, size, size)).astype(np.uint16)
    return Scan(patterns, positions_px=places, probe=probe[None])


def network_of(name: str, scan: Scan) -> Network:
    """Return a network with the weights that are shipped, else with drawn ones."""
    try:
        state = dict(shipped(name).weights)
    except (OptionsError, FileError):
        state = {key: value.numpy() for key, value in build(name, seed=1).state_dict().items()}
    root = np.sqrt(np.asarray(scan.patterns, np.float32))
    made = Preparation("standardised", scan.frame_shape, root.mean(axis=0), float(root.std()))
    return Network(name, state, made, name, probe=scan.probe)


def plain(scan: Scan, network: Network, where: torch.device, count: int) -> Callable[[], None]:
    """Return the plain loop over the first patterns."""
    module, made = network.module().to(where), network.preparation
    mean = torch.from_numpy(np.array(made.mean)).to(where)
    probe = torch.from_numpy(np.array(scan.probe)).to(where)
    light = probe.abs().square().sum(dim=0)
    places = scan.in_pixels() - scan.in_pixels().min(axis=0)
    h, w = scan.frame_shape
    shape = np.ceil(places.max(axis=0)).astype(int) + np.array([h + 2, w + 2])

    def loop() -> None:
        top = torch.zeros(*shape, dtype=torch.complex64, device=where)
        below = torch.zeros(*shape, device=where)
        with torch.no_grad():
            for n in range(count):
                counts = torch.from_numpy(scan.patterns[n].astype(np.float32)).to(where)
                given = (counts.sqrt() - mean) / made.std
                output = module(given[None, None])[0]
                amplitude = output[0] if len(output) == 2 else torch.ones_like(output[0])
                patch = torch.polar(amplitude.clamp(min=0), output[-1]) * light
                (y, x), (down, right) = (int(i) for i in places[n]), places[n] % 1
                for dy, part in ((0, 1 - down), (1, down)):
                    for dx, share in ((0, 1 - right), (1, right)):
                        at = slice(y + dy, y + dy + h), slice(x + dx, x + dx + w)
                        top[at] += patch * (part * share)
                        below[at] += light * (part * share)
            image = top / below.clamp_min(1e-9)
            assert image.shape == below.shape

    return loop


def ours(scan: Scan, network: Network, options: PredictOptions, device: str) -> Callable[[], None]:
    """Return the job's own loop over all patterns but the last batch, which ends in R factors."""
    going = Prediction(scan, network, options, device=device)
    last = len(scan) - going.shot.batch

    def loop() -> None:
        going.done = 0.0
        with torch.inference_mode():
            states = going.states()
            while going.done < last:
                next(states)
            states.close()

    return loop


def seconds(loop: Callable[[], None], where: torch.device) -> float:
    """Return what a loop takes."""
    if where.type == "cuda":
        torch.cuda.synchronize(where)
        began = time.perf_counter()
        loop()
        torch.cuda.synchronize(where)
        return time.perf_counter() - began
    began = time.process_time()
    loop()
    return time.process_time() - began


def off(scan: Scan, network: Network, options: PredictOptions, device: str) -> float:
    """Return the rms difference of the phase from float32, eager."""
    one, other = (
        run_to_end(predict(scan, network, o, device=device)).reconstruction.object
        for o in (PredictOptions(precision="float32"), options)
    )
    return float(np.sqrt(np.mean(np.square(np.angle(one * other.conj())))))


def measured(row: Row, rounds: int, few: int, many: int) -> Row:
    """Fill in a row."""
    where, scan = torch.device(row.device), scan_of(row.size, many)
    network, options = network_of(row.architecture, scan), PredictOptions(**KINDS[row.way])
    first = next(predict(scan_of(row.size, 32), network, options, device=row.device))
    row.note = " ".join(note for note in first.notes if "compiling" in note)
    one, two = plain(scan, network, where, few), ours(scan, network, options, row.device)
    counted = len(scan) - Prediction(scan, network, PredictOptions(), device=row.device).shot.batch

    def whole() -> None:
        run_to_end(predict(scan, network, options, device=row.device))

    one(), two()
    times = [(seconds(one, where), seconds(two, where)) for _ in range(rounds)]
    row.plain_ms = median(t for t, _ in times) / few * 1e3
    row.ours_ms = median(t for _, t in times) / counted * 1e3
    row.whole_ms = seconds(whole, where) / many * 1e3
    row.off_rad = off(scan_of(row.size, 64), network, options, row.device)
    return row


def table(rows: list[Row]) -> str:
    """Return the Markdown table."""
    lines = [
        "| network | pixels | device | way | plain loop | ours | faster | whole job | patterns/s "
        "| goal | rms off float32 | |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        rate = 1e3 / row.ours_ms
        goal = f"{rate / GOAL:.1%} of {GOAL}" if row.device != "cpu" and row.size == 64 else "4x"
        cells = [row.architecture, f"{row.size}", row.device, row.way, f"{row.plain_ms:.2f} ms"]
        cells += [f"{row.ours_ms:.2f} ms", f"{row.plain_ms / row.ours_ms:.1f}x"]
        cells += [f"{row.whole_ms:.2f} ms", f"{rate:.0f}", goal, f"{row.off_rad:.1e} rad", row.note]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and write after every row."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--full", action="store_true", help="all networks; compiled ones too")
    arguments.add_argument("--device", default="cpu")
    given = arguments.parse_args()
    rows = [Row(**one) for one in json.loads(KEPT.read_text())] if KEPT.exists() else []
    known = {(row.architecture, row.size, row.device, row.way) for row in rows}
    names = ARCHITECTURES if given.full else QUICK
    gpu = given.device != "cpu"
    ways = list(KINDS) if given.full else list(KINDS)[:2]
    with devices.threads(None if gpu else 1):
        for name in names:
            for size in SIZES:
                for way in ways if given.full or name == QUICK[0] else ways[:1]:
                    if (name, size, given.device, way) in known:
                        continue
                    counts = COUNTS["gpu" if gpu else "full" if given.full else "quick", size]
                    row = Row(name, size, given.device, way)
                    rows.append(measured(row, 7 if given.full else 3, *counts))
                    KEPT.write_text(json.dumps([asdict(row) for row in rows], indent=1))
                    RESULTS.write_text(f"# speed of prediction\n\n{table(rows)}\n")
                    print(table(rows).splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
