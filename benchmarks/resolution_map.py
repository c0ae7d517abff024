"""Times the resolution map against the loop one writes first, and checks that both say the same.

    python benchmarks/resolution_map.py [--size 512] [--block 64] [--step 8] [--rounds 3]

One thread. The loop takes one window at a time: two FFTs, then a mask per ring. It runs over a part
of the windows, spread over the image; both times are per window. Rounds of both alternate in one
process and the fastest of each counts, for others may use the machine. Writes
benchmarks/resolution_map.md.
"""

import argparse
import os
import sys
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
from scipy.ndimage import gaussian_filter  # noqa: E402

from napari_ptycho.assess.plane import Plane  # noqa: E402
from napari_ptycho.assess.rolling import MapOptions, resolution_map  # noqa: E402

SAMPLES = 256
PAGE = Path(__file__).with_suffix(".md")


def halves(n: int) -> list[Plane]:
    """Return two noisy copies of a star whose right half is blurred by two pixels."""
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    sharp = (np.sin(36 * np.arctan2(y, x)) > 0).astype(float)
    image = np.where(np.arange(n) < n // 2, sharp, gaussian_filter(sharp, 2.0))
    rng = np.random.default_rng(0)
    return [Plane(image + 0.1 * rng.standard_normal(image.shape)) for _ in range(2)]


def naive(a: np.ndarray, b: np.ndarray) -> float:
    """Return the full period of one window, as one writes it first."""
    block = len(a)
    window = np.outer(np.hamming(block), np.hamming(block))
    one, two = (np.fft.fft2((part - part.mean()) * window) for part in (a, b))
    k = np.fft.fftfreq(block, 1 / block)
    ring = np.floor(np.hypot(k[:, None], k[None]) + 0.5)
    curve = []
    for r in range(block // 2):
        inside = ring == r
        cross = (one[inside] * two[inside].conj()).real.sum()
        power = (np.abs(one[inside]) ** 2).sum() * (np.abs(two[inside]) ** 2).sum()
        curve.append(cross / np.sqrt(power))
    above = np.array(curve) - 1 / 7
    for r in range(2, block // 2 - 1):
        if above[r] > 0 >= above[r + 1]:
            return block / (r + above[r] / (above[r] - above[r + 1]))
    return 2.0


def main(words: list[str]) -> None:
    """Print a Markdown table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--block", type=int, default=64)
    parser.add_argument("--step", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args(words)
    n, block, step = wanted.size, wanted.block, wanted.step
    a, b = halves(n)
    still = MapOptions(block=block, step=step, smoothing=1, register=False)
    full = MapOptions(block=block, step=step, register=False)
    inside = np.arange(block // 2 // step * step + step, n - block, step)
    middles = np.stack(np.meshgrid(inside, inside, indexing="ij"), axis=-1).reshape(-1, 2)
    middles = middles[:: max(1, len(middles) // SAMPLES)]
    ours = loop = np.inf
    for _ in range(wanted.rounds):
        began = time.perf_counter()
        resolution_map(a, b, full)
        ours = min(ours, time.perf_counter() - began)
        cuts = [tuple(slice(c - block // 2, c + block // 2) for c in at) for at in middles]
        began = time.perf_counter()
        said = [naive(a.data[cut], b.data[cut]) for cut in cuts]
        loop = min(loop, (time.perf_counter() - began) / len(cuts))
    found = resolution_map(a, b, still)
    here = found.data[tuple(middles.T)]
    known = np.isfinite(here)
    same = float((np.abs(here - said)[known] < 0.01).mean())
    each = ours / found.windows
    q = n // 8
    shown = resolution_map(a, b, full).data
    sides = [shown[q:-q, q : n // 2 - q // 2], shown[q:-q, n // 2 + q // 2 : -q]]
    left, right = (float(np.nanmedian(side)) for side in sides)
    lines = [
        f"| {n} x {n}, windows of {block}, every {step} | ms per window | whole map, s | ratio |",
        "|---|---|---|---|",
        f"| loop over windows and rings | {1e3 * loop:.2f} | {loop * found.windows:.1f} | 1 |",
        f"| `assess.resolution_map` | {1e3 * each:.2f} | {ours:.2f} | {loop / each:.1f} |",
        "",
        f"Of {int(known.sum())} windows {100 * same:.0f} % have the same number in both. Medians: "
        f"sharp half {left:.2f} px, blurred half {right:.2f} px.",
    ]
    text = "\n".join(lines)
    print(text)
    PAGE.write_text(f"Written by `benchmarks/resolution_map.py`.\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
