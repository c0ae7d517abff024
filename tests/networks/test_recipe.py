"""The small recipe: what 500 steps on a CPU must reach, on images that did not teach."""

import numpy as np
import pytest
import torch
from skimage.transform import resize

from napari_ptycho import device
from napari_ptycho.model import Reconstruction
from napari_ptycho.networks import TrainOptions, pairs_of, train
from napari_ptycho.networks.images import read
from napari_ptycho.networks.simulated import zone_plate
from napari_ptycho.physics.simulation import simulate
from napari_ptycho.prepare import Optics

SIZE, SIDE, PER_CAT, BATCH, STEPS = 32, 76, 100, 32, 500


def known(path, seed):
    """A scan of a cat at random places: amplitude and phase are one image."""
    image = resize(read(path), (SIDE, SIDE), anti_aliasing=True)
    image = (image - image.min()) / np.ptp(image)
    true = (0.5 + 0.5 * image) * np.exp(0.75j * np.pi * (image - 0.45))
    places = np.random.default_rng(seed).uniform(0, SIDE - SIZE, (PER_CAT, 2))
    probe = zone_plate(SIZE, Optics(defocus_mm=4.5))
    scan = simulate(true, probe, np.rint(places), photons=1e6, seed=seed)
    return scan, Reconstruction(true, scan.probe, np.rint(places), name=f"cat {seed}")


@pytest.mark.real
def test_500_steps_halve_the_phase_error(real_data):
    cats = sorted((real_data / "ptynet" / "cat_face").glob("*.png"))
    pairs = pairs_of([known(path, seed) for seed, path in enumerate(cats)], 0.1)
    epochs = -(-STEPS * BATCH // len(pairs.training))
    options = TrainOptions(epochs=epochs, batch=BATCH, warm_up=50, schedule="constant")
    with device.threads(1):
        job = train(pairs, options, device="cpu")
        for update in job:
            if update.result.run.steps >= STEPS:
                break
        job.close()
    trained = update.result
    counts, labels = pairs.batch(pairs.validation[::4])
    with torch.inference_mode():
        inputs = trained.run.inputs(torch.from_numpy(counts))
        found = trained.network.module()(inputs).numpy()
    middle = slice(SIZE // 4, -SIZE // 4), slice(SIZE // 4, -SIZE // 4)
    error, meant = (image[:, 1][:, *middle] for image in (found - labels, labels))
    assert np.square(error).mean() < 0.5 * meant.var()
    assert trained.scores["correlation"] > 0.7
