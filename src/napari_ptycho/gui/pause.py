"""Once for all that happens within a short time: what follows the mouse or a live run."""

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, QTimer


class Pause(QTimer):
    """Calls a function a while after it was first asked; `start` begins that while anew."""

    def __init__(self, parent: QObject, ms: int, function: Callable[[], object]) -> None:
        """Make it; nothing waits yet.

        Args:
            parent: With it, it goes.
            ms: How long it waits; 0: until what is under way now is done.
            function: What is called, or a signal that is emitted.
        """
        super().__init__(parent, interval=ms, singleShot=True)
        self.timeout.connect(function)

    def soon(self, event: Any = None) -> None:
        """Call it after the pause; asked again before that, this changes nothing."""
        if not self.isActive():
            self.start()
