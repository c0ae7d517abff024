"""A button *Stop* that comes when an answer of a page takes long, and lets go of it."""

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QPushButton

from napari_ptycho.gui.latest import Latest

LONG_MS = 1000
LEFT = "Stopped. Change a choice to have it computed anew."


class LeaveButton(QPushButton):
    """Shows while a `Latest` has worked longer than a second. Pressed, the answer is dropped."""

    def __init__(self, latest: Latest) -> None:
        super().__init__("Stop")
        self.setToolTip("Wait for it no longer. Images that are not as large take less time.")
        self._later = QTimer(self, interval=LONG_MS, singleShot=True)
        self._later.timeout.connect(self.show)
        latest.working.connect(self._follow)
        self.clicked.connect(latest.leave)
        self.hide()

    def _follow(self, works: bool) -> None:
        if works:
            self._later.start()
        else:
            self._later.stop()
            self.hide()
