"""Two buttons that ask what to open: a file, or one of the samples."""

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QPushButton, QWidget

from napari_ptycho.samples import SAMPLES

FILES = "Scans and reconstructions (*.cxi *.h5 *.hdf5 *.nxs *.npz *.bz2);;All files (*)"


class OpenBar(QWidget):
    """Asks for a file or a sample."""

    path_chosen = Signal(Path)
    sample_chosen = Signal(str)
    """A key of `samples.SAMPLES`."""

    def __init__(self) -> None:
        super().__init__()
        open_button, sample_button = QPushButton("Open…"), QPushButton("Sample")
        menu = QMenu(self)
        for key, title in SAMPLES.items():
            menu.addAction(title).setData(key)
        sample_button.setMenu(menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(open_button)
        layout.addWidget(sample_button)
        menu.triggered.connect(self._on_sample)
        open_button.clicked.connect(self._ask_path)

    def _ask_path(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a scan", "", FILES)
        if path:
            self.path_chosen.emit(Path(path))

    def _on_sample(self, action: Any) -> None:
        self.sample_chosen.emit(action.data())
