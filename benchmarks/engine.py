"""What an epoch of rPIE costs, in units of its FFTs alone, on one CPU thread.

The measured Siemens star where it is at hand (else a simulated scan), batch 8. In every round the
FFTs alone (two per pattern and mode, in batches of 8) and one epoch alternate in this process, so
that the machine's mood falls on both; the ratio of each round is taken, then the median. For
comparison the same update in plain torch operations instead of the fused loops.

    python benchmarks/engine.py [--rounds 9]
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import torch  # noqa: E402

from napari_ptycho.engines import RpieOptions  # noqa: E402
from napari_ptycho.engines.frames import load  # noqa: E402
from napari_ptycho.engines.loop import epochs  # noqa: E402
from napari_ptycho.engines.state import begin  # noqa: E402
from napari_ptycho.errors import FileError  # noqa: E402
from napari_ptycho.model import Scan  # noqa: E402
from napari_ptycho.physics import kernels  # noqa: E402
from napari_ptycho.physics.propagate import Propagator  # noqa: E402
from napari_ptycho.prepare import first_guess  # noqa: E402
from napari_ptycho.samples import SampleOptions, open_sample  # noqa: E402

BATCH = 8
CPU = torch.device("cpu")


def star() -> Scan:
    """Return the measured star, or a simulated one of about as many patterns."""
    try:
        return open_sample("siemens-real")
    except FileError as error:
        print(f"{error}; a simulated star instead", file=sys.stderr)
        return open_sample("siemens-star", SampleOptions(lines=23, columns=23))


def endless(scan: Scan, modes: int) -> Iterator[float]:
    """Run epochs; yield the CPU seconds of each."""
    options = RpieOptions(epochs=100_000, batch=BATCH, modes=modes, anneal=0)
    frames = load(scan, CPU)
    state = begin(first_guess(scan, modes), frames, options)
    states = epochs(frames, state, Propagator(), options)
    finished, began = 0, time.process_time()
    with torch.inference_mode():
        for live in states:
            if live.done >= finished + 1:
                yield time.process_time() - began
                finished, began = finished + 1, time.process_time()


def ffts_alone(scan: Scan, modes: int) -> float:
    """Return the CPU seconds of the FFTs of one epoch."""
    waves = torch.randn(BATCH, modes, *scan.frame_shape, dtype=torch.complex64)
    began = time.process_time()
    for _ in range(0, len(scan), BATCH):
        torch.fft.fft2(waves, norm="ortho")
        torch.fft.ifft2(waves, norm="ortho")
    return time.process_time() - began


def measure(scan: Scan, modes: int, rounds: int) -> tuple[float, float, float, float]:
    """Return median seconds of the FFTs and of an epoch, the median ratio, and the smallest."""
    runs = endless(scan, modes)
    next(runs), ffts_alone(scan, modes)  # compile, warm up
    pairs = [(ffts_alone(scan, modes), next(runs)) for _ in range(rounds)]
    ratios = [epoch / fft for fft, epoch in pairs]
    fft, epoch = (statistics.median(values) for values in zip(*pairs, strict=True))
    return fft, epoch, statistics.median(ratios), min(ratios)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)  # noqa: TID251 - the whole process is the benchmark
    scan = star()
    print(f"{scan.name}, {len(scan)} patterns of {scan.frame_shape}, batch {BATCH}\n")
    print("| update | modes | FFTs alone, CPU s | epoch, CPU s | epoch / FFTs (least) |")
    print("|---|---|---|---|---|")
    for name, fused, modes in (("fused", {"cpu"}, 1), ("fused", {"cpu"}, 3), ("torch", set(), 1)):
        kernels.FUSED = fused
        fft, epoch, ratio, least = measure(scan, modes, rounds)
        print(f"| {name} | {modes} | {fft:.3f} | {epoch:.3f} | {ratio:.1f} ({least:.1f}) |")


if __name__ == "__main__":
    main()
