"""Learns the first 60 % of a measured scan, predicts the rest, fine-tunes it and refines it.

    python benchmarks/networks/real.py [--seconds 180] [--only ARCHITECTURE ...]

The measured Siemens star (516 patterns of 128 x 128). Labels come from a reconstruction of the
first 60 % of the frames alone. What is predicted is compared with a reconstruction of all frames,
over the pixels that only the other frames light. Fills benchmarks/networks/real.md.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_ptycho import device
from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.networks import (
    ARCHITECTURES,
    FinetuneOptions,
    PredictOptions,
    TrainOptions,
    finetune,
    pairs_of,
    predict,
    train,
)
from napari_ptycho.physics.align import align, illuminated
from napari_ptycho.prepare import first_guess
from napari_ptycho.samples import open_sample

RESULTS = Path(__file__).with_suffix(".md")
KEPT = Path(__file__).with_suffix(".json")  # rows so far: delete it to measure all anew
SHARE = 0.6
EPOCHS, REFINED = 60, 5
TITLES = (
    *("network", "training s", "epochs", "validation corr"),
    *("R predicted", "corr", "R tuned", "corr tuned"),
    *("corr, rPIE flat", "corr, rPIE from prediction", "corr, rPIE from tuned"),
)


def part(scan: Scan, frames: slice, name: str) -> Scan:
    """Return some frames of a scan."""
    return replace(
        scan,
        patterns=np.asarray(scan.patterns[frames]),
        positions_px=None if scan.positions_px is None else scan.positions_px[frames],
        positions_m=None if scan.positions_m is None else scan.positions_m[frames],
        name=name,
    )


class Judge:
    """Compares objects of the last frames with the reconstruction of all of them."""

    def __init__(self, whole: Scan, known: Scan, rest: Scan) -> None:
        self.truth = run_to_end(reconstruct(whole, RpieOptions(epochs=EPOCHS), device="cpu"))
        frame = first_guess(rest)
        offset = whole.in_pixels() - self.truth.positions_px
        assert np.ptp(offset, axis=0).max() < 1e-6  # one shift for all
        self.corner = rest.in_pixels()[0] - offset[0] - frame.positions_px[0]
        seen = first_guess(known)
        shift = known.in_pixels()[0] - offset[0] - seen.positions_px[0]
        lit = np.zeros(self.truth.object.shape, bool)
        self._paste(lit, illuminated(replace(seen, probe=self.truth.probe)), shift)
        mine = illuminated(replace(frame, probe=self.truth.probe), 0.3)
        self.area = mine & ~self._cut(lit, mine.shape)
        self.target = self._cut(self.truth.object, mine.shape)

    def _cut(self, image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        y, x = np.rint(self.corner).astype(int)
        low = np.maximum([y, x], 0)
        found = np.zeros(shape, image.dtype)
        cut = image[low[0] : y + shape[0], low[1] : x + shape[1]]
        found[low[0] - y : low[0] - y + cut.shape[0], low[1] - x : low[1] - x + cut.shape[1]] = cut
        return found

    def _paste(self, image: np.ndarray, piece: np.ndarray, at: np.ndarray) -> None:
        (y, x), (h, w) = np.rint(at).astype(int), piece.shape
        rows, columns = slice(max(y, 0), y + h), slice(max(x, 0), x + w)
        target = image[rows, columns]
        target |= piece[max(-y, 0) :, max(-x, 0) :][: target.shape[0], : target.shape[1]]

    def correlation(self, found: Reconstruction) -> float:
        """Return |correlation| of two complex objects about their means, ramp and shift removed."""
        fitted = align(self.target, found.object, self.area).image[self.area]
        one, two = self.target[self.area], fitted
        one, two = one - one.mean(), two - two.mean()
        return float(abs(np.vdot(one, two)) / np.linalg.norm(one) / np.linalg.norm(two))


def learnt(name: str, pairs: Any, seconds: float) -> tuple[Any, float, float]:
    """Teach a network for some seconds; return the result, its seconds and its epochs."""
    began, result, epochs = time.monotonic(), None, 0.0
    options = TrainOptions.of(name, epochs=100_000, schedule="plateau")
    job = train(pairs, options, device="cpu")
    for update in job:
        result, epochs = update.result, update.done
        if time.monotonic() - began > seconds:
            break
    job.close()
    return result, time.monotonic() - began, epochs


def refined(scan: Scan, start: Reconstruction) -> Reconstruction:
    """Return what a few epochs of rPIE make of a start."""
    return run_to_end(reconstruct(scan, RpieOptions(epochs=REFINED), start, device="cpu"))


def row(name: str, scans: tuple[Scan, Scan], labels: Reconstruction, judge: Judge, s: float) -> Any:
    """Measure one architecture."""
    known, rest = scans
    trained, seconds, epochs = learnt(name, pairs_of([(known, labels)]), s)
    probe = labels.probe
    seen = run_to_end(predict(rest, trained.network, PredictOptions(), probe, "cpu"))
    tuning = FinetuneOptions(epochs=60)
    tuned = run_to_end(finetune(rest, trained.network, tuning, probe, "cpu")).predicted
    flat = replace(first_guess(rest), probe=probe)
    objects = [refined(rest, one) for one in (flat, seen.reconstruction, tuned.reconstruction)]
    return {
        "network": ARCHITECTURES[name].title,
        "training s": round(seconds),
        "epochs": round(epochs, 1),
        "validation corr": trained.scores["correlation"],
        "R predicted": seen.r_factor,
        "corr": judge.correlation(seen.reconstruction),
        "R tuned": tuned.r_factor,
        "corr tuned": judge.correlation(tuned.reconstruction),
        "corr, rPIE flat": judge.correlation(objects[0]),
        "corr, rPIE from prediction": judge.correlation(objects[1]),
        "corr, rPIE from tuned": judge.correlation(objects[2]),
    }


def written(rows: dict[str, Any], seconds: float) -> str:
    """Return the page."""
    lines = [
        f"`python benchmarks/networks/real.py --seconds {seconds:g}` (one CPU thread)",
        "",
        f"| {' | '.join(TITLES)} |",
        "|" + "---|" * len(TITLES),
    ]
    for values in rows.values():
        cells = [values[title] for title in TITLES]
        shown = [
            f"{cell:.3f}" if isinstance(cell, float) and i > 2 else f"{cell}"
            for i, cell in enumerate(cells)
        ]
        lines.append(f"| {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what is not yet known, and write the page."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--seconds", type=float, default=180.0)
    flags.add_argument("--only", nargs="*", default=list(ARCHITECTURES))
    asked = flags.parse_args()
    rows = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    with device.threads(1):
        whole = open_sample("siemens-real")
        middle = int(SHARE * len(whole))
        known = part(whole, slice(0, middle), "first 60 %")
        rest = part(whole, slice(middle, None), "last 40 %")
        judge = Judge(whole, known, rest)
        labels = run_to_end(reconstruct(known, RpieOptions(epochs=EPOCHS), device="cpu"))
        for name in asked.only:
            if name not in rows:
                rows[name] = row(name, (known, rest), labels, judge, asked.seconds)
                KEPT.write_text(json.dumps(rows, indent=1))
                print(rows[name], flush=True)
    RESULTS.write_text(written({n: rows[n] for n in ARCHITECTURES if n in rows}, asked.seconds))


if __name__ == "__main__":
    main()
