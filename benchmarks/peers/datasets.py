"""The two data sets of the comparison, written as .npz: what every package gets, and the truth.

`star` is the measured Siemens star of the samples. `sim` is a simulated scan with known truth: a
512 x 512 object from two photographs of scikit-image, a defocused, astigmatic and comatic probe,
a jittered raster of whole pixels, Poisson noise, and a first guess of the probe with a quarter of
the defocus missing and no astigmatism and coma.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.spatial import cKDTree

from napari_ptycho.prepare import first_guess
from napari_ptycho.samples import open_sample

N = 128
SIDE = 20  # positions along a side of the raster
JITTER_PX = 3
PHOTONS = 1e6
APERTURE = 0.2  # radius of the pupil, in units of the detector's width
DEFOCUS_RAD, ASTIGMATISM_RAD, COMA_RAD = 20.0, 1.0, 1.0  # at the rim of the pupil
GUESSED = 0.75  # share of the defocus in the first guess
SEED = 20261101
Corners = NDArray[np.float64]


def star() -> dict[str, NDArray]:
    """Return the measured star: fractional positions, the probe of the file as first guess."""
    scan = open_sample("siemens-real")
    guess = first_guess(scan)
    return {
        "patterns": np.asarray(scan.patterns, np.float32),
        "corners": guess.positions_px,
        "probe": guess.probe[0],
        "shape": np.array(guess.object.shape),
        "half": halves(guess.positions_px),
    }


def sim() -> dict[str, NDArray]:
    """Return the simulated scan with its truth."""
    from skimage import data

    random = np.random.default_rng(SEED)
    size = 0.75 + 0.25 * data.astronaut().mean(axis=2) / 255
    truth = (size * np.exp(1j * 1.5 * data.camera() / 255)).astype(np.complex64)
    room = np.array(truth.shape) - N
    grid = np.indices((SIDE, SIDE)).reshape(2, -1).T * (room - 2 * JITTER_PX) / (SIDE - 1)
    moves = random.integers(-JITTER_PX, JITTER_PX + 1, grid.shape)
    corners = np.clip(np.rint(grid) + JITTER_PX + moves, 0, room)
    probe = aberrated(DEFOCUS_RAD, ASTIGMATISM_RAD, COMA_RAD)
    patterns = np.empty((len(corners), N, N), np.float32)
    for row, (y, x) in enumerate(corners.astype(int)):
        wave = fft.fft2(probe * truth[y : y + N, x : x + N], norm="ortho")
        patterns[row] = random.poisson(fft.fftshift(np.abs(wave) ** 2))
    guess = aberrated(GUESSED * DEFOCUS_RAD, 0.0, 0.0)
    guess *= np.sqrt(patterns.sum(dtype=np.float64) / len(patterns) / PHOTONS)
    return {
        "patterns": patterns,
        "corners": corners,
        "probe": guess.astype(np.complex64),
        "shape": np.array(truth.shape),
        "half": halves(corners),
        "truth": truth,
        "true_probe": probe.astype(np.complex64),
    }


def aberrated(defocus: float, astigmatism: float, coma: float) -> NDArray[np.complex128]:
    """Return the probe of a round pupil with these phases at its rim; PHOTONS in all."""
    ky, kx = (axis / APERTURE for axis in np.meshgrid(*[fft.fftfreq(N)] * 2, indexing="ij"))
    radius, angle = np.hypot(ky, kx), np.arctan2(ky, kx)
    pupil = np.clip((1 - radius) * APERTURE * N + 0.5, 0, 1)
    phase = defocus * radius**2 + astigmatism * radius**2 * np.cos(2 * angle - 0.6)
    phase += coma * (radius**3 - 2 / 3 * radius) * np.cos(angle - 1.1)
    wave = fft.fftshift(fft.ifft2(pupil * np.exp(1j * phase), norm="ortho"))
    return wave * np.sqrt(PHOTONS / (np.abs(wave) ** 2).sum())


def halves(corners: Corners) -> NDArray[np.int8]:
    """Split positions into two halves, (N,) 0 or 1: near pairs are torn apart, nearest first."""
    distances, others = cKDTree(corners).query(corners, k=min(12, len(corners)))
    rows = np.repeat(np.arange(len(corners)), others.shape[1])
    half = np.full(len(corners), -1, np.int8)
    for pair in np.argsort(distances, axis=None, kind="stable"):
        a, b = rows[pair], others.flat[pair]
        if a != b and half[a] < 0 and half[b] < 0:
            half[a], half[b] = (a + b) % 2, 1 - (a + b) % 2
    left = np.flatnonzero(half < 0)
    half[left] = np.arange(len(left)) % 2
    return half


def write(folder: Path) -> dict[str, Path]:
    """Write both data sets unless they are there; return where."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {"star": folder / "star.npz", "sim": folder / "sim.npz"}
    for name, make in {"star": star, "sim": sim}.items():
        np.savez(paths[name], **make())
    return paths
