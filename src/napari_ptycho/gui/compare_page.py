"""Page of the Inspect dock: layers under a curtain, blinking, or beside each other."""

from typing import Any

from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QCheckBox, QDockWidget, QHBoxLayout, QPushButton, QWidget

from napari_ptycho.gui.compare import BLINK, CURTAIN, GRID, CompareOptions
from napari_ptycho.gui.compare_bar import tip_of
from napari_ptycho.gui.form import OptionsForm
from napari_ptycho.gui.inspect_page import Chosen, Page
from napari_ptycho.gui.pause import Pause
from napari_ptycho.gui.settings import liked
from napari_ptycho.gui.tools import tools_of
from napari_ptycho.gui.widgets import Note

BUTTON_PX = 44


class ComparePage(Page):
    """Compares layers by eye. What it shows stays while other pages are looked at."""

    def __init__(self, viewer: Viewer, chosen: Chosen) -> None:
        super().__init__(viewer, chosen)
        tools = tools_of(viewer)
        self.compare, self.looks = tools.compare, tools.looks
        self._holder: QDockWidget | None = None
        self._hidden = Pause(self, 0, self._on_hidden)
        self.buttons = {name: self._button(name) for name in (CURTAIN, BLINK, GRID)}
        row = QHBoxLayout()
        for button in self.buttons.values():
            row.addWidget(button, 1)
        self.hold_button = QPushButton("Hold to see the next")
        self.hold_button.setToolTip("While the images blink: show the next one as long as held.")
        self.hold_button.pressed.connect(lambda: self.compare.tools[BLINK].hold(True))
        self.hold_button.released.connect(lambda: self.compare.tools[BLINK].hold(False))
        self.form = OptionsForm(CompareOptions)
        self.form.set_options(self.compare.options)
        self.form.changed.connect(self._on_options)
        self.link_box = QCheckBox("Link before and after")
        self.link_box.setToolTip(
            "A denoised layer shares contrast, gamma and colour map with its original, also while "
            "nothing is compared: what you do to one is done to the other."
        )
        self.bars_box = QCheckBox("Colour bars")
        self.bars_box.setToolTip("Each image has a bar that tells what its colours mean.")
        self.note = Note(viewer)
        self.rows.addLayout(row)
        for widget in (self.hold_button, self.note, self.form, self.link_box, self.bars_box):
            self.rows.addWidget(widget)
        self.rows.addStretch(1)
        self.link_box.clicked.connect(self.looks.link)
        self.bars_box.clicked.connect(self.looks.show_bars)
        self.compare.changed.connect(self.refresh)
        viewer.layers.events.renamed.connect(self._on_renamed)
        self.refresh()

    def _button(self, name: str) -> QPushButton:
        button = QPushButton(name)
        button.setCheckable(True)
        button.setMinimumHeight(BUTTON_PX)
        button.setToolTip(tip_of(name))
        button.clicked.connect(lambda _: self.toggle(name))
        return button

    def toggle(self, name: str) -> None:
        """Begin "Curtain", "Blink" or "Grid" with the layers that are chosen now; or end it."""
        self.compare.toggle(name, self.chosen.several())

    def _on_options(self) -> None:
        self.compare.set_options(self.form.options())

    def refresh(self) -> None:
        """Say what is, or would be, compared."""
        active, several = self.compare.active, self.chosen.several()
        for name, button in self.buttons.items():
            button.setChecked(name == active)
            button.setEnabled(name == active or len(several) > 1)
        self.hold_button.setVisible(active == BLINK)
        self.note.show_lines(*self._words(active, several))

    def _words(self, active: str, several: list[Layer]) -> tuple[list[str], list[str]]:
        if active:
            names = ", ".join(layer.name for layer in self.compare.shown)
            return [f"{active}: {names}"], []
        if len(several) < 2:
            reason = "There is nothing to compare with: choose a second layer above"
            return [], [f"{reason}, or select more in the list of layers."]
        lines = [f"Curtain  {several[0].name} | {several[1].name}"]
        return [*lines, f"Blink, Grid  {', '.join(layer.name for layer in several)}"], []

    def _on_renamed(self, event: Any = None) -> None:
        if self.isVisible():
            self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """While it shows, the keys and the other docks compare what is chosen here."""
        super().showEvent(event)
        self.compare.watch(self)
        self._follow_dock()
        self.compare.offer(self.chosen.several)
        self.link_box.setChecked(liked().link_before_after)
        self.bars_box.setChecked(liked().colour_bars)

    def _follow_dock(self) -> None:
        """Notice that another dock comes to the front: Qt hides no widget of a dock behind it."""
        holder: QWidget | None = self
        while holder is not None and not isinstance(holder, QDockWidget):
            holder = holder.parentWidget()
        if holder is not None and holder is not self._holder:
            self._holder = holder
            holder.visibilityChanged.connect(self._on_front)

    def _on_front(self, on: bool) -> None:
        self.compare.offer(self.chosen.several if on and self.isVisible() else None)

    def hideEvent(self, event: QHideEvent) -> None:
        """Notice that the dock was closed: with the last one a comparison ends."""
        super().hideEvent(event)
        self.compare.offer(None)
        self._hidden.start()

    def _on_hidden(self) -> None:
        self.compare.unwatch(self)
