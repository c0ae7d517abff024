"""Where a run starts: the choice, and what the thread makes of it."""

from dataclasses import dataclass
from pathlib import Path

from napari.utils.notifications import show_info
from napari.viewer import Viewer
from qtpy.QtWidgets import QComboBox, QFileDialog, QVBoxLayout, QWidget

from napari_ptycho import io
from napari_ptycho.gui import canvas
from napari_ptycho.gui.form import OptionsForm
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.options import Options
from napari_ptycho.prepare import Optics, first_guess

GUESSES = {
    "automatic": "auto",
    "probe in the file": "file",
    "mean pattern": "mean pattern",
    "optics": "optics",
}
LAYER, FILE = "selected layer", "file…"


@dataclass(frozen=True, eq=False)
class Start:
    """A start that was chosen in the window; `make` is for the job's thread."""

    guess: str = "auto"
    optics: Options | None = None
    reconstruction: Reconstruction | None = None
    path: Path | None = None

    def make(self, scan: Scan, modes: int) -> Reconstruction | None:
        """Return the reconstruction to start from; None leaves the choice to the engine.

        Raises:
            PtychoError: The scan lacks what the guess needs, or the file holds none.
        """
        if self.reconstruction is not None:
            return self.reconstruction
        if self.path is not None:
            return io.read_reconstruction(self.path)
        if self.guess == "auto":
            return None
        return first_guess(scan, modes, self.guess, self.optics)  # type: ignore[arg-type]


class StartBox(QWidget):
    """Chooses a start: a guess, the reconstruction a selected layer shows, or a file."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._path: Path | None = None
        self._given: Reconstruction | None = None
        self.choice = QComboBox()
        self.choice.addItems([*GUESSES, LAYER, FILE])
        self.choice.setToolTip("Object and probe that the first epoch starts from.")
        self.optics = OptionsForm(Optics)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.choice)
        layout.addWidget(self.optics)
        self.choice.currentTextChanged.connect(self._on_choice)
        self.choice.activated.connect(self._on_activated)
        self._on_choice(self.choice.currentText())

    def start(self) -> Start | None:
        """Return the start as it stands; None if the selected layer shows no reconstruction."""
        chosen = self.choice.currentText()
        if self._given is not None and self.choice.currentIndex() == self._before_file:
            return Start(reconstruction=self._given)
        if chosen == LAYER:
            held = [canvas.held_by(layer) for layer in self._viewer.layers.selection]
            found = [thing for thing in held if isinstance(thing, Reconstruction)]
            if not found:
                show_info("Select a phase, amplitude or probe layer to start from.")
                return None
            return Start(reconstruction=found[0])
        if chosen in GUESSES:
            optics = self.optics.options() if chosen == "optics" else None
            return Start(GUESSES[chosen], optics)
        return Start(path=self._path)

    def set_reconstruction(self, reconstruction: Reconstruction, title: str) -> None:
        """Start from this reconstruction, which is listed so: "prediction: star"."""
        if self._given is None:
            self.choice.insertItem(self.choice.count() - 1, "")
        self._given = reconstruction
        self.choice.setItemText(self._before_file, title)
        self.choice.setCurrentIndex(self._before_file)

    @property
    def _before_file(self) -> int:
        """Where a reconstruction that another dock gave stands in the list."""
        return int(self.choice.count()) - 2

    def set_path(self, path: Path) -> None:
        """Start from this file."""
        self._path = path
        last = self.choice.count() - 1
        self.choice.setItemText(last, f"file: {path.name}")
        self.choice.setCurrentIndex(last)

    def _on_choice(self, chosen: str) -> None:
        self.optics.setVisible(chosen == "optics")

    def _on_activated(self, index: int) -> None:
        if index < self.choice.count() - 1:
            return
        path, _ = QFileDialog.getOpenFileName(
            self, "Start from a reconstruction", "", "Reconstructions (*.h5 *.hdf5 *.npz)"
        )
        if path:
            self.set_path(Path(path))
        elif self._path is None:
            self.choice.setCurrentIndex(0)
