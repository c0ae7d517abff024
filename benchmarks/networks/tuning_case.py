"""The simulated case of fine-tuning: a cat that the network has not seen, and what comes of it.

64 x 64 pixels, a probe of 10.6 px rms radius, 12 x 12 patterns in steps of 8 px, 1e6 photons each.
The network has learnt other cats under the same probe (amplitude and phase of one image). Scores
are of the middle of the object, which all neighbours light: correlation of the phase, and error of
the complex object as a share of its own, after one global phase (scale, for the error) is removed.
"""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.io import imread
from skimage.transform import resize

from napari_ptycho.job import run_to_end
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.networks import TrainOptions, load, pairs_of, save, train
from napari_ptycho.networks.network import Network
from napari_ptycho.physics.simulation import simulate

SIZE, STEP, SIDE, OBJECT = 64, 8, 12, 152
PER_CAT, BATCH = 100, 32
RMS_PX = 10.6
BORDER = 32
Object = NDArray[np.complex64]


def cats(folder: Path | None = None) -> list[NDArray[np.float64]]:
    """Return the cat images, from 0 to 1, on 152 x 152 pixels."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    data = folder or Path(os.environ.get("NAPARI_PTYCHO_DATA") or beside)
    paths = sorted((data / "ptynet" / "cat_face").glob("*.png"))
    if not paths:
        raise SystemExit(f"no cat images in {data}; set NAPARI_PTYCHO_DATA")
    images = [np.asarray(imread(path, as_gray=True), np.float64) for path in paths]
    images = [resize(image, (OBJECT, OBJECT), anti_aliasing=True) for image in images]
    return [(image - image.min()) / np.ptp(image) for image in images]


def transmission(image: NDArray[np.float64]) -> Object:
    """Return an object whose amplitude and phase are one image."""
    return ((0.5 + 0.5 * image) * np.exp(0.75j * np.pi * (image - 0.45))).astype(np.complex64)


def probe() -> Object:
    """Return a Gaussian with a curved wavefront, 10.6 px rms radius: (64, 64)."""
    y, x = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    square = (y**2 + x**2) / RMS_PX**2
    return np.exp(-square / 2 + 1.2j * square).astype(np.complex64)


def known(image: NDArray[np.float64], seed: int) -> tuple[Scan, Reconstruction]:
    """Return a scan of an image at random positions, and the truth as its reconstruction."""
    places = np.random.default_rng(seed).uniform(1, OBJECT - SIZE - 1, (PER_CAT, 2))
    scan = simulate(transmission(image), probe(), np.rint(places), seed=seed)
    truth = Reconstruction(transmission(image), scan.probe, np.rint(places), name=scan.name)
    return scan, truth


@dataclass(frozen=True)
class Case:
    """What is to be predicted, and the truth."""

    scan: Scan
    truth: Object

    def scores(self, image: Object) -> tuple[float, float]:
        """Return correlation of the phase, and error, of an object over the scan's windows."""
        y, x = (int(n) for n in np.floor(self.scan.in_pixels().min(axis=0)))
        found = image[2:-2, 2:-2]
        true = self.truth[y : y + found.shape[0], x : x + found.shape[1]]
        found = found[: true.shape[0], : true.shape[1]]
        middle = slice(BORDER, -BORDER), slice(BORDER, -BORDER)
        found, true = found[middle], true[middle]
        found = found * np.exp(1j * np.angle(np.vdot(found, true)))
        phases = np.angle(found).ravel(), np.angle(true).ravel()
        scale = np.vdot(found, true) / np.vdot(found, found)
        error = np.linalg.norm(scale * found - true) / np.linalg.norm(true)
        return float(np.corrcoef(*phases)[0, 1]), float(error)


def case(image: NDArray[np.float64]) -> Case:
    """Return the scan of an image on the raster."""
    raster = np.indices((SIDE, SIDE)).reshape(2, -1).T * float(STEP)
    return Case(simulate(transmission(image), probe(), raster, seed=1), transmission(image))


def taught(path: Path, steps: int) -> Network:
    """Return the network that has learnt all cats but the first, from the file if it is there."""
    if path.exists():
        return load(path)
    pairs = pairs_of([known(image, seed) for seed, image in enumerate(cats()[1:], 1)])
    epochs = max(1, round(steps * BATCH / len(pairs.training)))
    options = TrainOptions.of("ptynet-s", epochs=epochs, batch=BATCH)
    network = run_to_end(train(pairs, options, device="cpu")).network
    save(network, path)
    return network


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("path", type=Path)
    arguments.add_argument("--steps", type=int, default=1000)
    given = arguments.parse_args()
    taught(given.path, given.steps)
