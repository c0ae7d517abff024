"""Blinking: several layers in turn at the same place; what moves or changes catches the eye."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_ptycho.gui import contrast
from napari_ptycho.gui.restore import Restorer, tell

PAUSE_MS = 400


class Blink(QObject):
    """Shows layers of a viewer one after the other."""

    ended = Signal()
    """It is over, by `end` or because too few layers are left."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.layers: list[Layer] = []
        """Those that blink; none while nothing does."""
        self._links = ExitStack()
        self._turn = 0
        self._restorer = Restorer(viewer)
        self._timer = QTimer(self, interval=PAUSE_MS)
        self._timer.timeout.connect(self.next)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def active(self) -> bool:
        """Whether something blinks."""
        return bool(self.layers)

    @property
    def shown(self) -> Layer | None:
        """The layer whose turn it is."""
        return self.layers[self._turn] if self.layers else None

    def set_pause(self, milliseconds: int) -> None:
        """Show each layer for so long."""
        self._timer.setInterval(milliseconds)

    def begin(self, layers: Sequence[Layer], link: bool = True) -> None:
        """Show these layers in turn, the first one first; other images are hidden.

        Args:
            layers: Two or more.
            link: Whether they get one contrast and the colours of the first.
        """
        self.end()
        viewer = self._viewer
        self._restorer.keep(("visible", *contrast.KEPT))
        viewer.canvas.grid.enabled = False
        self.layers, self._turn = list(layers), 0
        if link:
            self._links = contrast.link(layers)
        for layer in viewer.layers:
            if isinstance(layer, Image):
                layer.visible = layer is layers[0]
        self._restorer.fit()
        tell(viewer, layers[0].name)
        self._timer.start()

    def hold(self, held: bool) -> None:
        """Show the next layer and stay there; False goes on."""
        if not self.active:
            return
        if held:
            self._timer.stop()
            self.next()
        else:
            self.next()
            self._timer.start()

    def next(self) -> None:
        """Show the next layer instead of the one that shows."""
        was = self.shown
        if was is None:
            return
        self._turn = (self._turn + 1) % len(self.layers)
        now = self.layers[self._turn]
        now.visible = True
        if was is not now:
            was.visible = False
        tell(self._viewer, now.name)

    def end(self) -> None:
        """Stop, and show what was shown before."""
        if not self.layers:
            return
        self._timer.stop()
        self.layers = []
        self._links.close()
        tell(self._viewer, "")
        self._restorer.restore()
        self.ended.emit()

    def _on_removed(self, event: Any) -> None:
        if event.value not in self.layers:
            return
        self.layers.remove(event.value)
        self._turn = 0
        if len(self.layers) < 2:
            self.end()
        else:
            self.layers[0].visible = True
            for layer in self.layers[1:]:
                layer.visible = False
            tell(self._viewer, self.layers[0].name)
