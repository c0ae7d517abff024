"""Closing the window while a run is under way: ask, stop, keep what was reached."""

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_ptycho.errors import PtychoError
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.save_button import ask_target
from napari_ptycho.gui.saving import Savable
from napari_ptycho.io.autosave import Autosave

WAIT_S = 30.0


class CloseGuard(QObject):
    """Watches the window of a dock. Only a person who closes it is asked, never a script."""

    def __init__(
        self, dock: QWidget, runner: Runner, savable: Callable[[Any], Savable | None], what: str
    ) -> None:
        """Make a guard; it watches nothing yet.

        Args:
            dock: Whose window it is.
            runner: What may be running.
            savable: Turns the result of the newest update into something to write.
            what: Is running, as "A reconstruction".
        """
        super().__init__(dock)
        self._dock, self._runner, self._savable, self._what = dock, runner, savable, what
        self.closing = False
        """Whether the window closes and ends the run: who comes back may go on with it."""

    def watch(self) -> None:
        """Watch the window that the dock lies in now; watching it again changes nothing."""
        self._dock.window().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Swallow the closing of the window if the user would rather go on."""
        closing = event.type() == QEvent.Type.Close and event.spontaneous()
        if closing and self._runner.running and not self.may_close():
            event.ignore()
            return True
        return False

    def end(self, outcome: str, autosave: Autosave | None) -> None:
        """Remove the checkpoint of a run that has ended, unless somebody may go on with it.

        That is one that failed, and one that ended only because its window closes.
        """
        if autosave is not None and outcome != "failed" and not self.closing:
            autosave.discard()

    def may_close(self) -> bool:
        """Ask what to do with the run, and do it; False to keep the window open."""
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self._dock,
            f"{self._what} is running",
            "Stop it and save what it has reached before the window closes?",
            buttons.Save | buttons.Discard | buttons.Cancel,
        )
        if answer == buttons.Cancel:
            return False
        self._runner.stop()
        saved = answer == buttons.Discard or (self._runner.wait(WAIT_S) and self._saved())
        self.closing = saved
        return saved

    def _saved(self) -> bool:
        update = self._runner.newest
        thing = None if update is None else self._savable(update.result)
        if thing is None:
            return True
        target = ask_target(self._dock, thing)
        if target is None:
            return False
        path, write = target
        try:
            write(path)
        except PtychoError as error:
            QMessageBox.warning(self._dock, "Not saved", str(error))
            return False
        return True
