"""The images behind layers are kept as long as what they are of, and no longer."""

import gc
import weakref

import numpy as np
from napari.layers import Image

from napari_ptycho.gui import canvas, planes
from napari_ptycho.model import Reconstruction


def shown():
    """Return the phase layer of a reconstruction that nothing else holds."""
    rng = np.random.default_rng(0)
    of = Reconstruction(
        np.exp(1j * rng.normal(0, 0.2, (64, 64))).astype(np.complex64),
        np.ones((1, 16, 16), np.complex64),
        rng.uniform(0, 48, (40, 2)),
    )
    return Image(np.angle(of.object), metadata=canvas.metadata(canvas.PHASE, of))


def test_an_image_is_made_once_for_a_reconstruction(monkeypatch):
    made, make = [], planes.plane_of
    monkeypatch.setattr(
        planes, "plane_of", lambda of, channel: made.append(channel) or make(of, channel)
    )
    layer, several = shown(), planes.Planes()
    for channel in (planes.AS_SHOWN, planes.AS_SHOWN, "complex", "complex"):
        assert several.of(layer, channel).of is canvas.held_by(layer)
    assert made == ["phase", "complex"]


def test_what_was_inspected_is_freed_with_its_layer():
    layer, several = shown(), planes.Planes()
    several.of(layer)
    left = weakref.ref(canvas.held_by(layer))
    layer.metadata.clear()
    gc.collect()
    assert left() is None
