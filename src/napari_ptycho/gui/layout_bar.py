"""Saved layouts of the browser: choose one, delete it, save what is chosen as another."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from napari_ptycho import io
from napari_ptycho.errors import PtychoError
from napari_ptycho.gui.opening import Opening
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.widgets import Choice
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.saved_layouts import SavedLayout, saved_layout

NONE = "none"


class LayoutBar(QWidget):
    """Lists the saved layouts; reading and writing them is done in a thread."""

    chosen = Signal(object)
    """The user has chosen this saved layout."""
    save_asked = Signal(str)
    """The user wants what is chosen to be saved under this name."""
    told = Signal(str)
    """What became of it, in a sentence."""

    def __init__(self) -> None:
        super().__init__()
        self._saved: tuple[SavedLayout, ...] = ()
        self.runner = Runner(self)
        self.combo = Choice("A way of reading that was saved; files that fit open by it.")
        self.delete_button, self.save_button = QPushButton("Delete"), QPushButton("Save layout")
        self.name = QLineEdit()
        self.name.setPlaceholderText("name of a saved layout")
        self.name.setToolTip("What this way of reading is to be called: letters or digits.")
        self.delete_button.setToolTip("Remove the saved layout that is chosen, for good.")
        self.save_button.setToolTip(
            "Keep this way of reading under the name: files with the same paths open by it."
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (
            *(QLabel("Saved layout"), self.combo, self.delete_button),
            *(self.name, self.save_button),
        ):
            layout.addWidget(widget, 2 if widget in (self.combo, self.name) else 0)
        self.combo.activated.connect(self._on_activated)
        self.delete_button.clicked.connect(self._delete)
        self.save_button.clicked.connect(self._ask_save)
        self.name.textChanged.connect(self._enable)
        self.runner.finished.connect(self._on_finished)
        self.show_saved((), "")

    def show_saved(self, saved_layouts: Sequence[SavedLayout], current: str) -> None:
        """List saved layouts; `current` is the one that is used, or ""."""
        self._saved = tuple(saved_layouts)
        with QSignalBlocker(self.combo):
            self.combo.clear()
            self.combo.addItem(NONE)
            for saved in self._saved:
                needs = "\n".join(saved.needs)
                self.combo.add(saved.name, f"For files with:\n{needs}")
            self.combo.setCurrentText(current or NONE)
        self._enable()

    def refresh(self, current: str = "") -> None:
        """Read the saved layouts again."""
        self.runner.call(partial(_after, None, current, ""), "read saved layouts")

    def save(self, opening: Opening, name: str) -> None:
        """Save how a file is opened under a name; `told` says what became of it."""
        work = partial(_save, opening, name)
        told = f"Saved: files with these paths open as '{name}' from now on."
        self.runner.call(partial(_after, work, name, told), f"save saved layout {name}")

    def _delete(self) -> None:
        name = self.combo.currentText()
        work = partial(io.delete_layout, name)
        told = f"The saved layout '{name}' was deleted."
        self.runner.call(partial(_after, work, "", told), f"delete saved layout {name}")

    def _ask_save(self) -> None:
        self.save_asked.emit(self.name.text().strip())

    def _on_activated(self, index: int) -> None:
        self._enable()
        if index > 0:
            self.chosen.emit(self._saved[index - 1])

    def _on_finished(self, outcome: str, value: Any) -> None:
        if outcome == "done":
            saved_layouts, current, told = value
            self.show_saved(saved_layouts, current)
            self.told.emit(told)

    def _enable(self, *_: object) -> None:
        self.delete_button.setEnabled(self.combo.currentIndex() > 0)
        self.save_button.setEnabled(bool(self.name.text().strip()))


def _save(opening: Opening, name: str) -> None:
    layout = opening.layout or Layout()
    saved = saved_layout(opening.path, name, layout, opening.detector, opening.geometry)
    io.save_layout(saved)


def _after(
    work: Callable[[], object] | None, current: str, told: str
) -> tuple[Sequence[SavedLayout], str, str]:
    """Do some work, and return the saved layouts that there are then; an error is what is told."""
    try:
        if work is not None:
            work()
    except PtychoError as error:
        current, told = "", str(error)
    return io.load_layouts(), current, told
