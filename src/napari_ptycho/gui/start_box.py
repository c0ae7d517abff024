"""Where a run starts: the choice, and what the thread makes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_info
from napari.viewer import Viewer
from qtpy.QtWidgets import QComboBox, QWidget

from napari_ptycho import io
from napari_ptycho.gui import canvas, kept
from napari_ptycho.gui.asking import ask_file
from napari_ptycho.gui.form import OptionsForm
from napari_ptycho.gui.layouts import stack
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.prepare import Optics, ProbeStart, first_guess
from napari_ptycho.recipes.recipe import NetworkStep
from napari_ptycho.recipes.recipe import Start as Guess

GUESSES: dict[str, ProbeStart] = {
    "automatic": "auto",
    "probe in the file": "file",
    "mean pattern": "mean pattern",
    "optics": "optics",
}
LAYER, FILE = "selected layer", "file…"


@dataclass(frozen=True, eq=False)
class Start:
    """A start that was chosen in the window; `make` is for the job's thread."""

    guess: ProbeStart = "auto"
    optics: Optics | None = None
    reconstruction: Reconstruction | None = None
    path: Path | None = None
    network: NetworkStep | None = None
    """Predicts the object first, see `recipe_run.predicted`."""

    def make(self, scan: Scan, modes: int) -> Reconstruction | None:
        """Return the reconstruction to start from; None leaves the choice to the engine.

        Raises:
            PtychoError: The scan lacks what the guess needs, or the file holds none.
        """
        if self.reconstruction is not None:
            return self.reconstruction
        if self.path is not None:
            return io.read_reconstruction(self.path)
        if self.guess == "auto" or self.network is not None:
            return None
        return first_guess(scan, modes, self.guess, self.optics)

    def probe(self, scan: Scan) -> Complexes | None:
        """Return the probe (1, H, W) that a network predicts with; None leaves it to that.

        Raises:
            ScanError: The scan lacks what the guess needs.
        """
        return None if self.guess == "auto" else first_guess(scan, 1, self.guess, self.optics).probe


class StartBox(QWidget):
    """Chooses a start: a guess, the reconstruction a selected layer shows, or a file."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._path: Path | None = None
        self._given: Reconstruction | NetworkStep | None = None
        self._beside = Guess()  # whose probe a network predicts with
        self.choice = QComboBox()
        self.choice.addItems([*GUESSES, LAYER, FILE])
        self.choice.setToolTip("Object and probe that the first epoch starts from.")
        self.optics = OptionsForm(Optics)
        stack(self, self.choice, self.optics)
        self.choice.currentTextChanged.connect(self._on_choice)
        self.choice.activated.connect(self._on_activated)
        kept.choice(self.choice, "Reconstruct.start", tuple(GUESSES))
        kept.form(self.optics, "Reconstruct.optics")
        self._on_choice(self.choice.currentText())

    def start(self) -> Start | None:
        """Return the start as it stands; None if the selected layer shows no reconstruction."""
        chosen = self.choice.currentText()
        if self._given is not None and self.choice.currentIndex() == self._before_file:
            if isinstance(self._given, NetworkStep):
                return Start(self._beside.probe, self._beside.optics, network=self._given)
            return Start(reconstruction=self._given)
        if chosen == LAYER:
            found = self._selected()
            if found is None:
                show_info("Select a phase, amplitude or probe layer to start from.")
                return None
            return Start(reconstruction=found)
        if chosen in GUESSES:
            optics = self.optics.options() if chosen == "optics" else None
            return Start(GUESSES[chosen], optics)
        return Start(path=self._path)

    def told(self) -> tuple[Guess, Reconstruction | NetworkStep | None, str]:
        """Return the start for a recipe: a guess, what is chosen instead, what it is called."""
        chosen = self.choice.currentText()
        if chosen in GUESSES:
            optics: Any = self.optics.options() if chosen == "optics" else None
            return Guess(GUESSES[chosen], optics), None, ""
        on_given = self._given is not None and self.choice.currentIndex() == self._before_file
        instead = self._given if on_given else self._selected() if chosen == LAYER else None
        guess = self._beside if isinstance(instead, NetworkStep) else Guess()
        return guess, instead, chosen

    def _selected(self) -> Reconstruction | None:
        """Return the reconstruction that a selected layer shows."""
        shown = map(canvas.shown_by, self._viewer.layers.selection)
        return next((of for of in shown if of is not None), None)

    def set_guess(self, guess: Guess) -> None:
        """Start from a guess, as a recipe names it; a network that is set then has its probe."""
        self._beside = guess
        if guess.optics is not None:
            self.optics.set_options(guess.optics)
        words = {value: word for word, value in GUESSES.items()}
        self.choice.setCurrentText(words[guess.probe])

    def set_given(self, given: Reconstruction | NetworkStep, title: str) -> None:
        """Start from this, which is listed so: "prediction: star".

        Args:
            given: A reconstruction, or a network that predicts one when the run begins.
            title: What it is called.
        """
        if self._given is None:
            self.choice.insertItem(self.choice.count() - 1, "")
        self._given = given
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
        kinds = "Reconstructions (*.h5 *.hdf5 *.npz)"
        path = ask_file(self, "Start from a reconstruction", kinds)
        if path:
            self.set_path(path)
        elif self._path is None:
            self.choice.setCurrentIndex(0)
