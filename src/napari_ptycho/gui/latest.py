"""Answers the newest question only: what follows layers and options that keep changing."""

import time
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_ptycho.errors import PtychoError
from napari_ptycho.gui.runner import Runner

LONGEST_PAUSE_S = 2.0


class Latest(QObject):
    """Runs one function after the other in a thread; of those that wait, only the newest.

    Between two it pauses as long as the last one took, so that a run that changes its layers all
    the time keeps half of the machine.
    """

    answered = Signal(object)
    """What the function returned."""
    failed = Signal(str)
    """The sentence of what it raised on purpose; anything else is shown as an error by itself."""

    def __init__(self, parent: QObject, title: str) -> None:
        super().__init__(parent)
        self.runner = Runner(parent)
        self.runner.finished.connect(self._on_finished)
        self._title = title
        self._next: Callable[[], Any] | None = None
        self._began = 0.0
        self._pause = QTimer(self, singleShot=True)
        self._pause.timeout.connect(self._launch)

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self.runner.running or self._next is not None

    def ask(self, function: Callable[[], Any]) -> None:
        """Run a function in the thread, as soon as the one before is done."""
        self._next = function
        if not self.runner.running and not self._pause.isActive():
            self._launch()

    def forget(self) -> None:
        """Drop what waits; what runs is not answered any more."""
        self._next = None
        self._began = 0.0

    def leave(self) -> None:
        """Wait no longer for what runs; it is not answered."""
        self.forget()
        self.runner.leave()

    def _launch(self) -> None:
        if self._next is None or self.runner.running:
            return
        function, self._next = self._next, None
        self._began = time.monotonic()
        self.runner.call(lambda: _told(function), self._title)

    def _on_finished(self, outcome: str, value: Any) -> None:
        asked, took = self._began > 0, time.monotonic() - self._began
        self._pause.start(round(1000 * min(took, LONGEST_PAUSE_S)) if asked else 0)
        if outcome != "done" or not asked:
            return
        if isinstance(value, PtychoError):
            self.failed.emit(str(value))
        else:
            self.answered.emit(value)


def _told(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except PtychoError as error:
        return error
