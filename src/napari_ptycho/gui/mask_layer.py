"""The mask of a scan as a labels layer over the mean pattern, to look at and to paint."""

from typing import Any

import numpy as np
from napari.layers import Labels
from napari.utils import DirectLabelColormap
from napari.viewer import Viewer
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_ptycho.gui import canvas
from napari_ptycho.gui.preparing import Painted
from napari_ptycho.prepare.detector_facts import DEAD, GOOD, HOT, MASKED, SATURATED

COLOURS = {
    None: "transparent",
    GOOD: "transparent",
    MASKED: "#4fc3f7",
    HOT: "#ff5252",
    DEAD: "#b388ff",
    SATURATED: "#ffd740",
}
BRUSH = 3


class MaskLayer(QObject):
    """One labels layer that follows what is found and keeps what is painted."""

    gone = Signal()
    """The layer was removed, by the user or with its scan."""

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._flags: NDArray[np.uint8] | None = None
        self.layer: Labels | None = None
        viewer.layers.events.removed.connect(self._on_removed)

    def show(self, flags: NDArray[np.uint8]) -> None:
        """Show flags (H, W) over the mean pattern, beneath what was painted so far."""
        if self.layer is None:
            self._add(flags)
        elif self._flags is not None and flags.shape == self._flags.shape:
            self.layer.data = np.where(self.layer.data != self._flags, self.layer.data, flags)
        self._flags = flags

    def _add(self, flags: NDArray[np.uint8]) -> None:
        means = canvas.find(self._viewer.layers, (canvas.MEAN,))
        if not means:
            return
        meta = {**means[0].metadata, canvas.ROLE: canvas.MASK, canvas.PASSING: True}
        with canvas.beside(self._viewer) as shown:
            shown.append(means[0])
            layer = Labels(
                flags.copy(),
                name=canvas.MASK,
                opacity=0.7,
                colormap=DirectLabelColormap(color_dict=dict(COLOURS)),
                axis_labels=("y", "x"),
                metadata=meta,
                **canvas.placing(self._viewer, meta, 2),
            )
            self.layer = self._viewer.add_layer(layer)
            shown.append(self.layer)
        self._viewer.canvas.grid.enabled = False  # over each other, not beside
        self._viewer.reset_view()
        layer.selected_label, layer.brush_size = MASKED, BRUSH
        layer.mode = "paint"
        self._viewer.layers.selection.active = layer

    def painted(self) -> Painted | None:
        """Return what differs from the flags; None where nothing does."""
        if self.layer is None or self._flags is None:
            return None
        data = np.asarray(self.layer.data)
        changed = data != self._flags
        found = Painted(bad=changed & (data != GOOD), good=changed & (data == GOOD))
        return found if changed.any() else None

    def remove(self) -> None:
        """Take the layer away and show the scan beside its positions again."""
        if self.layer is None:
            return
        with canvas.showing(self._viewer, canvas.SCAN):
            self._viewer.layers.remove(self.layer)

    def _on_removed(self, event: Any) -> None:
        if event.value is self.layer and self.layer is not None:
            self.layer, self._flags = None, None
            self.gone.emit()
