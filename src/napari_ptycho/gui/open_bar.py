"""Buttons that ask what to open: files, a folder of frames, one of the samples."""

from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from napari_ptycho.gui import kept
from napari_ptycho.gui.asking import ask_files, ask_folder, ask_target
from napari_ptycho.samples import SAMPLES

SCANS = (
    *("cxi", "h5", "hdf5", "hdf", "nxs", "nx5", "ptyd", "ptyr", "hspy", "emd", "mat"),
    *("mib", "raw", "npz", "npy", "bz2", "gz", "tif", "tiff"),
)
POSITIONS = ("h5", "hdf5", "nxs", "csv", "txt", "dat", "npy", "npz")


def file_filter(title: str, endings: tuple[str, ...]) -> str:
    """Return the filter of a file dialog: files with these endings, or all."""
    return f"{title} ({' '.join(f'*.{ending}' for ending in endings)});;All files (*)"


FILES = file_filter("Scans and reconstructions", SCANS)
POSITION_FILES = file_filter("Positions", POSITIONS)


class OpenBar(QWidget):
    """Asks for files, a folder, or a sample."""

    paths_chosen = Signal(list)
    """A scan, or frames and their positions, or a folder."""
    browse_asked = Signal()
    """Look into a file before it is opened."""
    sample_chosen = Signal(str)
    """A key of `samples.SAMPLES`."""
    watch_asked = Signal(object)
    """The path of a scan that is being written, or will be."""

    def __init__(self) -> None:
        super().__init__()
        self.open_button = button("Open…", "A scan, or a file of frames and one of positions.")
        self.folder_button = button("Folder…", "A folder of frames, one TIFF or NPY file each.")
        self.browse_button = button(
            "Browse…", "Look into a file, and say how it is to be read before it is opened."
        )
        self.sample_button = button("Sample", "Simulated scans, and a measured one.")
        menu = QMenu(self)
        for key, title in SAMPLES.items():
            menu.addAction(title).setData(key)
        self.sample_button.setMenu(menu)
        self.watch_button = button("Watch", "A scan that is being written, or will be.")
        self.watch_button.setMenu(self._watch_menu())
        self.setStyleSheet("QPushButton { font-size: 8pt; padding: 3px 1px }")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for one in (
            *(self.open_button, self.folder_button),
            *(self.watch_button, self.browse_button, self.sample_button),
        ):
            layout.addWidget(one)
        menu.triggered.connect(self._on_sample)
        self.open_button.clicked.connect(self._ask_paths)
        self.folder_button.clicked.connect(self._ask_folder)
        self.browse_button.clicked.connect(self.browse_asked)

    def _watch_menu(self) -> QMenu:
        """Return what can be watched, and with what."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        file = menu.addAction("File…", self._ask_watched_file)
        file.setToolTip("It need not be there yet: type its name.")
        folder = menu.addAction("Folder…", self._ask_watched_folder)
        folder.setToolTip("A folder that frames are written to.")
        menu.addSeparator()
        self.predicting = menu.addAction("Predict with the network of the Network dock")
        self.reconstructing = menu.addAction("Reconstruct with the chain of the Reconstruct dock")
        self.predicting.setToolTip("Each frame as it comes, in milliseconds.")
        self.reconstructing.setToolTip(
            "All frames that are there, epoch by epoch, and to the end of the chain at the end."
        )
        for action in (self.predicting, self.reconstructing):
            action.setCheckable(True)
        self.reconstructing.setChecked(True)
        kept.tick(self.predicting, "Scan.watch and predict")
        kept.tick(self.reconstructing, "Scan.watch and reconstruct")
        return menu

    def _ask_watched_file(self) -> None:
        path, _ = ask_target(self, "Watch a file", "", FILES, confirm=False)  # it may be new
        if path:
            self.watch_asked.emit(path)

    def _ask_watched_folder(self) -> None:
        path = ask_folder(self, "Watch a folder of frames")
        if path:
            self.watch_asked.emit(path)

    def _ask_paths(self) -> None:
        paths = ask_files(self, "Open a scan", FILES)
        if paths:
            self.paths_chosen.emit(paths)

    def _ask_folder(self) -> None:
        path = ask_folder(self, "Open a folder of frames")
        if path:
            self.paths_chosen.emit([path])

    def _on_sample(self, action: Any) -> None:
        self.sample_chosen.emit(action.data())


def button(text: str, tip: str) -> QPushButton:
    """Return a button that can be narrow."""
    made = QPushButton(text)
    made.setToolTip(tip)
    made.setMinimumWidth(40)
    return made
