"""Page of the Inspect dock: what one layer has more or less than another."""

from functools import partial
from typing import NamedTuple

from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtWidgets import QHBoxLayout, QPushButton

from napari_ptycho.assess.differences import (
    COLORMAP,
    Difference,
    DifferenceOptions,
    difference,
)
from napari_ptycho.assess.plane import Pair
from napari_ptycho.gui import canvas, kept
from napari_ptycho.gui.form import OptionsForm
from napari_ptycho.gui.inspect_page import Chosen, Page
from napari_ptycho.gui.latest import Latest
from napari_ptycho.gui.leave_row import LEFT, LeaveRow
from napari_ptycho.gui.map_layer import MapLayer, MapLook, savable_map
from napari_ptycho.gui.names import short
from napari_ptycho.gui.planes import Planes
from napari_ptycho.gui.save_button import MAP_TIP, SaveButton
from napari_ptycho.gui.saving import Savable
from napari_ptycho.gui.widgets import Note

HINT = "Choose a Reference above: the difference of the layer from it is shown."


class Answer(NamedTuple):
    """A difference, and what a layer of it needs."""

    found: Difference
    name: str
    like: Layer
    """Over which it lies."""
    pixel_m: Pair | None
    """Of that."""


class DifferencePage(Page):
    """Subtracts the second layer from the first, in numbers and as a layer; follows both."""

    def __init__(self, viewer: Viewer, chosen: Chosen) -> None:
        super().__init__(viewer, chosen)
        self.found: Difference | None = None
        self.form = OptionsForm(DifferenceOptions, hidden=("of",))
        kept.form(self.form, "Inspect.Difference")
        self.form.changed.connect(self.refresh)
        self.show_button = QPushButton("Show as layer")
        self.show_button.setCheckable(True)
        self.show_button.setToolTip(
            "Red: the layer has more; blue: it has less. Follows both layers while it is shown."
        )
        self.show_button.toggled.connect(self._on_toggled)
        self.save_button = SaveButton(self._savable)
        self.save_button.setToolTip(MAP_TIP)
        buttons = QHBoxLayout()
        buttons.addWidget(self.show_button, 1)
        buttons.addWidget(self.save_button)
        self.latest = Latest(self, "difference")
        self.busy, self.note = LeaveRow(self.latest), Note(viewer)
        self.rows.addWidget(self.form)
        self.rows.addLayout(buttons)
        self.rows.addWidget(self.busy)
        self.rows.addWidget(self.note)
        self.rows.addStretch(1)
        self.map = MapLayer(viewer, self)
        self.map.gone.connect(self._on_gone)
        self._answer: Answer | None = None
        self.busy.stop_button.clicked.connect(lambda: self._clear(LEFT))
        self.latest.answered.connect(self._on_answer)
        self.latest.failed.connect(self._on_failed)
        chosen.changed.connect(self._on_changed)
        self._clear(HINT)

    def refresh(self) -> None:
        """Compute the difference of the chosen layers anew."""
        first, second = self.chosen.layer, self.chosen.other
        if first is None or second is None:
            self.latest.forget()
            self._clear(HINT)
            return
        self.latest.ask(
            partial(_subtracted, self.chosen.planes, first, second, self.form.options())
        )

    def _on_changed(self) -> None:
        if self.show_button.isChecked() and not self.isVisible():  # else the dock refreshes
            self.refresh()

    def _on_answer(self, answer: Answer) -> None:
        self.found, self._answer = answer.found, answer
        self.note.show_lines([*self.found.lines(), *self.found.notes])
        self.save_button.setEnabled(True)
        self._show()

    def _on_failed(self, sentence: str) -> None:
        self._clear("", sentence)

    def _clear(self, line: str, warning: str = "") -> None:
        self.found = self._answer = None
        self.save_button.setEnabled(False)
        self.map.remove()
        self.note.show_lines([line] if line else [], [warning] if warning else [])

    def _on_toggled(self, on: bool) -> None:
        if on:
            self._show()
        else:
            self.map.remove()

    def _on_gone(self) -> None:
        self.show_button.setChecked(False)

    def _show(self) -> None:
        answer = self._answer
        if answer is None or not self.show_button.isChecked():
            return
        found, name = answer.found, answer.name
        look = MapLook(
            data=found.data,
            name=f"{name} ({found.unit})" if found.unit else name,
            role=canvas.DIFFERENCE,
            limits=found.limits,
            colormap=COLORMAP,
            pixel_m=found.pixel_m,
            like_m=answer.pixel_m,
        )
        self.map.show(look, answer.like)

    def _savable(self) -> Savable | None:
        found = self.found
        if found is None:
            return None
        return savable_map("difference", found, found.name, COLORMAP)


def _subtracted(planes: Planes, first: Layer, second: Layer, options: DifferenceOptions) -> Answer:
    image, reference = (planes.of(layer) for layer in (first, second))
    name = f"{canvas.DIFFERENCE}: {' - '.join(short((image.name, reference.name)))}"
    return Answer(difference(image, reference, options), name, second, reference.pixel_m)
