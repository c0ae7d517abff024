"""Page of the Inspect dock: resolution from place to place."""

from functools import partial
from typing import Any

from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtWidgets import QHBoxLayout, QPushButton

from napari_ptycho.assess.plane import Pair
from napari_ptycho.assess.rolling import (
    COLORMAP,
    MapOptions,
    ResolutionMap,
    resolution_map,
)
from napari_ptycho.gui import canvas, kept
from napari_ptycho.gui.form import OptionsForm
from napari_ptycho.gui.inspect_page import Chosen, Page
from napari_ptycho.gui.latest import Latest
from napari_ptycho.gui.map_layer import MapLayer, MapLook, savable_map
from napari_ptycho.gui.planes import Planes
from napari_ptycho.gui.save_button import MAP_TIP, SaveButton
from napari_ptycho.gui.saving import Savable
from napari_ptycho.gui.widgets import Note

HINT = (
    "Compared are two halves of the data, the layer and its reference. With one layer "
    "alone its quarters are: not of an image that was denoised."
)
LEAST_BLOCK = 16
START, STOP = "Map the resolution", "Stop"
MAIN = ("block", "step", "threshold", "period")
Answer = tuple[ResolutionMap, Layer, Pair | None]


class MapPage(Page):
    """Maps the resolution of a pair of halves, or of one layer, when asked to."""

    def __init__(self, viewer: Viewer, chosen: Chosen) -> None:
        super().__init__(viewer, chosen)
        self.found: ResolutionMap | None = None
        self.form = OptionsForm(MapOptions, main=MAIN)
        kept.form(self.form, "Inspect.Map")
        self.map_button = QPushButton(START)
        self.map_button.setToolTip(
            "Lay a map of the finest period (nm, or pixels) over the layer: a Fourier ring "
            "correlation in a window that moves (Zhao et al. 2023). Blank: nothing agrees there."
        )
        self.map_button.clicked.connect(self._on_map)
        self.save_button = SaveButton(self._savable)
        self.save_button.setEnabled(False)
        self.save_button.setToolTip(MAP_TIP)
        buttons = QHBoxLayout()
        buttons.addWidget(self.map_button, 1)
        buttons.addWidget(self.save_button)
        self.note = Note(viewer)
        self.rows.addWidget(self.form)
        self.rows.addLayout(buttons)
        self.rows.addWidget(self.note)
        self.rows.addStretch(1)
        self.map = MapLayer(viewer, self)
        self.latest = Latest(self, "resolution map")
        self.latest.answered.connect(self._on_answer)
        self.latest.failed.connect(self._on_failed)
        self.note.show_lines([HINT])

    def refresh(self) -> None:
        """Offer the button where there is a layer; a map is made only when asked for."""
        if self.chosen.layer is not None:
            self.form.suggest(**suited(self.chosen.layer, self.chosen.other is not None))
        self.map_button.setEnabled(self.chosen.layer is not None or self.latest.busy)

    def _on_map(self) -> None:
        first = self.chosen.layer
        if self.latest.busy:
            self.latest.leave()
            self._ready()
            self.note.show_lines(["stopped"])
            return
        if first is None:
            return
        options = self.form.options()
        self.map_button.setText(STOP)
        self.note.show_lines(["mapping…"])
        self.latest.ask(partial(_mapped, self.chosen.planes, first, self.chosen.other, options))

    def _ready(self) -> None:
        self.map_button.setText(START)
        self.map_button.setEnabled(self.chosen.layer is not None)
        self.save_button.setEnabled(self.found is not None)

    def _on_answer(self, answer: Answer) -> None:
        self.found, like, pixel = answer
        self.note.show_lines([*self.found.lines(), *self.found.notes], self.found.warnings)
        self._ready()
        look = MapLook(
            data=self.found.data,
            name=f"{self.found.name} ({self.found.unit})",
            role=canvas.RESOLUTION,
            limits=self.found.limits,
            colormap=COLORMAP,
            pixel_m=self.found.pixel_m,
            like_m=pixel,
        )
        self.map.show(look, like)

    def _on_failed(self, sentence: str) -> None:
        self.found = None
        self.map.remove()
        self.note.show_lines([], [sentence])
        self._ready()

    def _savable(self) -> Savable | None:
        found = self.found
        if found is None:
            return None
        title = f"{found.name} ({found.options.period} period, {found.options.threshold})"
        return savable_map("resolution map", found, title, COLORMAP)


def suited(layer: Layer, paired: bool) -> dict[str, int]:
    """Return the side of a window, at most a quarter of what there is, and its step, in pixels.

    Args:
        layer: What is mapped.
        paired: Whether it has a reference; alone it is cut into quarters first.
    """
    side = min(layer.data.shape[-2:]) // (1 if paired else 2)
    block = max(LEAST_BLOCK, min(MapOptions().block, side // 4 // 8 * 8))
    return {"block": block, "step": block // 8}


def _mapped(planes: Planes, first: Layer, second: Layer | None, options: Any) -> Answer:
    one = planes.of(first)
    two = None if second is None else planes.of(second)
    return resolution_map(one, two, options), first, one.pixel_m
