"""What the tables of Pan et al. 2023 measure: images of known quality, by their definitions.

    python benchmarks/networks/calibration.py

Needs PtyNet's shipped truths and positions (data/ptynet). A perfect network here is the truth
itself, cut where the windows lay; only the stitching differs. Prints the table of docs/networks.md.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from scene import table
from scipy.ndimage import gaussian_filter

from napari_ptycho.assess import pty2023
from napari_ptycho.assess.published import TOP, stretched
from napari_ptycho.samples import data_folders

EDGE, WINDOW = 3, 128
DRAWS = 20
TITLES = ["image", "overlap", "PSNR (dB)", "SSIM (σ 0.5)", "SSIM (σ 1.5)", "MSE"]


def folder() -> Path:
    """Return where PtyNet's files lie."""
    for one in data_folders():
        if (one / "ptynet").is_dir():
            return one / "ptynet"
    sys.exit("data/ptynet is not on this machine; name the folder above it in $NAPARI_PTYCHO_DATA")


def stitched(truth: Any, corners: Any, places: Any, shape: tuple[int, ...]) -> Any:
    """Put true patches at places, and average them; where none lies is the mean."""
    total, count = np.zeros(shape, complex), np.zeros(shape)
    for (y, x), (v, u) in zip(corners, places, strict=True):
        total[v : v + WINDOW, u : u + WINDOW] += truth[y : y + WINDOW, x : x + WINDOW]
        count[v : v + WINDOW, u : u + WINDOW] += 1
    filled = total / np.maximum(count, 1)
    return np.where(count > 0, filled, filled[count > 0].mean())


def raster(side: int, step: int) -> Any:
    """Return corners (N, 2) of a square raster."""
    return np.stack(np.divmod(np.arange(side**2), side), -1) * step


def row(name: str, overlap: str, image: Any, truth: Any) -> list[Any]:
    """Score an image."""
    narrow, wide = pty2023(image, truth), pty2023(image, truth, 1.5)
    cells = [f"{narrow.psnr_db:.2f}", *(f"{s.ssim:.3f}" for s in (narrow, wide))]
    return [name, overlap, *cells, f"{narrow.mse:.4f}"]


def drawn(truth: Any) -> list[Any]:
    """Score the nominal raster of the 25 % set, whose jitter is not known: for drawn ones."""
    found = []
    for seed in range(DRAWS):
        jitter = np.random.default_rng(seed).integers(0, 3, (36, 2))
        image = stitched(truth, raster(6, 96) + EDGE + jitter, raster(6, 96), (608, 608))
        inner = np.angle(truth[EDGE:-EDGE, EDGE:-EDGE])
        scores = [pty2023(np.angle(image), inner, sigma) for sigma in (0.5, 1.5)]
        found.append([scores[0].psnr_db, scores[0].ssim, scores[1].ssim, scores[0].mse])
    low, high = np.min(found, axis=0), np.max(found, axis=0)
    digits = (1, 3, 3, 4)
    ranges = [f"{a:.{n}f} to {b:.{n}f}" for a, b, n in zip(low, high, digits, strict=True)]
    return [
        f"a perfect network, nominal raster, {DRAWS} draws of the jitter, phase",
        "25 %",
        *ranges,
    ]


def main() -> None:
    """Print the table."""
    with np.load(folder() / "ptynet75_poisson1e6.npz") as file:
        close, corners = file["object"], file["positions_px"].astype(int)
    names = [f"1GT0overlap_newcat10_{part}.npy" for part in ("abs", "angle")]
    size, angle = (np.load(folder() / name)[0] for name in names)
    apart, places = size * np.exp(1j * angle), np.load(folder() / "true_positions_0overlap.npy")
    inner = {name: one[EDGE:-EDGE, EDGE:-EDGE] for name, one in (("0", apart), ("75", close))}
    truth = np.angle(inner["75"]).astype(np.float64)
    nominal = stitched(close, corners, raster(16, 32), (608, 608))
    true = stitched(close, corners, corners, close.shape)[EDGE:-EDGE, EDGE:-EDGE]
    bare = stitched(apart, places, raster(5, WINDOW), (640, 640))
    title = "a perfect network, nominal raster (their evaluation)"
    rows = [
        row(f"{title}, phase", "0 %", np.angle(bare), np.angle(inner["0"])),
        row(f"{title}, phase", "75 %", np.angle(nominal), truth),
        row(f"{title}, amplitude", "75 %", np.abs(nominal), np.abs(inner["75"])),
        drawn(close),
        row("a perfect network, true positions, phase", "75 %", np.angle(true), truth),
        *(
            row(
                f"the true phase, blurred by σ = {blur} px", "", gaussian_filter(truth, blur), truth
            )
            for blur in (4, 16)
        ),
    ]
    spread = np.var(stretched(truth))
    best = f"{10 * np.log10(TOP**2 / spread):.2f}"
    rows.append(["the best constant", "", best, "", "", f"{np.var(truth / truth.max()):.4f}"])
    print(table(TITLES, rows))


if __name__ == "__main__":
    main()
