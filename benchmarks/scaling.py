"""Time per pattern and memory from 500 to 20,000 patterns: rPIE on one CPU thread.

A simulated scan of 64 x 64 frames whose area grows with the number of patterns. Every size runs in
a process of its own; the peak of its memory, less what the process had before the run, is compared
with the estimate that the window shows.

    python benchmarks/scaling.py [--sizes 500 2000 8000 20000]
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
import psutil  # noqa: E402

EPOCHS, FRAME, STEP_PX = 4, 64, 8.0


def scan_of(n: int):  # noqa: ANN201 - imported late, so that --help is quick
    """Return a scan of n noisy frames; their content does not matter for time and memory."""
    from napari_ptycho.model import Scan

    side = int(np.ceil(np.sqrt(n)))
    random = np.random.default_rng(0)
    rows, columns = np.divmod(np.arange(n), side)
    positions = np.stack([rows, columns], axis=1) * STEP_PX + random.uniform(0, 2, (n, 2))
    y, x = np.indices((FRAME, FRAME)) - FRAME / 2
    probe = np.exp(-(y**2 + x**2) / 200) * np.exp(0.01j * (y**2 + x**2))
    some = random.poisson(100 * np.exp(-(y**2 + x**2) / 100), (100, FRAME, FRAME))
    patterns = np.resize(some.astype(np.uint16), (n, FRAME, FRAME))
    return Scan(patterns, positions_px=positions, probe=probe[None].astype(np.complex64))


class Watch(threading.Thread):
    """The largest memory of this process from now on, less what it has now, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.process, self.running = psutil.Process(), True
        self.before = self.most = self.process.memory_info().rss
        self.start()

    def run(self) -> None:
        """Look every few milliseconds."""
        while self.running:
            self.most = max(self.most, self.process.memory_info().rss)
            time.sleep(0.005)

    def stop(self) -> int:
        """Return what was found."""
        self.running = False
        self.join()
        return self.most - self.before


def measured(n: int) -> dict[str, float]:
    """Run in this process; return CPU seconds per pattern and epoch, bytes taken and estimated."""
    import torch

    from napari_ptycho.engines import RpieOptions, reconstruct
    from napari_ptycho.engines.memory import estimate
    from napari_ptycho.prepare import first_guess

    torch.set_num_threads(1)  # noqa: TID251 - the whole process is the benchmark
    for _ in reconstruct(scan_of(16), RpieOptions(epochs=1), device="cpu"):
        pass  # compile, warm up
    scan = scan_of(n)
    start = first_guess(scan)
    options = RpieOptions(epochs=EPOCHS)
    watch = Watch()
    began = time.process_time()
    for _ in reconstruct(scan, options, start, device="cpu"):
        pass
    return {
        "per_pattern": (time.process_time() - began) / EPOCHS / n,
        "taken": watch.stop(),
        "estimated": estimate(scan, options, start.object.shape).total,
    }


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 2000, 8000, 20_000])
    parser.add_argument("--one", type=int, help="measure this size in this process")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(arguments.one)))
        return
    print(f"{FRAME} x {FRAME}, batch 8, CPU time of {EPOCHS} epochs with loading\n")
    print(
        "| patterns | us per pattern and epoch | memory taken, MB | estimated, MB | taken / est. |"
    )
    print("|---|---|---|---|---|")
    for n in arguments.sizes:
        command = [sys.executable, __file__, "--one", str(n)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        taken, estimated = found["taken"] / 1e6, found["estimated"] / 1e6
        print(
            f"| {n} | {found['per_pattern'] * 1e6:.0f} | {taken:.0f} | {estimated:.0f} "
            f"| {taken / estimated:.2f} |"
        )


if __name__ == "__main__":
    main()
