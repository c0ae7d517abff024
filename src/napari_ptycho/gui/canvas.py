"""How our layers share a viewer: what they show, their units, their places, the scale bar.

Units. napari drops all units as soon as two layers of a viewer disagree, so ours always agree:
nanometres where every layer has a known scale, else pixels for all of them, and a sentence that
says whose scale is missing. `place` is called whenever layers come, go or change.

Detector layers (patterns, mean pattern) have no place in the object. They are stretched over the
field of view of the scan, in the unit of the others, so that one camera shows both. A length on
them would mean nothing: the scale bar shows only while none of them is visible. (The status bar
gives their own pixels.)
"""

from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Layer
from napari.utils.notifications import show_info
from napari.viewer import Viewer
from numpy.typing import NDArray

from napari_ptycho.model import Reconstruction, Scan

KEY = "napari_ptycho"
ROLE, STRETCH, OFFSET = "napari_ptycho_role", "napari_ptycho_stretch", "napari_ptycho_offset"
PATTERNS, MEAN, POSITIONS = "patterns", "mean pattern", "positions"
PHASE, AMPLITUDE, PROBE = "phase", "amplitude", "probe"
DETECTOR = (PATTERNS, MEAN)
SCAN = (*DETECTOR, POSITIONS)
RECONSTRUCTION = (PHASE, AMPLITUDE, PROBE)
Pair = Sequence[float] | NDArray[np.float64]


def metadata(
    role: str, thing: Scan | Reconstruction | None, stretch: Pair = (1, 1), offset: Pair = (0, 0)
) -> dict[str, Any]:
    """Return the metadata of one of our layers.

    Args:
        role: What it shows: one of `SCAN` or `RECONSTRUCTION`.
        thing: The scan or reconstruction it shows; any dock can start from it.
        stretch: Object pixels per pixel of the layer, (y, x).
        offset: Where its first pixel lies in the object, (y, x) in object pixels.
    """
    return {KEY: thing, ROLE: role, STRETCH: tuple(stretch), OFFSET: tuple(offset)}


def held_by(layer: Layer) -> Scan | Reconstruction | None:
    """Return what a layer shows, or None if it is not one of ours."""
    held: Scan | Reconstruction | None = layer.metadata.get(KEY)
    return held


def find(layers: Iterable[Layer], roles: Sequence[str]) -> list[Layer]:
    """Return our layers with these roles."""
    return [layer for layer in layers if layer.metadata.get(ROLE) in roles]


def place(viewer: Viewer) -> None:
    """Give all our layers the same unit, and the scale and position that go with it."""
    ours = [layer for layer in viewer.layers if ROLE in layer.metadata]
    foreign = [layer for layer in viewer.layers if ROLE not in layer.metadata]
    reason = _why_pixels(ours, foreign)
    for layer in ours:
        pixel = (1.0, 1.0) if reason else _pixel_nm(held_by(layer))
        _put(layer, "pixel" if reason else "nm", np.asarray(pixel))
    known = [layer for layer in ours if _pixel_nm(held_by(layer))]
    if reason and known and reason != _told.get(viewer):
        show_info(f"All layers are drawn in pixels: {reason}.")
    _told[viewer] = reason
    refresh_scale_bar(viewer)


_told: "WeakKeyDictionary[Viewer, str]" = WeakKeyDictionary()


def _why_pixels(ours: list[Layer], foreign: list[Layer]) -> str:
    for layer in ours:
        thing = held_by(layer)
        if thing is not None and _pixel_nm(thing) is None:
            return f"the pixel size of {thing.name} is unknown"
    for layer in foreign:
        if any(not unit.is_compatible_with("nm") for unit in layer.units[-2:]):
            return f"layer '{layer.name}' has no length unit"
    return "" if any(held_by(layer) is not None for layer in ours) else "nothing is scaled yet"


def _pixel_nm(thing: Scan | Reconstruction | None) -> tuple[float, float] | None:
    if thing is None or thing.pixel_size_m is None:
        return None
    return thing.pixel_size_m[0] * 1e9, thing.pixel_size_m[1] * 1e9


def _put(layer: Layer, unit: str, pixel: NDArray[np.float64]) -> None:
    leading = layer.ndim - 2
    units = ("pixel",) * leading + (unit, unit)
    scale = (1.0,) * leading + tuple(layer.metadata[STRETCH] * pixel)
    shift = (0.0,) * leading + tuple(layer.metadata[OFFSET] * pixel)
    if tuple(str(u) for u in layer.units) != tuple(str(u) for u in _full(units)):
        layer.units = units
    if not np.allclose(layer.scale, scale):
        layer.scale = scale
    if not np.allclose(layer.translate, shift):
        layer.translate = shift


def _full(units: tuple[str, ...]) -> tuple[str, ...]:
    return tuple({"nm": "nanometer"}.get(unit, unit) for unit in units)


def show_only(viewer: Viewer, roles: Sequence[str]) -> None:
    """Show our layers with these roles and hide our others; lay them out beside each other.

    The grid is left as it is where the user has layers of his own.
    """
    for layer in find(viewer.layers, (*SCAN, *RECONSTRUCTION)):
        layer.visible = layer.metadata[ROLE] in roles
    if all(ROLE in layer.metadata for layer in viewer.layers):
        viewer.canvas.grid.enabled = True
        viewer.canvas.overlays.scale_bar.gridded = True
    place(viewer)
    viewer.reset_view()


def refresh_scale_bar(viewer: Viewer) -> None:
    """Show the scale bar while something of the object is visible and nothing of the detector."""
    visible = [layer for layer in viewer.layers if layer.visible]
    in_object = find(visible, (POSITIONS, *RECONSTRUCTION))
    viewer.canvas.overlays.scale_bar.visible = bool(in_object and not find(visible, DETECTOR))
