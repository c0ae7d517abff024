"""Layers beside each other: one camera, one contrast, their names and a scale bar in each cell."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_ptycho.gui import canvas, contrast
from napari_ptycho.gui.layers import colour_bar
from napari_ptycho.gui.names import name_on_top
from napari_ptycho.gui.restore import OVERLAYS, Restorer


class LinkedGrid(QObject):
    """napari's grid with only the layers that are compared."""

    ended = Signal()
    """It is over, by `end`, by napari's own button, or because too few layers are left."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.layers: list[Layer] = []
        """Those that are compared; none while there is no grid of ours."""
        self._links = ExitStack()
        self._restorer = Restorer(viewer)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.canvas.grid.events.enabled.connect(self._on_grid)

    @property
    def active(self) -> bool:
        """Whether the grid is on by this."""
        return bool(self.layers)

    def begin(self, layers: Sequence[Layer], link: bool = True) -> None:
        """Show these layers beside each other; all others are hidden.

        Args:
            layers: Two or more.
            link: Whether they get one contrast and the colours of the first.
        """
        self.end()
        viewer = self._viewer
        self._restorer.keep(("visible", *OVERLAYS, *contrast.KEPT))
        viewer.canvas.grid.enabled = False
        if link:
            self._links = contrast.link(layers)
        for layer in viewer.layers:
            layer.visible = layer in layers
        for layer in layers:
            name_on_top(layer)
            if canvas.ROLE not in layer.metadata and isinstance(layer, Image) and not layer.rgb:
                colour_bar(layer)
        self._show_scale(layers)
        viewer.canvas.grid.enabled = True
        self._restorer.fit()
        self.layers = list(layers)

    def _show_scale(self, layers: Sequence[Layer]) -> None:
        """Show a scale bar in each cell, where there is a length."""
        canvas.refresh_scale_bar(self._viewer)
        bar = self._viewer.canvas.overlays.scale_bar
        ours = any(canvas.ROLE in layer.metadata for layer in layers)
        if not ours and all(layer.units[-1].is_compatible_with("m") for layer in layers):
            bar.gridded = False  # shown in a grid at once, napari places what it has not made
            bar.visible = True
        bar.gridded = True

    def end(self) -> None:
        """Show what was shown before."""
        if not self.layers:
            return
        self.layers = []
        self._links.close()
        self._restorer.restore()
        self.ended.emit()

    def _on_grid(self, event: Any = None) -> None:
        if self.active and not self._viewer.canvas.grid.enabled:
            self.end()

    def _on_removed(self, event: Any) -> None:
        if event.value in self.layers:
            self.layers.remove(event.value)
            if len(self.layers) < 2:
                self.layers = self.layers or [event.value]
                self.end()
