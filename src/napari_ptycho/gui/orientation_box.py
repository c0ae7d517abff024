"""The Orientation section: find how the frames lie, look, and turn them."""

from functools import partial
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_ptycho.engines.orientation import (
    OrientationOptions,
    find_orientation,
    steps,
)
from napari_ptycho.engines.ranking import OrientationRanking, relabelled
from napari_ptycho.gui import kept, preparing
from napari_ptycho.gui.form import OptionsForm
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.ranking_grid import RankingGrid
from napari_ptycho.gui.run_bar import RunBar
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.views import ScanView
from napari_ptycho.gui.widgets import Choice, Note
from napari_ptycho.job import Update
from napari_ptycho.prepare.orientation import CODES

STARTS = (
    "Short reconstructions of patterns amid the scan tell whether they are turned or flipped "
    "against the positions."
)


class OrientationBox(QWidget):
    """Finds the orientation of the scan as it is shown, before binning, or turns it by hand."""

    asked = Signal(object, str)
    """Work for the dock's thread that returns the turned scan, and what it is called."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._view: ScanView | None = None
        self._of: ScanView | None = None
        self._ranking: OrientationRanking | None = None
        self._turning = 0
        self.runner = Runner(self)
        self.form = OptionsForm(OrientationOptions, main=("patterns",))
        kept.form(self.form, "Scan.orientation")
        self.find_button, self.stop_button = QPushButton("Find orientation"), QPushButton("Stop")
        self.find_button.setToolTip(
            "Reconstruct the middle of the scan in all orientations, and rank them by their error."
        )
        self.stop_button.setToolTip("End now; what is ranked so far is kept.")
        self.bar = RunBar("Epochs that are done, of all orientations.")
        self.note, self.grid = Note(viewer), RankingGrid()
        self.codes = Choice("What is done to the patterns: transposed first, then flipped.")
        self.codes.addItems([f"{code}: {text}" for code, text in CODES.items()])
        self.turn_button = QPushButton("Turn")
        self.turn_button.setToolTip("Turn the patterns; a note says how. Bins are undone.")
        self._lay_out()
        self._connect()
        self._show_running(False)
        self.note.show_lines([STARTS])

    def _lay_out(self) -> None:
        find, turn = QHBoxLayout(), QHBoxLayout()
        find.addWidget(self.find_button)
        find.addWidget(self.stop_button)
        turn.addWidget(self.codes, 1)
        turn.addWidget(self.turn_button)
        stack(self, self.form, find, self.bar, self.note, self.grid, turn)

    def _connect(self) -> None:
        self.find_button.clicked.connect(self.search)
        self.stop_button.clicked.connect(self.runner.stop)
        self.turn_button.clicked.connect(self._on_turn)
        self.grid.used.connect(self.turn)
        self.runner.updated.connect(self._on_update)
        self.runner.finished.connect(self._on_finished)

    def show_scan(self, view: ScanView) -> None:
        """Ask about this scan (not binned); a ranking of other frames goes."""
        before, self._view = self._view, view
        turned, self._turning = self._turning, 0
        if before is None or view.patterns is before.patterns:
            return
        if turned and self._ranking is not None:
            self._show(relabelled(self._ranking, turned))
        else:
            self.runner.stop()
            self._show(None)

    def search(self) -> None:
        """Run the short reconstructions in the thread."""
        view = self._view
        if view is None:
            return
        options = self.form.options()
        job = partial(find_orientation, view.scan, options)
        if self.runner.start(job, f"orientation of {view.scan.name}", steps(view.scan, options)):
            self._of = view
            self._show(None)
            self._show_running(True)

    def turn(self, code: int) -> None:
        """Turn the frames by a code."""
        if self._view is not None and code:
            self._turning = code
            work = partial(preparing.turn, self._view, code)
            self.asked.emit(work, f"turn the patterns of {self._view.scan.name}")

    def _on_turn(self) -> None:
        self.turn(self.codes.currentIndex())

    def _on_update(self, update: Update[OrientationRanking]) -> None:
        self.bar.show_update(update)
        if self._is_of_this() and update.result.codes:
            self._show(update.result)

    def _on_finished(self, outcome: str, last: Any) -> None:
        self._of = None
        self._show_running(False)

    def _is_of_this(self) -> bool:
        of, view = self._of, self._view
        return of is not None and view is not None and of.patterns is view.patterns

    def _show(self, ranking: OrientationRanking | None) -> None:
        before = self._ranking
        if ranking is not None and before is not None and ranking.codes == before.codes:
            return
        self._ranking = ranking
        self.grid.show_ranking(ranking)
        if ranking is None:
            self.note.show_lines([STARTS])
        elif ranking.decided:
            self.note.show_lines([ranking.sentence, ranking.ambiguity])
        else:
            self.note.show_lines([ranking.ambiguity], [ranking.sentence])

    def _show_running(self, on: bool) -> None:
        self.find_button.setEnabled(not on)
        self.stop_button.setEnabled(on)
        self.bar.setVisible(on)
