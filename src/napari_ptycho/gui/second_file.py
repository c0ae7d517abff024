"""The second file of an opening: the positions, where they lie apart from the frames."""

from pathlib import Path

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QWidget

from napari_ptycho.gui.asking import ask_file
from napari_ptycho.gui.form import lined_up
from napari_ptycho.gui.open_bar import POSITION_FILES

NONE = "The positions are in the file itself, or a raster is given below."


class SecondFile(QWidget):
    """Asks for a file with positions, or for none."""

    chosen = Signal()
    """The user has chosen another one, or none."""

    def __init__(self) -> None:
        super().__init__()
        self.path: Path | None = None
        self.edit = QLineEdit()
        self.edit.setReadOnly(True)
        self.edit.setPlaceholderText("none")
        self.choose_button, self.clear_button = QPushButton("Choose…"), QPushButton("None")
        self.choose_button.setToolTip("A file that holds the positions: HDF5, CSV, TXT, NPY.")
        self.clear_button.setToolTip("Take the positions from the file itself.")
        self.edit.setToolTip(NONE)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.edit, 1)
        row.addWidget(self.choose_button)
        row.addWidget(self.clear_button)
        self.setLayout(lined_up({"Positions file": row}))
        self.choose_button.clicked.connect(self._ask)
        self.clear_button.clicked.connect(self._clear)
        self.show_path(None)

    def show_path(self, path: Path | None) -> None:
        """Show a file; `chosen` is for the user's choice only."""
        self.path = path
        self.edit.setText("" if path is None else path.name)
        self.edit.setToolTip(NONE if path is None else str(path))
        self.clear_button.setEnabled(path is not None)

    def choose(self, path: Path | None) -> None:
        """Take a file, or none, as the user does."""
        self.show_path(path)
        self.chosen.emit()

    def _ask(self) -> None:
        path = ask_file(self, "Open positions", POSITION_FILES)
        if path:
            self.choose(path)

    def _clear(self) -> None:
        self.choose(None)
