"""Writes the reconstruction that is shown, in a thread."""

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_ptycho import io
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.session import Session
from napari_ptycho.model import Reconstruction


class SaveButton(QPushButton):
    """Asks where to, and writes."""

    saved = Signal(str)
    """A reconstruction was written to this path."""

    def __init__(self, session: Session) -> None:
        super().__init__("Save…")
        self._session = session
        self.runner = Runner(self)
        self.runner.finished.connect(self._on_written)
        self.clicked.connect(self._ask_path)

    def save(self, path: str | Path) -> None:
        """Write the reconstruction that is shown; `saved` says when it is done."""
        reconstruction = self._session.reconstruction
        if reconstruction is not None:
            self.runner.call(partial(_write, reconstruction, Path(path)), f"save {path}")

    def _ask_path(self) -> None:
        reconstruction = self._session.reconstruction
        if reconstruction is None:
            return
        path, _ = QFileDialog.getSaveFileName(
            self, "Save the reconstruction", f"{reconstruction.name}.h5", "HDF5 (*.h5)"
        )
        if path:
            self.save(path)

    def _on_written(self, outcome: str, path: Any) -> None:
        if outcome == "done":
            self.saved.emit(str(path))


def _write(reconstruction: Reconstruction, path: Path) -> Path:
    io.write_reconstruction(reconstruction, path)
    return path
