"""Times an iteration of Arch 1 against the plain MONAI loop, and the way to the stopping point.

    python benchmarks/denoising_speed.py [--size 512] [--stop-size 128]

Needs MONAI (`pip install monai`). Rounds of both loops alternate in one process, with as many CPU
threads as torch takes by itself; the fastest round of each counts, for others may use the machine.
The paper's recipe is Arch 1 at a rate of 3e-5 until its loss stays as it is; its iterations are
counted by our Arch 1, which is MONAI's weight for weight (tests/denoise/test_networks.py), its time
per iteration is the plain loop's.
"""

import argparse
import math
import time
from collections.abc import Iterator

import numpy as np
import torch
from monai.networks.nets import UNet
from torch.nn import functional

from napari_ptycho.denoise import DenoiseOptions, dip
from napari_ptycho.denoise.run import Run
from napari_ptycho.denoise.target import prepare
from napari_ptycho.phantoms import noisy

ROUNDS, STEPS = 6, 4


def plain(image: np.ndarray) -> Iterator[None]:
    """Fit MONAI's Arch 1 as one writes it: loss and PSNR are read in every iteration."""
    net = UNet(2, 1, 1, channels=(8, 16, 32, 64, 128), strides=(2, 2, 2, 2), num_res_units=2)
    seen, target = torch.rand(1, 1, *image.shape), torch.from_numpy(image)[None, None].float()
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-5)
    while True:
        optimiser.zero_grad()
        loss = functional.mse_loss(net(seen), target)
        loss.backward()
        optimiser.step()
        psnr = -10 * math.log10(loss.item())
        assert psnr == psnr
        yield


def ours(image: np.ndarray) -> Iterator[None]:
    """Fit our Arch 1, with everything that is measured of every iteration."""
    options = DenoiseOptions.of("arch1", stop="none", history_every=1000)
    for _ in Run(prepare(image), options, torch.device("cpu")).states(10**6):
        yield


def per_iteration(size: int) -> dict[str, float]:
    """Return milliseconds per iteration."""
    image = noisy("fibres", size)[0].astype(np.float32)
    loops = {"MONAI loop": plain(image), "ours": ours(image)}
    best = dict.fromkeys(loops, math.inf)
    for _ in range(ROUNDS):
        for name, loop in loops.items():
            began = time.perf_counter()
            for _ in range(STEPS):
                next(loop)
            best[name] = min(best[name], (time.perf_counter() - began) / STEPS * 1e3)
    return best


def to_the_stop(architecture: str, size: int) -> tuple[int, float, float]:
    """Return iterations, seconds and PSNR at the stopping point."""
    image, clean = noisy("fibres", size)
    began = time.perf_counter()
    for update in dip(image, DenoiseOptions.of(architecture), clean, device="cpu"):
        result = update.result
    return result.done, time.perf_counter() - began, result.score("psnr_db") or 0.0


def main() -> None:
    """Print two tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--size", type=int, default=512)
    arguments.add_argument("--stop-size", type=int, default=128)
    given = arguments.parse_args()
    large = per_iteration(given.size)
    print(
        f"| Arch 1, {given.size} x {given.size}, {torch.get_num_threads()} threads | ms/iteration |"
    )
    print("|---|---|")
    for name, value in large.items():
        print(f"| {name} | {value:.0f} |")
    print(f"| ratio | {large['MONAI loop'] / large['ours']:.2f} |\n")
    small = per_iteration(given.stop_size)["MONAI loop"] / 1e3
    iterations, _, psnr = to_the_stop("arch1", given.stop_size)
    paper = iterations * small
    print(
        f"| {given.stop_size} x {given.stop_size} fibres | iterations | seconds | PSNR | faster |"
    )
    print("|---|---|---|---|---|")
    print(f"| paper's recipe, MONAI loop | {iterations} | {paper:.0f} | {psnr:.2f} dB | |")
    for name in ("arch1-bilinear", "skip"):
        count, seconds, psnr = to_the_stop(name, given.stop_size)
        ratio = paper / seconds
        print(f"| {name} | {count} | {seconds:.0f} | {psnr:.2f} dB | {ratio:.1f} |")


if __name__ == "__main__":
    main()
