"""Remembers how the canvas stood, and puts it back: for what is shown only for a while."""

from collections.abc import Sequence
from typing import Any

from napari.layers import Layer
from napari.viewer import Viewer

from napari_ptycho.gui import canvas

OVERLAYS = ("name_overlay", "colorbar")
"""Of a layer."""


class Restorer:
    """Keeps properties of all layers, what is selected, the grid and where the camera looks."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._kept: list[tuple[Layer, dict[str, Any]]] = []
        self._selected: list[Layer] = []
        self._grid = False
        self._bar = (False, False)
        self._camera: tuple[float, Any] = (1.0, (0.0, 0.0, 0.0))
        self.keeping = self._moved = False

    def keep(self, names: Sequence[str]) -> None:
        """Remember these properties of every layer that has them.

        Args:
            names: As "visible", "contrast_limits"; an overlay of `OVERLAYS` stands for whether it
                shows.
        """
        self._kept = [(layer, _read(layer, names)) for layer in self._viewer.layers]
        selection = self._viewer.layers.selection
        self._selected = [layer for layer in self._viewer.layers if layer in selection]
        self._grid = self._viewer.canvas.grid.enabled
        bar = self._viewer.canvas.overlays.scale_bar
        self._bar = bar.visible, bar.gridded
        camera = self._viewer.scene.camera
        self._camera = camera.zoom, camera.center
        self.keeping = True

    def fit(self) -> None:
        """Fit the camera to what is visible, if there is, or was, a grid; until it is restored."""
        self._moved = self._grid or self._viewer.canvas.grid.enabled
        if self._moved:
            canvas.fit(self._viewer)

    def restore(self) -> None:
        """Put back what was kept; layers that are gone, or came later, are left alone.

        The grid is off meanwhile: with it on, napari lays out the canvas for every single change.
        """
        if not self.keeping:
            return
        viewer, kept, self._kept, self.keeping = self._viewer, self._kept, [], False
        if viewer.canvas.grid.enabled:
            viewer.canvas.grid.enabled = False
        for layer, values in kept:
            if layer in viewer.layers:
                _write(layer, values)
        select(viewer, self._selected)
        self._selected = []
        bar = viewer.canvas.overlays.scale_bar
        bar.visible, bar.gridded = self._bar
        if self._grid:
            viewer.canvas.grid.enabled = True
        if self._moved and viewer.layers:
            viewer.scene.camera.zoom, viewer.scene.camera.center = self._camera


def select(viewer: Viewer, layers: Sequence[Layer]) -> None:
    """Select those of these layers that are in the viewer; none of them changes nothing."""
    there = [layer for layer in layers if layer in viewer.layers]
    if len(there) == 1:
        viewer.layers.selection.active = there[0]
    elif there:
        viewer.layers.selection.clear()
        viewer.layers.selection.update(there)


def tell(viewer: Viewer, text: str) -> None:
    """Show a text at the top of the canvas; "" takes it away."""
    overlay = viewer.canvas.overlays.text
    overlay.text, overlay.position, overlay.visible = text, "top_center", bool(text)


def _read(layer: Layer, names: Sequence[str]) -> dict[str, Any]:
    values = {name: getattr(layer, name) for name in names if hasattr(layer, name)}
    for name in OVERLAYS:
        if name in values:
            values[name] = values[name].visible
    return values


def _write(layer: Layer, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name in OVERLAYS:
            getattr(layer, name).visible = value
        elif _differs(getattr(layer, name), value):
            setattr(layer, name, value)


def _differs(now: Any, then: Any) -> bool:
    if isinstance(then, list | tuple):
        return tuple(now) != tuple(then)
    return bool(now != then)
