"""Fine-tunes a network on one simulated scan by both loops, at several rates and lengths.

    python benchmarks/networks/finetune.py [--quick] [--start NETWORK]

The case is that of tuning_case.py: a cat that the network has not seen. The start is taught first
(some CPU-minutes) unless a network is given; it is kept beside the results. Every row says what was
run: loop, loss, rate, epochs asked for; then the R factors of the kept network, the correlation of
the phase, the error of the complex object, and processor seconds on one thread. Fills
benchmarks/networks/finetune.md and .json; rows that are there are not run again.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from napari_ptycho import device as devices
from napari_ptycho.job import run_to_end
from napari_ptycho.networks import FinetuneOptions, PredictOptions, finetune, load, predict
from napari_ptycho.networks.network import Network

sys.path.insert(0, str(Path(__file__).parent))
from tuning_case import Case, case, cats, taught

KEPT = Path(__file__).with_suffix(".json")  # rows so far: delete it to run all anew
RESULTS = Path(__file__).with_suffix(".md")
START = Path(__file__).with_suffix(".safetensors")
QUICK = (
    ("overlap", "amplitude", 1e-3, 100),
    ("pattern", "amplitude", 3e-4, 40),
    ("pattern", "intensity", 3e-4, 40),
    ("overlap", "intensity", 1e-3, 100),
)
FULL = tuple(
    (loop, loss, rate, epochs)
    for loop, rates, lengths in (
        ("pattern", (1e-4, 3e-4, 1e-3), (100, 240)),
        ("overlap", (3e-4, 1e-3, 3e-3), (100, 200, 400)),
    )
    for loss in ("intensity", "amplitude")
    for rate in rates
    for epochs in lengths
)


@dataclass
class Row:
    """One fine-tuning, or the start."""

    loop: str
    loss: str = ""
    rate: float = 0.0
    epochs: int = 0
    kept_epoch: int = 0
    r_factor: float = 0.0
    held_out: float = 0.0
    correlation: float = 0.0
    error: float = 0.0
    synchronised: float = 0.0
    seconds: float = 0.0


def scored(row: Row, asked: Case, network: Network) -> Row:
    """Fill in what the object of a network is worth."""
    for synchronise in (True, False):
        options = PredictOptions(synchronise=synchronise)
        result = run_to_end(predict(asked.scan, network, options, device="cpu"))
        row.correlation, row.error = asked.scores(result.reconstruction.object)
        row.r_factor = result.r_factor
        if synchronise:
            row.synchronised = row.correlation
    return row


def tuned(row: Row, asked: Case, start: Network) -> Row:
    """Run a row."""
    options = FinetuneOptions.from_dict(
        {"loop": row.loop, "loss": row.loss, "rate": row.rate, "epochs": row.epochs, "patience": 0}
    )
    began = time.process_time()
    for update in finetune(asked.scan, start, options, device="cpu"):
        last = update
    row.seconds, row.kept_epoch = time.process_time() - began, last.result.epoch
    row.held_out = min(last.history["held_out"])
    return scored(row, asked, last.result.network)


def table(rows: list[Row]) -> str:
    """Return the Markdown table."""
    lines = [
        "| loop | loss | rate | epochs | kept | R | held-out R | phase correlation "
        "| synchronised | complex error | CPU s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        asked = [row.loss, f"{row.rate:g}", f"{row.epochs}", f"{row.kept_epoch}"]
        cells = [row.loop, *(asked if row.epochs else [""] * 4), f"{row.r_factor:.3f}"]
        cells += [f"{row.held_out:.3f}" if row.epochs else "", f"{row.correlation:.3f}"]
        cells += [f"{row.synchronised:.3f}", f"{row.error:.3f}", f"{row.seconds:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run, and write after every row."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="four runs of up to 100 epochs")
    arguments.add_argument("--start", type=Path, help="a network to begin with")
    given = arguments.parse_args()
    rows = [Row(**one) for one in json.loads(KEPT.read_text())] if KEPT.exists() else []
    known = {(row.loop, row.loss, row.rate, row.epochs) for row in rows}
    asked = case(cats()[0])
    with devices.threads(1):
        start = load(given.start) if given.start else taught(START, 1000)
        for loop, loss, rate, epochs in (("start", "", 0.0, 0), *(QUICK if given.quick else FULL)):
            if (loop, loss, rate, epochs) in known:
                continue
            row = Row(loop, loss, rate, epochs)
            rows.append(tuned(row, asked, start) if epochs else scored(row, asked, start))
            KEPT.write_text(json.dumps([asdict(row) for row in rows], indent=1))
            RESULTS.write_text(f"# fine-tuning\n\n{table(rows)}\n")
            print(table(rows).splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
