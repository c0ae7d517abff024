"""Writes what is shown, in a thread."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.saving import Savable


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
            self.runner.call(partial(_write, thing, Path(path)), f"save {path}")

    def _ask_path(self) -> None:
        thing = self._current()
        if thing is None:
            return
        path, _ = QFileDialog.getSaveFileName(self, thing.title, thing.name, thing.kind)
        if path:
            self.save(path)

    def _on_written(self, outcome: str, path: Any) -> None:
        if outcome == "done":
            self.saved.emit(str(path))


def _write(thing: Savable, path: Path) -> Path:
    thing.write(path)
    return path
