"""A row of small buttons: compare what was made with what it was made from, and change its colours.

The same row lies in every dock in which results arise. All rows of a viewer show the same state.
"""

from typing import Any

from napari.viewer import Viewer
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from napari_ptycho.gui.compare import BLINK, CURTAIN, GRID, NOTHING, TIPS
from napari_ptycho.gui.keys import key_of
from napari_ptycho.gui.pause import Pause
from napari_ptycho.gui.phase_colours import COLOURS
from napari_ptycho.gui.tools import tools_of

STYLE = "font-size: 8pt; padding: 3px 1px"
COLOUR_TIPS = {
    "grey": "Grey, between the limits of the contrast.",
    "perceptual": "Viridis: equal steps of phase look equal.",
    "cyclic": "Twilight, from -pi to pi, which are one colour: a wrap shows no edge.",
}


def tip_of(name: str) -> str:
    """Return what a tool of comparison does, and its key."""
    return f"{TIPS[name]}\n{key_of(name.lower())} begins and ends it."


class CompareBar(QWidget):
    """Curtain, Blink, Grid; Phase and Complex."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._tools = tools_of(viewer)
        self.compare, self.looks = self._tools.compare, self._tools.looks
        self.buttons = {name: self._button(name) for name in (CURTAIN, BLINK, GRID)}
        self.phase_button, self.choice_button = self._phase()
        self.complex_button = self._complex()
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 8, 4)
        row.setSpacing(4)
        for button in (*self.buttons.values(), self.phase_button):
            row.addWidget(button, len(button.text()))  # a wide word needs more room
        row.addWidget(self.choice_button)
        row.addWidget(self.complex_button, len(self.complex_button.text()))
        for button in self.findChildren(QPushButton):
            button.setStyleSheet(STYLE)
            button.setMinimumWidth(18)
        # of its own: QTimer.singleShot never lets go of a widget that is closed before it
        self._later, self._hidden = Pause(self, 0, self.refresh), Pause(self, 0, self._on_hidden)
        self.compare.changed.connect(self.refresh)
        self.looks.complex.changed.connect(self._later.start)
        self.refresh()

    def _button(self, name: str) -> QPushButton:
        button = QPushButton(name)
        button.setCheckable(True)
        button.clicked.connect(lambda _: self.compare.toggle(name))
        return button

    def _complex(self) -> QPushButton:
        button = QPushButton("Complex")
        button.setCheckable(True)
        button.setToolTip(
            "Object, or the probe if its layer is selected, in one layer: hue is the phase (rad), "
            "brightness the amplitude; what is white in the amplitude layer is in full colour.\n"
            f"{key_of('complex_colours')} makes and removes it."
        )
        button.clicked.connect(self._on_complex)
        return button

    def _phase(self) -> tuple[QPushButton, QPushButton]:
        """Return a button that gives the next colours, and an arrow with all to choose from."""
        button, arrow, menu = QPushButton("Phase"), QPushButton(), QMenu(self)
        self.colours: dict[str, Any] = {}
        for word in COLOURS:
            action = menu.addAction(word)
            action.setCheckable(True)
            action.setToolTip(COLOUR_TIPS[word])
            action.triggered.connect(lambda _, word=word: self.looks.colour_phases(word))
            self.colours[word] = action
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self.refresh)
        arrow.setMenu(menu)
        arrow.setFixedWidth(20)
        arrow.setToolTip("Colours of the selected phase (rad), else of all.")
        button.setToolTip(
            "Colours of the selected phase (rad), else of all: a click gives the next ones, the "
            f"arrow a choice of grey, perceptual, cyclic.\n{key_of('phase_colours')} does the same."
        )
        button.clicked.connect(self.looks.next_colours)
        return button, arrow

    def _on_complex(self, _: bool = False) -> None:
        self.looks.complex.toggle()
        self.refresh()

    def refresh(self) -> None:
        """Show what is on, and what can be pressed; without any image, take no room."""
        active = self.compare.active
        for name, button in self.buttons.items():
            can = bool(active) or len(self.compare.meant(name)) > 1
            button.setChecked(name == active)
            button.setEnabled(can)
            button.setToolTip(tip_of(name) if can else f"{TIPS[name]}\n{NOTHING}")
        phases = bool(self.looks.phases())
        words = self.looks.phase_colours() if phases else ""  # napari's settings take 0.3 s to read
        for word, action in self.colours.items():
            action.setChecked(word == words)
        hued = self.looks.complex
        for button in (self.phase_button, self.choice_button):
            button.setEnabled(phases)
        self.complex_button.setEnabled(hued.source() is not None)
        self.complex_button.setChecked(hued.made())
        parts: list[Any] = [*self.buttons.values(), self.phase_button, self.complex_button]
        self.setVisible(bool(active) or any(part.isEnabled() for part in parts))

    def showEvent(self, event: QShowEvent) -> None:
        """From here a comparison can be ended."""
        super().showEvent(event)
        self.compare.watch(self)

    def hideEvent(self, event: QHideEvent) -> None:
        """Notice that the dock was closed: with the last one a comparison ends."""
        super().hideEvent(event)
        self._hidden.start()

    def _on_hidden(self) -> None:
        self.compare.unwatch(self)
