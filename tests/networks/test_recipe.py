"""The small recipe: what 250 steps on a CPU must reach, on images that did not teach."""

import numpy as np
import pytest
import torch
from skimage.transform import resize

from napari_ptycho import device
from napari_ptycho.networks import TrainOptions, train
from napari_ptycho.networks.images import read
from napari_ptycho.networks.pairs import collected
from napari_ptycho.networks.simulated import zone_plate
from napari_ptycho.networks.source import Source
from napari_ptycho.networks.split import Split
from napari_ptycho.physics.simulation import simulate
from napari_ptycho.prepare import Optics

SIZE, SIDE, PER_CAT, BATCH, STEPS = 64, 152, 50, 16, 250
HELD = 4  # cats that validate


def cats_in_a_row(paths):
    """One long object of all cats, amplitude and phase of one image, and patterns at random."""
    images = [resize(read(path), (SIDE, SIDE), anti_aliasing=True) for path in paths]
    row = np.concatenate([(one - one.min()) / np.ptp(one) for one in images], axis=1)
    true = (0.5 + 0.5 * row) * np.exp(0.75j * np.pi * (row - 0.45))
    within = np.rint(np.random.default_rng(0).uniform(0, SIDE - SIZE, (len(paths), PER_CAT, 2)))
    within[..., 1] += SIDE * np.arange(len(paths))[:, None]
    places = within.reshape(-1, 2)
    scan = simulate(true, zone_plate(SIZE, Optics(defocus_mm=4.5)), places, photons=1e6)
    return Source(scan.patterns, true, places, scan.probe, name="cats")


@pytest.mark.real
def test_250_steps_halve_the_phase_error(real_data):
    cats = sorted((real_data / "ptynet" / "cat_face").glob("*.png"))
    count, held = len(cats) * PER_CAT, HELD * PER_CAT
    split = Split(np.arange(count - held), np.arange(count - held, count), "the last cats validate")
    pairs = collected([cats_in_a_row(cats)], split, None, {})
    epochs = -(-STEPS * BATCH // len(pairs.training))
    options = TrainOptions(epochs=epochs, batch=BATCH, warm_up=50, schedule="constant")
    with device.threads(1):
        job = train(pairs, options, device="cpu")
        for update in job:
            if update.result.run.course.steps >= STEPS:
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
