"""Runs with a denoiser that answers what a test wants."""

from dataclasses import replace

import numpy as np
import torch

from napari_ptycho.engines import RpieOptions, regularise

FEW = RpieOptions(epochs=10, batch=16, denoiser="dip", denoise_every=3)
"""Denoises after 3 and 6 epochs; the frames held out join in then."""


class Fake:
    """A network that learns nothing and gives back what a test wants."""

    sound = True

    def __init__(self, image, weight, lessons):
        self.seen = image.clone()

    def see(self, image):
        self.seen = image.clone()

    def learn(self, target, weight):
        pass

    @property
    def image(self):
        return self.seen.clone()


def fake(monkeypatch, change):
    """Let the denoiser answer with change(object)."""
    prior = type("Changed", (Fake,), {"image": property(lambda self: change(self.seen))})
    monkeypatch.setattr(regularise, "Prior", prior)


def noisy(image):
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    return image * torch.exp(1j * noise)


def towards(truth):
    """Return a denoiser that knows the truth (its phase and scale are those of the object)."""
    known = torch.from_numpy(truth.object.copy())

    def change(image):
        factor = torch.vdot(known.flatten(), image.flatten()) / known.abs().square().sum()
        return known * factor

    return change


def begun(scene):
    """Return the scan, the truth, and the truth without its object as a start."""
    scan, truth = scene
    return scan, truth, replace(truth, object=np.ones_like(truth.object))


def notes_of(update):
    return [note for note in update.notes if note.startswith("Deep Image Prior")]
