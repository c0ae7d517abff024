"""The quick look from many seeds on three scans: each must converge.

The measured star, and two simulated fly-scans (star and fibres; 625 frames of 128 x 128) with a
known truth. Of every scan: least, median and largest final error over the seeds, and the phase
error to the truth; "converged" counts the seeds within a fifth of the median.

    python benchmarks/seeds.py [--seeds 16]
"""

import argparse
import time
from dataclasses import replace

import numpy as np

from napari_ptycho.engines import PRESETS, reconstruct
from napari_ptycho.errors import FileError
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.physics.align import align, illuminated
from napari_ptycho.samples import SampleOptions, open_sample, simulated

OPTIONS = SampleOptions(lines=25, columns=25, step_nm=50.0, photons=1e6)


def scans() -> list[tuple[Scan, Reconstruction | None]]:
    """Return the scans, with their truth where there is one."""
    found: list[tuple[Scan, Reconstruction | None]] = []
    try:
        found.append((open_sample("siemens-real"), None))
    except FileError as error:
        print(f"{error}; left out")
    return [*found, simulated("siemens-star", OPTIONS), simulated("fibres", OPTIONS)]


def phase_error(truth: Reconstruction, result: Reconstruction) -> float:
    """Return the rms phase error over the illuminated area, aligned, in rad."""
    area = illuminated(truth)
    found = align(truth.object.astype(complex), result.object.astype(complex), area)
    return float(np.sqrt((np.angle(found.image * truth.object.conj())[area] ** 2).mean()))


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=16)
    seeds = parser.parse_args().seeds
    print("| scan | seeds converged | error least, median, most | phase error, rad | CPU s |")
    print("|---|---|---|---|---|")
    for scan, truth in scans():
        errors, phases, began = [], [], time.process_time()
        for seed in range(seeds):
            stages = [replace(stage, seed=seed) for stage in PRESETS["quick"].stages]
            result = run_to_end(reconstruct(scan, stages, device="cpu"))
            errors.append(result.errors[-1])
            if truth is not None:
                phases.append(phase_error(truth, result))
        seconds = (time.process_time() - began) / seeds
        middle = float(np.median(errors))
        good = sum(error < 1.2 * middle for error in errors)
        span = f"{min(errors):.5f} / {middle:.5f} / {max(errors):.5f}"
        phase = f"{min(phases):.3f} to {max(phases):.3f}" if phases else "no truth"
        print(f"| {scan.name} | {good} of {seeds} | {span} | {phase} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
