"""Closing the window while a run is under way: ask, stop, keep what was reached."""

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_ptycho import io
from napari_ptycho.errors import PtychoError
from napari_ptycho.gui.views import ReconstructionView

if TYPE_CHECKING:
    from napari_ptycho.gui.reconstruct_dock import ReconstructDock

WAIT_S = 30.0


class CloseGuard(QObject):
    """Watches the window of a dock. Only a person who closes it is asked, never a script."""

    def __init__(self, dock: "ReconstructDock") -> None:
        super().__init__(dock)
        self._dock = dock

    def watch(self) -> None:
        """Watch the window that the dock lies in now; watching it again changes nothing."""
        self._dock.window().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Swallow the closing of the window if the user would rather go on."""
        closing = event.type() == QEvent.Type.Close and event.spontaneous()
        if closing and self._dock.runner.running and not self.may_close():
            event.ignore()
            return True
        return False

    def may_close(self) -> bool:
        """Ask what to do with the run, and do it; False to keep the window open."""
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self._dock,
            "A reconstruction is running",
            "Stop it and save what it has reached before the window closes?",
            buttons.Save | buttons.Discard | buttons.Cancel,
        )
        if answer == buttons.Cancel:
            return False
        runner = self._dock.runner
        runner.stop()
        return answer == buttons.Discard or (runner.wait(WAIT_S) and self._saved())

    def _saved(self) -> bool:
        update = self._dock.runner.newest
        if update is None:
            return True
        view: ReconstructionView = update.result
        name = view.reconstruction.name
        path, _ = QFileDialog.getSaveFileName(
            self._dock, "Save the reconstruction", f"{name}.h5", "HDF5 (*.h5)"
        )
        if not path:
            return False
        try:
            io.write_reconstruction(view.reconstruction, path)
        except PtychoError as error:
            QMessageBox.warning(self._dock, "Not saved", str(error))
            return False
        return True
