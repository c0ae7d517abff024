"""From a layer to the image that `assess` inspects."""

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Layer

from napari_ptycho.assess.plane import Pair, Plane, plane_of, processing
from napari_ptycho.gui import canvas
from napari_ptycho.gui.canvas import MADE
from napari_ptycho.model import Reconstruction
from napari_ptycho.model.arrays import Bools
from napari_ptycho.physics.align import illuminated

ROLES = {canvas.PHASE: "phase", canvas.AMPLITUDE: "amplitude"}
_areas: "WeakKeyDictionary[Reconstruction, Bools]" = WeakKeyDictionary()


def plane_of_layer(layer: Layer) -> Plane:
    """Return what a two-dimensional image layer shows, with what is known of it.

    Raises:
        OptionsError: It is no image that can be inspected (NaN, constant, too small).
    """
    held, role = canvas.held_by(layer), layer.metadata.get(canvas.ROLE)
    whole = isinstance(held, Reconstruction) and layer.data.shape == held.object.shape
    if not isinstance(held, Reconstruction) or not whole:
        return Plane(
            np.asarray(layer.data),
            name=layer.name,
            pixel_m=pixel_of(layer),
            processed=_made(layer),
        )
    if role in ROLES:
        plane = plane_of(held, ROLES[role])
        return Plane(**{**vars(plane), "name": layer.name})
    return Plane(
        np.asarray(layer.data),
        name=layer.name,
        pixel_m=held.pixel_size_m,
        area=area_of(held),
        processed=processing(held.provenance) or _made(layer),
        of=held,
        channel=_channel(layer),
    )


def area_of(reconstruction: Reconstruction) -> Bools:
    """Return where a reconstruction is known, (H, W); asked once for each."""
    if reconstruction not in _areas:
        _areas[reconstruction] = illuminated(reconstruction)
    return _areas[reconstruction]


def pixel_of(layer: Layer) -> Pair | None:
    """Return the pixel (height, width) of a layer in metres; None where its unit is no length."""
    sides = []
    for unit, scale in zip(layer.units[-2:], layer.scale[-2:], strict=True):
        if not unit.is_compatible_with("m"):
            return None
        sides.append(float((1 * unit).to("m").magnitude) * float(scale))
    return sides[0], sides[1]


def _made(layer: Layer) -> str:
    made: Any = layer.metadata.get(MADE)
    return f"denoised ({made[2]})" if made else ""


def _channel(layer: Layer) -> str:
    made: Any = layer.metadata.get(MADE)
    return str(made[1]) if made else "image"
