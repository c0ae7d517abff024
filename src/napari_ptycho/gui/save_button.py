"""Writes what is shown, in a thread."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QMessageBox, QPushButton, QWidget

from napari_ptycho.gui import asking
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.saving import Savable, Write

MAP_TIP = "Write the map: PNG with scale bar and colour bar, TIFF, or HDF5."


class SaveButton(QPushButton):
    """Asks where to, and writes."""

    saved = Signal(str)
    """It was written to this path."""

    def __init__(self, current: Callable[[], Savable | None]) -> None:
        """Make the button.

        Args:
            current: Returns what there is to write now, or None.
        """
        super().__init__("Save…")
        self._current = current
        self.runner = Runner(self)
        self.runner.finished.connect(self._on_written)
        self.clicked.connect(self._ask_path)

    def save(self, path: str | Path) -> None:
        """Write what is shown; `saved` says when it is done."""
        thing = self._current()
        if thing is not None:
            self._write(*thing.chosen(Path(path), ""))

    def _ask_path(self) -> None:
        thing = self._current()
        target = None if thing is None else ask_target(self, thing)
        if target is not None:
            self._write(*target)

    def _write(self, path: Path, write: Write) -> None:
        self.runner.call(partial(_written, write, path), f"save {path}")

    def _on_written(self, outcome: str, path: Any) -> None:
        if outcome == "done":
            self.saved.emit(str(path))


def ask_target(parent: QWidget, thing: Savable) -> tuple[Path, Write] | None:
    """Ask where to write something; return the file and how, or None for not at all.

    Args:
        parent: Of the dialog.
        thing: What there is to write.
    """
    typed, wanted = asking.ask_target(parent, thing.title, thing.name, thing.kind)
    if typed is None:
        return None
    path, write = thing.chosen(typed, wanted)
    if path != typed and path.exists() and not _may_replace(parent, path):
        return None
    return path, write


def _may_replace(parent: QWidget, path: Path) -> bool:
    """Ask as the dialog does, which has not seen the file by the name that it gets."""
    question = f"{path.name} already exists. Do you want to replace it?"
    answer = QMessageBox.question(parent, "Replace the file?", question)
    return bool(answer == QMessageBox.StandardButton.Yes)


def _written(write: Write, path: Path) -> Path:
    write(path)
    return path
