"""Layers that show a map of other layers: over them, in their place, with a colour bar."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Layer
from napari.viewer import Viewer
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_ptycho.assess.export import MAP_FILTER, write_map
from napari_ptycho.assess.plane import Pair
from napari_ptycho.gui import canvas
from napari_ptycho.gui.canvas import PLACE
from napari_ptycho.gui.names import name_on_top
from napari_ptycho.gui.phase_colours import set_limits
from napari_ptycho.gui.saving import Savable, file_name

if TYPE_CHECKING:
    from napari_ptycho.assess.differences import Difference
    from napari_ptycho.assess.rolling import ResolutionMap

MOVED = 0.25  # share of the span by which limits must move before they are set again


@dataclass(frozen=True, eq=False)
class MapLook:
    """A map, and how it is shown."""

    data: NDArray[Any]
    """(H, W), NaN where it means nothing."""
    name: str
    role: str
    """One of `canvas.MAPS`."""
    limits: Pair
    colormap: str
    pixel_m: Pair | None
    """Of the map."""
    like_m: Pair | None
    """Pixel of the layer it lies over."""


class MapLayer(QObject):
    """One map over a layer. The user may delete it: `gone` tells."""

    gone = Signal()

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.layer: Image | None = None
        viewer.layers.events.removed.connect(self._on_removed)

    def show(self, look: MapLook, like: Layer) -> None:
        """Show a map over a layer, in place of the one before."""
        if like not in self._viewer.layers:
            return
        place, meta = _place(look, like), _metadata(look, like)
        if self.layer is None:
            self._add(look, place, meta, like)
            return
        layer = self.layer
        layer.metadata = meta
        moved = [name for name, value in place.items() if not _same(getattr(layer, name), value)]
        for name in moved:  # each of them draws the whole canvas
            setattr(layer, name, place[name])
        if not np.array_equal(layer.affine.affine_matrix, like.affine.affine_matrix):
            layer.affine = like.affine
        layer.data = look.data
        if layer.name != look.name:
            layer.name = look.name
        self._steady(look.limits)
        if moved:
            canvas.place(self._viewer)

    def remove(self) -> None:
        """Take the map away."""
        layer, self.layer = self.layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _add(self, look: MapLook, place: dict[str, Any], meta: dict[str, Any], like: Layer) -> None:
        selected = list(self._viewer.layers.selection)
        layer = Image(
            look.data,
            multiscale=False,
            rgb=False,
            name=look.name,
            metadata=meta,
            colormap=look.colormap,
            contrast_limits=look.limits,
            affine=like.affine,
            **place,
        )
        self.layer = self._viewer.add_layer(layer)
        self._viewer.layers.selection = selected
        name_on_top(layer)
        layer.events.visible.connect(self._on_visible)
        layer.colorbar.visible = True
        layer.colorbar.size, layer.colorbar.font_size = (12, 140), 8
        layer.colorbar.position = "bottom_left"
        canvas.place(self._viewer)

    def _steady(self, limits: Pair) -> None:
        """Set contrast limits only where they have moved a good deal."""
        assert self.layer is not None  # asked before
        before = np.array(self.layer.contrast_limits)
        if np.abs(before - limits).max() > MOVED * max(float(np.ptp(before)), 1e-30):
            set_limits(self.layer, limits)

    def _on_visible(self, event: Any = None) -> None:
        canvas.refresh_scale_bar(self._viewer)

    def _on_removed(self, event: Any) -> None:
        if self.layer is not None and event.value is self.layer:
            self.layer = None
            self.gone.emit()


def savable_map(
    what: str, found: "Difference | ResolutionMap", title: str, colormap: str
) -> Savable:
    """Return a map as something to write: a picture or its values.

    Args:
        what: It is, in the title of the dialog.
        found: The map.
        title: Above the picture.
        colormap: Of the picture.
    """
    write = partial(
        write_map,
        image=found.data,
        pixel_m=found.pixel_m,
        title=title,
        unit=found.unit,
        limits=found.limits,
        colormap=colormap,
        about=found.about(),
    )
    return Savable(f"Save the {what}", file_name(found.name, ".png"), MAP_FILTER, write)


def _same(one: Any, two: Any) -> bool:
    """Whether two properties of a layer are equal: numbers, units or labels."""
    if isinstance(one, tuple) and not all(isinstance(x, int | float) for x in one):
        return one == tuple(two)
    return bool(np.allclose(one, two))


def _fit(look: MapLook, like: Layer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return pixels of the layer per pixel of the map, and where its first one lies in them.

    A map of other pixels or another shape lies in the middle of the layer.
    """
    ratio = np.ones(2)
    if look.pixel_m is not None and look.like_m is not None:
        ratio = np.array(look.pixel_m) / np.array(look.like_m)
    sides, own = np.array(like.data.shape[-2:]), np.array(look.data.shape)
    if np.allclose(ratio, 1, rtol=1e-3):
        return np.ones(2), ((sides - own) // 2).astype(float)
    return ratio, ((sides - 1) - (own - 1) * ratio) / 2


def _place(look: MapLook, like: Layer) -> dict[str, Any]:
    ratio, offset = _fit(look, like)
    place: dict[str, Any] = {name: getattr(like, name) for name in PLACE}
    place["translate"] = np.array(like.translate) + offset * np.array(like.scale)
    place["scale"] = np.array(like.scale) * ratio
    return place


def _metadata(look: MapLook, like: Layer) -> dict[str, Any]:
    """Return the metadata; over one of our layers it takes the units that that one will take."""
    if canvas.ROLE not in like.metadata:
        return {canvas.PASSING: True}
    ratio, offset = _fit(look, like)
    stretch, before = np.array(like.metadata[canvas.STRETCH]), like.metadata[canvas.OFFSET]
    meta = canvas.metadata(
        look.role, canvas.held_by(like), stretch * ratio, np.array(before) + offset * stretch
    )
    return {**meta, canvas.PASSING: True}
