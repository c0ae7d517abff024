"""Page of the Inspect dock: layers under a curtain, blinking, or beside each other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtCore import QTimer
from qtpy.QtGui import QHideEvent
from qtpy.QtWidgets import QDockWidget, QHBoxLayout, QMainWindow, QPushButton

from napari_ptycho.gui.blink import PAUSE_MS, Blink
from napari_ptycho.gui.curtain import Curtain
from napari_ptycho.gui.form import OptionsForm
from napari_ptycho.gui.inspect_page import Chosen, Page
from napari_ptycho.gui.linked_grid import LinkedGrid
from napari_ptycho.gui.widgets import Note
from napari_ptycho.options import Options, Range

KEYS = {"Curtain": "Shift-C", "Blink": "Shift-B", "Grid": "Shift-G"}
TIPS = {
    "Curtain": "One image on this side of a line, the other beyond it. Drag the line.",
    "Blink": "The images in turn at the same place: what differs jumps.",
    "Grid": "The images beside each other, with one camera.",
}
BUTTON_PX = 44


@dataclass(frozen=True)
class CompareOptions(Options):
    """How layers are shown against each other."""

    title: ClassVar[str] = "Compare"

    link_contrast: Annotated[
        bool, "One contrast, gamma and colour map for all: differences are differences of values."
    ] = True
    blink_pause_ms: Annotated[
        int, Range(100, 3000, 50), "How long each image shows while they blink."
    ] = PAUSE_MS
    curtain_line: Annotated[
        Literal["upright", "flat"], "Whether the line of the curtain moves sideways or up and down."
    ] = "upright"


class ComparePage(Page):
    """Compares layers by eye. What it shows stays while other pages are looked at."""

    def __init__(self, viewer: Viewer, chosen: Chosen) -> None:
        super().__init__(viewer, chosen)
        self.curtain, self.blink, self.grid = Curtain(viewer), Blink(viewer), LinkedGrid(viewer)
        self._tools: dict[str, Any] = {
            "Curtain": self.curtain,
            "Blink": self.blink,
            "Grid": self.grid,
        }
        self._shown: tuple[str, list[Layer]] = ("", [])
        self.buttons = {name: self._button(name) for name in KEYS}
        row = QHBoxLayout()
        for button in self.buttons.values():
            row.addWidget(button, 1)
        self.hold_button = QPushButton("Hold to see the next")
        self.hold_button.setToolTip("While the images blink: show the next one as long as held.")
        self.hold_button.pressed.connect(lambda: self.blink.hold(True))
        self.hold_button.released.connect(lambda: self.blink.hold(False))
        self.form = OptionsForm(CompareOptions)
        self.form.changed.connect(self._on_options)
        self._before = self.options()
        self.note = Note(viewer)
        self.rows.addLayout(row)
        self.rows.addWidget(self.hold_button)
        self.rows.addWidget(self.note)
        self.rows.addWidget(self.form)
        self.rows.addStretch(1)
        for tool in self._tools.values():
            tool.ended.connect(self.refresh)
        for name, key in KEYS.items():
            viewer.bind_key(key, self._pressed(name), overwrite=True)
        viewer.layers.events.renamed.connect(self._on_renamed)
        self.refresh()

    def _button(self, name: str) -> QPushButton:
        button = QPushButton(name)
        button.setCheckable(True)
        button.setMinimumHeight(BUTTON_PX)
        button.setToolTip(f"{TIPS[name]}\n{KEYS[name]} begins and ends it.")
        button.clicked.connect(lambda _: self.toggle(name))
        return button

    def _pressed(self, name: str) -> Callable[[Any], None]:
        def pressed(viewer: Any) -> None:
            if self.buttons[name].isEnabled():
                self.toggle(name)

        return pressed

    def options(self) -> CompareOptions:
        """Return the parameters as they stand."""
        options = self.form.options()
        assert isinstance(options, CompareOptions)  # the form's class
        return options

    def toggle(self, name: str) -> None:
        """Begin "Curtain", "Blink" or "Grid" with the layers that are chosen now; or end it."""
        active = self._tools[name].active
        layers = self._layers(name)
        self.end()
        if not active:
            self._begin(name, layers)
        self.refresh()

    def end(self) -> None:
        """Show what was shown before."""
        for tool in self._tools.values():
            tool.end()

    def _begin(self, name: str, layers: list[Layer]) -> None:
        if len(layers) < 2:
            return
        options, self._shown = self.options(), (name, layers)
        link = options.link_contrast
        if name == "Curtain":
            self.curtain.begin(layers[0], layers[1], options.curtain_line == "flat", link)
        elif name == "Blink":
            self.blink.set_pause(options.blink_pause_ms)
            self.blink.begin(layers, link)
        else:
            self.grid.begin(layers, link)

    def _layers(self, name: str) -> list[Layer]:
        """Return what would be compared: for a curtain two layers, else all that are chosen."""
        layers = self.chosen.several()
        return layers[:2] if name == "Curtain" else layers

    def _on_options(self) -> None:
        """Show what is shown in the new way."""
        before, now = self._before, self.options()
        self._before = now
        self.blink.set_pause(now.blink_pause_ms)
        name, layers = self._shown
        turned = name == "Curtain" and now.curtain_line != before.curtain_line
        other = turned or now.link_contrast != before.link_contrast
        if name and self._tools[name].active and other:
            self.end()
            self._begin(name, [layer for layer in layers if layer in self.viewer.layers])
        self.refresh()

    def refresh(self) -> None:
        """Say what is, or would be, compared."""
        active = next((name for name, tool in self._tools.items() if tool.active), "")
        several = self.chosen.several()
        for name, button in self.buttons.items():
            button.setChecked(name == active)
            button.setEnabled(name == active or len(several) > 1)
        self.hold_button.setVisible(active == "Blink")
        self.note.show_lines(*self._words(active, several))

    def _words(self, active: str, several: list[Layer]) -> tuple[list[str], list[str]]:
        if active:
            names = ", ".join(layer.name for layer in self._shown[1])
            return [f"{active}: {names}"], []
        if len(several) < 2:
            reason = "There is nothing to compare with: choose a second layer above"
            return [], [f"{reason}, or select more in the list of layers."]
        lines = [f"Curtain  {several[0].name} | {several[1].name}"]
        return [*lines, f"Blink, Grid  {', '.join(layer.name for layer in several)}"], []

    def _on_renamed(self, event: Any = None) -> None:
        if self.isVisible():
            self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Notice that the dock was closed: then nothing stays on the canvas."""
        super().hideEvent(event)
        QTimer.singleShot(0, self, self._end_if_closed)

    def _end_if_closed(self) -> None:
        if not isinstance(self.window(), QMainWindow | QDockWidget):
            self.end()
            for key in KEYS.values():
                self.viewer.bind_key(key, None, overwrite=True)
