"""Names of layers: as large on the canvas as their cells allow; without what they have in common.

napari does not shorten a name that is wider than its cell of the grid: it runs out of it.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any
from weakref import WeakSet

import numpy as np
from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject

from napari_ptycho.gui.pause import Pause

LARGEST_PT, LEAST_PT = 8.0, 5.0
"""Sizes of names on the canvas; they are often long."""
PX_PER_PT, MARGIN_PX = 0.87, 16  # of a letter in napari's font; on both sides
PAUSE_MS = 40
BETWEEN = " · "
"""Stands between the parts of the name of one of our layers."""
_ours: "WeakSet[Layer]" = WeakSet()


def name_on_top(layer: Layer) -> None:
    """Show the name of a layer at the top of its cell of the grid; `Names` finds its size."""
    if layer not in _ours:
        _ours.add(layer)
        layer.name_overlay.font_size = LARGEST_PT
    layer.name_overlay.visible = True


def short(names: Sequence[str]) -> list[str]:
    """Return names without the parts with which all of them begin.

    A name that has no other parts keeps its last one: "STAR · phase" and "STAR · phase · DIP" are
    "phase" and "DIP". A single name stays as it is.
    """
    parts = [name.split(BETWEEN) for name in names]
    shared = 0
    if len(set(names)) > 1:
        same = takewhile(lambda at: len(set(at)) == 1, zip(*parts, strict=False))
        shared = len(list(same))
    return [BETWEEN.join(one[shared:] or one[-1:]) for one in parts]


class Names(QObject):
    """Fits the names that `name_on_top` shows into a viewer, whatever changes their room."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._pause = Pause(self, PAUSE_MS, self.fit)
        grid, layers = viewer.canvas.grid.events, viewer.layers.events
        for event in (grid.enabled, grid.shape, grid.stride, viewer.canvas.events.size):
            event.connect(self._pause.soon)
        for event in (layers.inserted, layers.removed, layers.renamed):
            event.connect(self._pause.soon)
        layers.inserted.connect(self._on_inserted)

    def fit(self) -> None:
        """Give each name the largest size at which it fits."""
        grid = self._viewer.canvas.grid
        columns = grid.actual_shape(self._viewer.layers)[1] if grid.enabled else 1
        room = self._viewer.canvas.size[1] / columns - MARGIN_PX
        for layer in self._viewer.layers:
            if layer in _ours:
                fits = room / (max(len(layer.name), 1) * PX_PER_PT)
                size = float(np.clip(fits, LEAST_PT, LARGEST_PT))
                if abs(layer.name_overlay.font_size - size) > 1e-6:  # each costs a picture
                    layer.name_overlay.font_size = size

    def _on_inserted(self, event: Any) -> None:
        event.value.events.visible.connect(self._pause.soon)  # what is hidden has no cell
