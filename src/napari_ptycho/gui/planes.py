"""From a layer to the image that `assess` inspects."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Layer

from napari_ptycho.assess.plane import Pair, Plane, plane_of, processing
from napari_ptycho.gui import canvas
from napari_ptycho.model import Reconstruction
from napari_ptycho.model.arrays import Bools
from napari_ptycho.physics.align import illuminated

AS_SHOWN = "as shown"
ROLES = {canvas.PHASE: "phase", canvas.AMPLITUDE: "amplitude"}
_areas: "WeakKeyDictionary[Reconstruction, Bools]" = WeakKeyDictionary()


def plane_of_layer(layer: Layer) -> Plane:
    """Return what a two-dimensional image layer shows, with what is known of it.

    Raises:
        OptionsError: It is no image that can be inspected (NaN, constant, too small).
    """
    held, role = whole_of(layer), layer.metadata.get(canvas.ROLE)
    if held is None:
        return Plane(
            np.asarray(layer.data),
            name=layer.name,
            pixel_m=metres(layer.units[-2:], layer.scale[-2:]),
            processed=_made(layer),
        )
    if role in ROLES:
        return replace(plane_of(held, ROLES[role]), name=layer.name)
    return Plane(
        np.asarray(layer.data),
        name=layer.name,
        pixel_m=held.pixel_size_m,
        area=area_of(held),
        processed=processing(held.provenance) or _made(layer),
        of=held,
        channel=_channel(layer),
    )


class Planes:
    """The images behind layers; of a reconstruction kept, for its phase takes long to unwrap."""

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[Reconstruction, dict[str, Plane]] = WeakKeyDictionary()

    def of(self, layer: Layer, channel: str = AS_SHOWN) -> Plane:
        """Return what is inspected of a layer.

        Args:
            layer: The layer.
            channel: Of a reconstruction: `AS_SHOWN`, or a channel as in `plane_of`.

        Raises:
            OptionsError: It is no image that can be inspected.
        """
        held, role = whole_of(layer), ROLES.get(layer.metadata.get(canvas.ROLE, ""), "")
        wanted = role if channel == AS_SHOWN else channel
        if held is None or not wanted:
            return plane_of_layer(layer)
        kept = self._kept.setdefault(held, {})
        if wanted not in kept:
            plane = plane_of_layer(layer) if wanted == role else plane_of(held, wanted)
            kept[wanted] = replace(plane, of=None)  # else the reconstruction would keep itself
        return replace(kept[wanted], name=layer.name, of=held)


def whole_of(layer: Layer) -> Reconstruction | None:
    """Return the reconstruction whose object a layer shows pixel by pixel; else None."""
    held = canvas.shown_by(layer)
    return held if held is not None and held.object.shape == layer.data.shape else None


def area_of(reconstruction: Reconstruction) -> Bools:
    """Return where a reconstruction is known, (H, W); asked once for each."""
    if reconstruction not in _areas:
        _areas[reconstruction] = illuminated(reconstruction)
    return _areas[reconstruction]


def metres(units: Sequence[Any], lengths: Sequence[float]) -> Pair | None:
    """Return two lengths (height, width) in metres; None where their units are no lengths."""
    if not all(unit.is_compatible_with("m") for unit in units):
        return None
    height, width = (
        float((float(length) * unit).to("m").magnitude)
        for length, unit in zip(lengths, units, strict=True)
    )
    return height, width


def _made(layer: Layer) -> str:
    made = canvas.made_of(layer)
    return f"denoised ({made.method})" if made else ""


def _channel(layer: Layer) -> str:
    made = canvas.made_of(layer)
    return made.channel if made else "image"
