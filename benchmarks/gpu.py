"""Patterns per second on a GPU, and the share of what its memory could do at best.

Where there is no CUDA device it says so. Every run is eager torch, timed by whole epochs,
synchronised at their ends. The floor is the time in which the memory moves the bytes that an epoch
cannot avoid with batched FFTs (exit wave, two transforms, change, amplitudes, object, probe: about
2 kB for every 16 pixels and mode), at the bandwidth measured by copying.

    python benchmarks/gpu.py
"""

import time

import numpy as np
import torch

from napari_ptycho.engines import RpieOptions
from napari_ptycho.engines.chain import guarded
from napari_ptycho.engines.frames import load
from napari_ptycho.engines.loop import epochs
from napari_ptycho.engines.state import begin
from napari_ptycho.model import Scan
from napari_ptycho.physics.propagate import Propagator
from napari_ptycho.prepare import first_guess

CASES = ((516, 128, 64, 1), (2000, 256, 64, 1), (2000, 256, 64, 4), (8000, 128, 256, 1))
BYTES_PER_PIXEL = 8 * 16  # eight-byte complex numbers: each wave is read or written about 16 times
ROUNDS = 5


def scan_of(n: int, size: int) -> Scan:
    """Return a scan of n noisy frames; their content does not matter for the time."""
    random = np.random.default_rng(0)
    side = int(np.ceil(np.sqrt(n)))
    rows, columns = np.divmod(np.arange(n), side)
    y, x = np.indices((size, size)) - size / 2
    probe = np.exp(-(y**2 + x**2) / (size / 6) ** 2) * np.exp(0.01j * (y**2 + x**2))
    some = random.poisson(100 * np.exp(-(y**2 + x**2) / (size / 8) ** 2), (50, size, size))
    patterns = np.resize(some.astype(np.uint16), (n, size, size))
    positions = np.stack([rows, columns], axis=1) * size / 10 + random.uniform(0, 2, (n, 2))
    return Scan(patterns, positions_px=positions, probe=probe[None].astype(np.complex64))


def seconds_per_epoch(case: tuple[int, int, int, int], device: torch.device) -> float:
    """Return the median time of an epoch."""
    n, size, batch, modes = case
    scan = scan_of(n, size)
    options = RpieOptions(epochs=ROUNDS + 2, batch=batch, modes=modes, anneal=0.0)
    with torch.inference_mode():
        frames = load(scan, device)
        state = begin(first_guess(scan, modes), frames, options)
    found, began, finished = [], time.perf_counter(), 0
    for live in guarded(epochs(frames, state, Propagator(), options), None):
        if live.done >= finished + 1:
            torch.cuda.synchronize(device)
            found.append(time.perf_counter() - began)
            finished, began = finished + 1, time.perf_counter()
    return float(np.median(found[2:]))


def bandwidth(device: torch.device) -> float:
    """Return the bytes per second of copying within the device's memory, read and written."""
    one = torch.empty(2**28, device=device)
    other = torch.empty_like(one)
    other.copy_(one)
    torch.cuda.synchronize(device)
    began = time.perf_counter()
    for _ in range(10):
        other.copy_(one)
    torch.cuda.synchronize(device)
    return 20 * one.nbytes / (time.perf_counter() - began)


def main() -> None:
    """Print a Markdown table, or that there is no GPU."""
    if not torch.cuda.is_available():
        print("no GPU on this machine")
        return
    device = torch.device("cuda")
    speed = bandwidth(device)
    print(f"{torch.cuda.get_device_name(device)}, copies at {speed / 1e12:.2f} TB/s\n")
    print("| patterns | size | batch | modes | ms per epoch | patterns/s | floor, ms | reached |")
    print("|---|---|---|---|---|---|---|---|")
    for case in CASES:
        n, size, batch, modes = case
        seconds = seconds_per_epoch(case, device)
        floor = n * size * size * modes * BYTES_PER_PIXEL / speed
        print(
            f"| {n} | {size} | {batch} | {modes} | {seconds * 1e3:.2f} | {n / seconds:.0f} "
            f"| {floor * 1e3:.2f} | {floor / seconds:.0%} |"
        )


if __name__ == "__main__":
    main()
