"""What the pages of the Inspect dock have in common: the layers they look at."""

from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ptycho.gui import canvas
from napari_ptycho.gui.layer_choice import LayerChoice
from napari_ptycho.gui.pause import Pause
from napari_ptycho.gui.planes import Planes
from napari_ptycho.gui.session import Session, session_of

NONE = "none"
PAUSE_MS = 50


class Chosen(QObject):
    """The layers that all pages look at: one, and its reference."""

    changed = Signal()
    """Another layer was chosen, or the pixels of a chosen one changed; at most every 50 ms."""

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.session: Session = session_of(viewer)
        self.planes = Planes()
        results = (canvas.PHASE, canvas.DENOISED)
        self.first = LayerChoice(viewer, "What is inspected.", follows=results)
        self.second = LayerChoice(
            viewer,
            "What the layer is measured against: the original, a truth, the other half.",
            (NONE,),
        )
        self._watched: list[Layer] = []
        self._pause = Pause(self, PAUSE_MS, self.changed)
        for choice in (self.first, self.second):
            choice.changed.connect(self._on_choice)
        viewer.layers.selection.events.changed.connect(self._pause.soon)
        self._on_choice()

    @property
    def layer(self) -> Layer | None:
        """What is inspected."""
        return self.first.layer

    @property
    def other(self) -> Layer | None:
        """The reference; None where nothing is, or where it is the same layer."""
        other = self.second.layer
        return None if other is self.first.layer else other

    def several(self) -> list[Layer]:
        """Return both chosen layers and those that are selected in the list of layers."""
        chosen = [layer for layer in (self.layer, self.other) if layer is not None]
        more = [layer for layer in self.viewer.layers if layer in self.viewer.layers.selection]
        return chosen + [layer for layer in more if canvas.is_plane(layer) and layer not in chosen]

    def _on_choice(self) -> None:
        for layer in self._watched:
            layer.events.data.disconnect(self._pause.soon)
        self._watched = [one for one in (self.layer, self.other) if one is not None]
        for layer in self._watched:
            layer.events.data.connect(self._pause.soon)
        self._pause.soon()


class Page(QWidget):
    """One page of the Inspect dock. `refresh` is called when it shows and what it shows changed."""

    def __init__(self, viewer: Viewer, chosen: Chosen) -> None:
        super().__init__()
        self.viewer, self.chosen = viewer, chosen
        self.rows = QVBoxLayout(self)
        self.rows.setContentsMargins(0, 6, 0, 0)
        self.rows.setSpacing(6)

    def refresh(self) -> None:
        """Follow the chosen layers."""

    def leave(self) -> None:
        """Take away what is on the canvas only while this page shows."""
