"""Presets of the browser: choose one, delete it, save what is chosen as another."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from napari_ptycho import io
from napari_ptycho.errors import PtychoError
from napari_ptycho.gui.opening import Opening
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.widgets import Choice
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.presets import Preset, preset_of

NONE = "none"


class PresetBar(QWidget):
    """Lists the saved presets; reading and writing them is done in a thread."""

    chosen = Signal(object)
    """The user has chosen this preset."""
    save_asked = Signal(str)
    """The user wants what is chosen to be saved under this name."""
    told = Signal(str)
    """What became of it, in a sentence."""

    def __init__(self) -> None:
        super().__init__()
        self._presets: tuple[Preset, ...] = ()
        self.runner = Runner(self)
        self.combo = Choice("A way of reading that was saved; files that fit open by it.")
        self.delete_button, self.save_button = QPushButton("Delete"), QPushButton("Save as preset")
        self.name = QLineEdit()
        self.name.setPlaceholderText("name of a preset")
        self.save_button.setToolTip("Files with the same paths inside will open like this one.")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (
            *(QLabel("Preset"), self.combo, self.delete_button),
            *(self.name, self.save_button),
        ):
            layout.addWidget(widget, 2 if widget in (self.combo, self.name) else 0)
        self.combo.activated.connect(self._on_activated)
        self.delete_button.clicked.connect(self._delete)
        self.save_button.clicked.connect(self._ask_save)
        self.name.textChanged.connect(self._enable)
        self.runner.finished.connect(self._on_finished)
        self.show_presets((), "")

    def show_presets(self, presets: Sequence[Preset], current: str) -> None:
        """List presets; `current` is the one that is used, or ""."""
        self._presets = tuple(presets)
        with QSignalBlocker(self.combo):
            self.combo.clear()
            self.combo.addItem(NONE)
            for preset in self._presets:
                self.combo.addItem(preset.name)
                needs = "\n".join(preset.needs)
                last = self.combo.count() - 1
                tip = f"For files with:\n{needs}"
                self.combo.setItemData(last, tip, Qt.ItemDataRole.ToolTipRole)
            self.combo.setCurrentText(current or NONE)
        self._enable()

    def refresh(self, current: str = "") -> None:
        """Read the presets again."""
        self.runner.call(partial(_after, None, current, ""), "read presets")

    def save(self, opening: Opening, name: str) -> None:
        """Save how a file is opened under a name; `told` says what became of it."""
        work = partial(_save, opening, name)
        told = f"Saved: files with these paths open as '{name}' from now on."
        self.runner.call(partial(_after, work, name, told), f"save preset {name}")

    def _delete(self) -> None:
        name = self.combo.currentText()
        work = partial(io.delete_preset, name)
        told = f"The preset '{name}' was deleted."
        self.runner.call(partial(_after, work, "", told), f"delete preset {name}")

    def _ask_save(self) -> None:
        self.save_asked.emit(self.name.text().strip())

    def _on_activated(self, index: int) -> None:
        self._enable()
        if index > 0:
            self.chosen.emit(self._presets[index - 1])

    def _on_finished(self, outcome: str, value: Any) -> None:
        if outcome == "done":
            presets, current, told = value
            self.show_presets(presets, current)
            self.told.emit(told)

    def _enable(self, *_: object) -> None:
        self.delete_button.setEnabled(self.combo.currentIndex() > 0)
        self.save_button.setEnabled(bool(self.name.text().strip()))


def _save(opening: Opening, name: str) -> None:
    layout = opening.layout or Layout()
    preset = preset_of(opening.path, name, layout, opening.detector, opening.geometry)
    io.save_preset(preset)


def _after(
    work: Callable[[], object] | None, current: str, told: str
) -> tuple[Sequence[Preset], str, str]:
    """Do some work, and return the presets that there are then; an error is what is told."""
    try:
        if work is not None:
            work()
    except PtychoError as error:
        current, told = "", str(error)
    return io.load_presets(), current, told
