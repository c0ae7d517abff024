"""Takes the files that are dropped on the window: what is ours goes to the Scan dock.

napari asks which plugin is to read a file as soon as two plugins name its ending, and HDF5, NPZ and
TIFF are everybody's. Who has our docks open need not be asked. What is not ours goes to napari.
"""

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QEvent, QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_ptycho.gui.pause import Pause
from napari_ptycho.gui.sniffing import is_ours


class Drops(QObject):
    """Watches what is dropped on the middle of the window that a dock lies in."""

    dropped = Signal(list)
    """Paths, of which one is ours at least."""

    def __init__(self, dock: QWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        Pause(self, 0, self.watch).start()  # the dock is put into its window after it was made

    def watch(self) -> None:
        """Watch the window that the dock lies in now; watching it again changes nothing."""
        window = self._dock.window()
        middle = window.centralWidget() if isinstance(window, QMainWindow) else None
        if middle is not None:
            for widget in middle.findChildren(QWidget):
                if widget.acceptDrops():
                    widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take a drop if something of it is ours."""
        if event.type() != QEvent.Type.Drop or not isinstance(event, QDropEvent):
            return False
        paths = paths_of(event)
        if not paths or not is_ours(paths):
            return False
        event.acceptProposedAction()
        self.dropped.emit(paths)
        return True


def paths_of(event: QDropEvent) -> Sequence[Path]:
    """Return the files and folders that are dropped."""
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
