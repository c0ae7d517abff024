"""The writer of `live.py`: a simulated scan, and a process that notes when each frame was flushed.

python benchmarks/scale/live_writer.py SOURCE.npz OUT.h5 --rate 200
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import writers

from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.samples import SampleOptions, simulated

STEP_NM = 50.0


class Noting(writers.Beamline):
    """Notes when each frame was written and flushed."""

    times: list[float]

    def ticks(self) -> Iterator[int]:
        """Yield the numbers of the frames at their times."""
        self.times = []
        for number in super().ticks():
            yield number
            self.times.append(time.time())


def write(given: argparse.Namespace) -> None:
    """Be the writer."""
    flags = ["swmr", str(given.source), str(given.out), "--rate", str(given.rate)]
    line = Noting(given.source, writers.arguments().parse_args([*flags, "--announced"]))
    line.options.compress = True
    writers.swmr(line, given.out)
    np.save(given.out.with_suffix(".npy"), np.array(line.times))


def source_of(
    folder: Path, frames: int, name: str = "siemens-star", step_nm: float = STEP_NM
) -> tuple[Path, Scan, Reconstruction]:
    """Simulate about so many frames; return the file for the writer, the scan, and its truth."""
    side = round(frames**0.5)
    sample = SampleOptions(lines=side, columns=frames // side, step_nm=step_nm)
    scan, truth = simulated(name, sample)
    geometry = scan.geometry
    source = writers.save(
        folder / "source.npz",
        patterns=scan.patterns,
        positions_m=scan.positions_m,
        energy_ev=geometry.energy_ev,
        distance_m=geometry.distance_m,
        pixel_m=(geometry.detector_pixel_m or (0,))[0],
    )
    return source, scan, truth


def start_writer(source: Path, out: Path, rate: float) -> "subprocess.Popen[bytes]":
    """Start this script as the writer."""
    command = [sys.executable, __file__, str(source), str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*command, "--rate", str(rate)], env=environment)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rate", type=float, default=200)
    write(parser.parse_args())
