"""Measures how far the tests that need no photons go where nothing was invented.

    python benchmarks/levels.py

Prints the table of docs/hallucination.md from which the alarm levels come: the largest value that
each test reaches over residuals of the two phantoms (128 x 128) with white noise. Some half minute.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_ptycho import device
from napari_ptycho.assess.residual import Noise, blobs, local_grid, whiteness
from napari_ptycho.denoise import ClassicalOptions, classical
from napari_ptycho.denoise.grid import grid_db
from napari_ptycho.phantoms import PHANTOMS, noisy

SIGMAS, SEEDS, SIDE = (0.1, 0.3), range(6), 128
PERIODS = (2, 4, 8, 16)
ALL = np.ones((SIDE, SIDE), bool)


def by_method(method: str, image: np.ndarray, sigma: float) -> np.ndarray:
    """Return an image after a classical method that knows the noise."""
    return classical(image, ClassicalOptions(method=method, sigma=sigma, calibrate="noise")).image


FILTERS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "blur by 0.5 px": lambda image, _: gaussian_filter(image, 0.5),
    "blur by 0.7 px": lambda image, _: gaussian_filter(image, 0.7),
    "blur by 1.5 px": lambda image, _: gaussian_filter(image, 1.5),
    "total variation": partial(by_method, "tv"),
    "non-local means": partial(by_method, "nlm"),
}


def residuals(name: str) -> Iterator[tuple[np.ndarray, float]]:
    """Return what is taken away by a filter, or by one that knows the truth; and the noise."""
    for which in PHANTOMS:
        for sigma in SIGMAS:
            for seed in SEEDS:
                image, clean = noisy(which, SIDE, sigma, seed)
                left = FILTERS[name](image, sigma) if name in FILTERS else clean
                yield image - left, sigma


def main() -> None:
    """Print the table."""
    titles = "taken away by | residuals | grid 2, 4, 8, 16 px (dB) | local grid | whiteness z"
    print(f"| {titles} | blobs |\n|---|---|---|---|---|---|")
    for name in ("the truth (noise alone)", *FILTERS):
        found = []
        for residual, sigma in residuals(name):
            noise = Noise(np.full(residual.shape, sigma))
            grid = grid_db(residual, PERIODS)
            local, blob = local_grid(residual, ALL), blobs(residual, noise, ALL)
            z = whiteness(residual, noise, ALL)
            found.append(
                [*(grid[p] for p in PERIODS), np.nanmax(local), z, np.nanmax(np.abs(blob))]
            )
        *grids, local_most, z_most, blob_most = np.max(found, axis=0)
        decibels = ", ".join(f"{value:.1f}" for value in grids)
        cells = [name, str(len(found)), decibels]
        cells += [f"{local_most:.0f}", f"{z_most:.0f}", f"{blob_most:.1f}"]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    with device.threads(1):
        main()
