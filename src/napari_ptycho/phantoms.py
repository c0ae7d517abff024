"""Two images of known truth to measure denoisers on: hollow fibres, and a star of spokes."""

from typing import Literal, get_args

import numpy as np

from napari_ptycho.errors import OptionsError
from napari_ptycho.model.arrays import Floats

Phantom = Literal["fibres", "star"]
PHANTOMS: tuple[str, ...] = get_args(Phantom)
FINE = 4  # sub-pixels per pixel and axis
FIBRES, TRIES = 34, 40_000
WALL, LUMEN, INSIDE = 0.85, 0.35, 0.6  # grey of wall and lumen; lumen as a share of the size
SPOKES = 14


def phantom(name: str, n: int = 128) -> Floats:
    """Return a phantom (n, n) with values from 0 to 1.

    Raises:
        OptionsError: There is no phantom of this name.
    """
    if name not in PHANTOMS:
        raise OptionsError(f"no phantom is called '{name}'; there is {', '.join(PHANTOMS)}")
    fine = _fibres(n * FINE) if name == "fibres" else _star(n * FINE)
    return np.asarray(fine.reshape(n, FINE, n, FINE).mean(axis=(1, 3)))


def noisy(name: str, n: int = 128, sigma: float = 0.15, seed: int = 0) -> tuple[Floats, Floats]:
    """Return a phantom with white Gaussian noise, and without: (n, n) each.

    Args:
        name: "fibres" or "star".
        n: Pixels of a side.
        sigma: Of the noise; 0.15 is a PSNR of 16.5 dB.
        seed: Of the noise; two seeds are two independent copies.
    """
    clean = phantom(name, n)
    return clean + np.random.default_rng(seed).normal(0, sigma, clean.shape), clean


def _fibres(n: int) -> Floats:
    """Draw hollow ellipses that hardly overlap, as fibres cut across are."""
    draw = np.random.default_rng(7)
    placed: list[tuple[float, float, float, float, float]] = []
    for _ in range(TRIES):
        large = draw.uniform(0.04, 0.12) * n
        small, turn = large * draw.uniform(0.65, 1.0), draw.uniform(0, np.pi)
        y, x = draw.uniform(0, n, 2)
        if all((y - p[0]) ** 2 + (x - p[1]) ** 2 > 0.8 * (large + p[2]) ** 2 for p in placed):
            placed.append((y, x, large, small, turn))
        if len(placed) == FIBRES:
            break
    rows, columns = np.ogrid[:n, :n]
    image = np.zeros((n, n))
    for y, x, large, small, turn in placed:
        along = (columns - x) * np.cos(turn) + (rows - y) * np.sin(turn)
        across = (rows - y) * np.cos(turn) - (columns - x) * np.sin(turn)
        radius = np.hypot(along / large, across / small)
        image = np.where(radius < 1, np.where(radius < INSIDE, LUMEN, WALL), image)
    return image


def _star(n: int) -> Floats:
    """Draw spokes inside a disc."""
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    inside = np.hypot(y, x) < 0.46 * n
    return np.asarray(inside & (np.sin(SPOKES * np.arctan2(y, x)) > 0), float)
