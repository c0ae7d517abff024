"""How our layers share a viewer: what they show, their units, their places, the scale bar.

Units. napari drops all units as soon as two layers of a viewer disagree, so ours always agree:
nanometres where every layer has a known scale, else pixels for all of them, and a sentence that
says whose scale is missing. `place` is called whenever layers come, go or change.

Detector layers (patterns, mean pattern) have no place in the object. They are stretched over the
square that the positions span, in the unit of the others, so that one camera shows both. A length
on them would mean nothing: the scale bar shows only while none of them is visible. (The status bar
gives their own pixels.)
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Layer
from napari.utils.notifications import show_info
from napari.viewer import Viewer
from numpy.typing import NDArray

from napari_ptycho.model import Reconstruction, Scan

KEY = "napari_ptycho"
ROLE, STRETCH, OFFSET = "napari_ptycho_role", "napari_ptycho_stretch", "napari_ptycho_offset"
PATTERNS, MEAN, MASK, POSITIONS = "patterns", "mean pattern", "mask", "positions"
PHASE, AMPLITUDE, PROBE, REFINED = "phase", "amplitude", "probe", "refined positions"
DETECTOR = (PATTERNS, MEAN, MASK)
SCAN = (*DETECTOR, POSITIONS)
SAMPLES, PATCHES = "network samples", "predicted patches"
DENOISED, SPREAD, CHECK = "denoised", "spread", "check"
COMPLEX = "complex"
TOOL = "tool"
PASSING = "napari_ptycho_passing"
"""Key of the metadata of layers that are there only for a while: nothing offers them."""
MADE = "napari_ptycho_denoised"
"""Key of the metadata of denoised layers: a `Made`."""
PLACE = ("scale", "translate", "rotate", "shear", "units", "axis_labels")
"""What a layer needs to lie where another one lies, beside its `affine`."""
LINKED = ("contrast_limits", "gamma", "colormap")
"""What linked layers share."""
DIFFERENCE, RESOLUTION = "difference", "resolution"
OBJECT = (PHASE, AMPLITUDE)
RECONSTRUCTION = (*OBJECT, PROBE, REFINED)
RESTORED = (DENOISED, SPREAD, CHECK)
MAPS = (DIFFERENCE, RESOLUTION)
NETWORK = (SAMPLES, PATCHES)
OURS = (*SCAN, *RECONSTRUCTION, COMPLEX, *NETWORK, *RESTORED, *MAPS)
Pair = Sequence[float] | NDArray[np.float64]
Thing = Scan | Reconstruction | None


class Made(NamedTuple):
    """How a denoised layer was made."""

    of: str
    """Name of the image or reconstruction."""
    channel: str
    method: str


def metadata(
    role: str, thing: Thing, stretch: Pair = (1, 1), offset: Pair = (0, 0)
) -> dict[str, Any]:
    """Return the metadata of one of our layers.

    Args:
        role: What it shows: one of `OURS`.
        thing: The scan or reconstruction it shows; any dock can start from it.
        stretch: Object pixels per pixel of the layer, (y, x).
        offset: Where its first pixel lies in the object, (y, x) in object pixels.
    """
    return {KEY: thing, ROLE: role, STRETCH: tuple(stretch), OFFSET: tuple(offset)}


def held_by(layer: Layer) -> Thing:
    """Return what a layer shows, or None if it is not one of ours."""
    held: Thing = layer.metadata.get(KEY)
    return held


def shown_by(layer: Layer | None) -> Reconstruction | None:
    """Return the reconstruction that a layer shows; None for other layers, and for none."""
    held = None if layer is None else held_by(layer)
    return held if isinstance(held, Reconstruction) else None


def made_of(layer: Layer) -> Made | None:
    """Return how a denoised layer was made; None for others."""
    made = layer.metadata.get(MADE)
    return Made(*made) if made else None


def find(layers: Iterable[Layer], roles: Sequence[str]) -> list[Layer]:
    """Return our layers with these roles."""
    return [layer for layer in layers if layer.metadata.get(ROLE) in roles]


def place_of(layer: Layer) -> dict[str, Any]:
    """Return what a new layer needs to lie where another one lies."""
    return {name: getattr(layer, name) for name in (*PLACE, "affine")}


def passing(over: Layer) -> dict[str, Any]:
    """Return the metadata of a layer that is there for a while; over ours it takes its units."""
    ours = {**over.metadata, ROLE: TOOL} if ROLE in over.metadata else {}
    return {**ours, PASSING: True}


def layer_of(layers: Iterable[Layer], of: Thing, role: str) -> Layer | None:
    """Return the layer with this role that shows this very thing; None if there is none."""
    found = (layer for layer in find(layers, (role,)) if held_by(layer) is of)
    return None if of is None else next(found, None)


def is_plane(layer: Layer) -> bool:
    """Whether a layer shows one image, and to stay: two-dimensional, in grey."""
    flat = isinstance(layer, Image) and layer.ndim == 2 and not layer.multiscale
    return flat and not layer.rgb and PASSING not in layer.metadata


def place(viewer: Viewer, coming: Thing = None) -> str:
    """Give all our layers the same unit, and the scale and position that go with it.

    Args:
        viewer: The viewer.
        coming: What a layer that is about to be added shows.

    Returns:
        The unit, "nm" or "pixel".
    """
    ours = [layer for layer in viewer.layers if ROLE in layer.metadata]
    foreign = [layer for layer in viewer.layers if ROLE not in layer.metadata]
    things = [thing for thing in (coming, *map(held_by, ours)) if thing is not None]
    reason = _why_pixels(things, foreign)
    unit = "nm" if things and not reason else "pixel"
    for layer in ours:
        for name, value in _placing(layer.metadata, layer.ndim, unit).items():
            if name == "units" or not np.allclose(getattr(layer, name), value):
                setattr(layer, name, value)
    known = any(_pixel_nm(thing) for thing in things)
    if reason and known and reason != _told.get(viewer):
        show_info(f"All layers are drawn in pixels: {reason}.")
    _told[viewer] = reason
    refresh_scale_bar(viewer)
    return unit


def placing(viewer: Viewer, meta: dict[str, Any], ndim: int) -> dict[str, Any]:
    """Return units, scale and translate for a layer with this metadata that is to be added.

    The layers that are there take the same unit first: napari draws at once, and complains.
    """
    return _placing(meta, ndim, place(viewer, meta[KEY]))


_told: "WeakKeyDictionary[Viewer, str]" = WeakKeyDictionary()


def _why_pixels(things: Sequence[Scan | Reconstruction], foreign: Sequence[Layer]) -> str:
    for thing in things:
        if _pixel_nm(thing) is None:
            return f"the pixel size of {thing.name} is unknown"
    for layer in foreign:
        if any(not unit.is_compatible_with("nm") for unit in layer.units[-2:]):
            return f"layer '{layer.name}' has no length unit"
    return ""


def _pixel_nm(thing: Thing) -> tuple[float, float] | None:
    if thing is None or thing.pixel_size_m is None:
        return None
    return thing.pixel_size_m[0] * 1e9, thing.pixel_size_m[1] * 1e9


def _placing(meta: dict[str, Any], ndim: int, unit: str) -> dict[str, Any]:
    pixel = np.asarray((unit == "nm" and _pixel_nm(meta[KEY])) or (1.0, 1.0))
    return {
        "units": ("pixel",) * (ndim - 2) + (unit, unit),
        "scale": (1.0,) * (ndim - 2) + tuple(meta[STRETCH] * pixel),
        "translate": (0.0,) * (ndim - 2) + tuple(meta[OFFSET] * pixel),
    }


@contextmanager
def showing(viewer: Viewer, roles: Sequence[str], of: Thing = None) -> Iterator[None]:
    """After the block, show our layers with these roles and hide our others, beside each other.

    Of reconstructions, only the layers of the one called as `of` is; its complex layers too, if
    they show.

    The grid is off inside: with it on, napari lays the canvas out anew for every layer that comes,
    goes or is hidden, half a second each in software rendering. It is left off where the user has
    layers of their own.
    """
    hued = [one for one in find(viewer.layers, (COMPLEX,)) if one.visible and PHASE in roles]
    with beside(viewer) as shown:
        yield
        for layer in (*find(viewer.layers, roles), *hued):
            held = held_by(layer)
            if not isinstance(held, Reconstruction) or of is None or held.name == of.name:
                shown.append(layer)


@contextmanager
def beside(viewer: Viewer) -> Iterator[list[Layer]]:
    """After the block, show the layers in the list and hide our others; in a grid, as above.

    The grid stays off where the user has layers that are not in the list.
    """
    viewer.canvas.grid.enabled = False
    viewer.canvas.grid.stride = 1
    shown: list[Layer] = []
    with viewer.layers.batched_update():  # the canvas is laid out, and emptied of what went, once
        yield shown
        for layer in viewer.layers:
            if layer in shown or ROLE in layer.metadata:
                layer.visible = layer in shown
        place(viewer)
    if all(ROLE in layer.metadata or layer in shown for layer in viewer.layers):
        viewer.canvas.overlays.scale_bar.gridded = True
        viewer.canvas.grid.enabled = True
    fit(viewer)


def fit(viewer: Viewer) -> None:
    """Fit the camera to what is visible; napari 0.9 needs a layer with all dimensions among it."""
    ndim = viewer.dims.ndim
    layers = [layer for layer in viewer.layers if layer.visible]
    if all(layer.ndim < ndim for layer in layers):
        layers += find(viewer.layers, (PATTERNS,))
    if any(layer.ndim == ndim for layer in layers):
        viewer.reset_view(layers=layers)
    else:
        viewer.reset_view()


def refresh_scale_bar(viewer: Viewer) -> None:
    """Show the scale bar while something of the object is visible and nothing of the detector."""
    visible = [layer for layer in viewer.layers if layer.visible]
    in_object = find(visible, [role for role in (*OURS, TOOL) if role not in DETECTOR])
    bar = viewer.canvas.overlays.scale_bar
    wanted = bool(in_object and not find(visible, DETECTOR))
    if wanted and not bar.visible:
        # Shown in a grid at once, napari 0.9 places the bars of all cells before it has made them.
        gridded, bar.gridded = bar.gridded, False
        bar.visible = True
        bar.gridded = gridded
    elif bar.visible and not wanted:
        bar.visible = False
