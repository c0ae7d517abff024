"""What the tools that draw on an image have in common: a layer of their own, while they are out.

The layer of a tool lies over the layer it was begun on and has its pixels. A grid would show it in
a cell of its own, so the grid is off while a tool is out, and what hides the image is hidden. The
name and the colour bar of the image show, those of what lies below it do not.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from napari.layers import Image, Layer
from napari.viewer import Viewer
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_ptycho.errors import OptionsError
from napari_ptycho.gui import canvas
from napari_ptycho.gui.pause import Pause
from napari_ptycho.gui.restore import OVERLAYS, Restorer

PAUSE_MS = 50
Corners = NDArray[np.float64]


class DrawTool(QObject):
    """One shape over an image that the user moves."""

    changed = Signal()
    """The shape moved, at most every 50 ms; or the user has deleted it (`active` is False then)."""

    title: ClassVar[str] = ""

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.layer: Any = None
        """The shapes or points layer, None while the tool is not out."""
        self.selected: tuple[Layer, ...] = ()
        """The layers that were selected when it was begun: now the shape is."""
        self._target: Layer | None = None
        self._restorer = Restorer(viewer)
        self._ending = False
        self._pause = Pause(self, PAUSE_MS, self.changed)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.scene.camera.events.zoom.connect(self._on_zoom)

    @property
    def active(self) -> bool:
        """Whether there is a shape to move."""
        return self.layer is not None and len(self.layer.data) > 0

    def begin(self, layer: Layer) -> None:
        """Lay a first shape over a layer and let the user move it; again: only let them move it."""
        if self.layer is not None and self._target is layer:
            self._select()
            return
        self.end()
        viewer = self._viewer
        self.selected = tuple(one for one in viewer.layers if one in viewer.layers.selection)
        self._target = layer
        self._uncover(layer)
        how = {**canvas.place_of(layer), "metadata": canvas.passing(layer), "name": self.title}
        self.layer = viewer.add_layer(self._make(how))
        self.layer.events.data.connect(self._pause.soon)
        self.layer.mouse_drag_callbacks.append(self._on_drag)
        self._on_zoom()
        self._select()
        self._pause.soon()

    def end(self) -> None:
        """Take the shape away, and show again what was shown before."""
        if self.layer is None or self._ending:
            return
        self._ending = True
        layer, self.layer = self.layer, None
        self._pause.stop()
        if layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
        self._restorer.restore()
        self._target, self._ending = None, False

    def _uncover(self, layer: Layer) -> None:
        self._restorer.keep(("visible", *OVERLAYS))
        if self._viewer.canvas.grid.enabled:
            self._viewer.canvas.grid.enabled = False
        layer.visible = True
        above = list(self._viewer.layers)[self._viewer.layers.index(layer) + 1 :]
        for other in above:
            if isinstance(other, Image):
                other.visible = False
        for other in self._viewer.layers:  # without the grid, those of all images share a corner
            if other is not layer and isinstance(other, Image):
                for name in OVERLAYS:
                    getattr(other, name).visible = False

    def _in(self, layer: Layer) -> Corners:
        """Return the corners of the shape in the data pixels of a layer, (n, 2).

        Raises:
            OptionsError: There is none.
        """
        if not self.active:
            raise OptionsError(f"There is no {self.title}; draw one first.")
        data = self._corners()
        if layer is self._target:
            return data
        return np.array([layer.world_to_data(self.layer.data_to_world(one))[-2:] for one in data])

    def _on_drag(self, layer: Layer, event: Any) -> Iterator[None]:
        yield
        while event.type == "mouse_move":
            self._pause.soon()
            yield
        self._pause.soon()

    def _on_removed(self, event: Any) -> None:
        if self.layer is not None and event.value is self.layer:
            self.end()
            self.changed.emit()

    def _on_zoom(self, event: Any = None) -> None:
        """Keep lines and points as thick on the screen as they are."""
        if self.layer is not None:
            self._thicken(1 / (self._viewer.scene.camera.zoom * float(self.layer.scale[-1])))

    def _side(self) -> NDArray[np.float64]:
        """Return height and width of the image."""
        assert self._target is not None  # called by begin
        return side_of(self._target)

    def _make(self, how: dict[str, Any]) -> Layer:
        raise NotImplementedError

    def _select(self) -> None:
        raise NotImplementedError

    def _corners(self) -> Corners:
        raise NotImplementedError

    def _thicken(self, pixel: float) -> None:
        """Take the thickness; `pixel` is a pixel of the screen in pixels of the data."""
        raise NotImplementedError


def side_of(layer: Layer) -> NDArray[np.float64]:
    """Return height and width of an image, in its pixels."""
    return np.asarray(layer.data.shape[-2:], float)
