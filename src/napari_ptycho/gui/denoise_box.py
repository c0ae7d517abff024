"""What always shows at the foot of the Denoise dock: buttons, progress, scores, curves, history."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from napari.viewer import Viewer
from qtpy.QtWidgets import QPushButton, QSizePolicy, QWidget

from napari_ptycho.gui.history_bar import HistoryBar
from napari_ptycho.gui.layouts import button_row, stack
from napari_ptycho.gui.pace import ITERATIONS, Pace
from napari_ptycho.gui.run_bar import RunBar, newest
from napari_ptycho.gui.save_button import SaveButton
from napari_ptycho.gui.saving import Savable
from napari_ptycho.gui.widgets import Note
from napari_ptycho.job import Update

if TYPE_CHECKING:
    from napari_ptycho.denoise.result import Denoised
    from napari_ptycho.gui.denoise_plot import DenoisePlot


class DenoiseBox(QWidget):
    """Buttons of a run and what it tells; the dock acts on them."""

    def __init__(self, viewer: Viewer, savable: Callable[[], Savable | None]) -> None:
        super().__init__()
        self._viewer = viewer
        self._pace: Pace | None = None
        self.start_button, self.stop_button = QPushButton("Denoise"), QPushButton("Stop")
        self.continue_button = QPushButton("Continue")
        self.discard_button = QPushButton("Discard")
        self.adopt_button = QPushButton("Start from this")
        self.save_button = SaveButton(savable)
        self.bar = RunBar("Iterations that are done; it may stop earlier by its rule.")
        self.status, self.grid = Note(viewer), Note(viewer, small=True)
        self.history = HistoryBar()
        self._lay_out()
        self.clear()

    def _lay_out(self) -> None:
        tips = {
            self.start_button: "Denoise the layer from the beginning.",
            self.stop_button: "End after this update; the best output so far is kept. A "
            "classical method is left at once, with nothing.",
            self.continue_button: "As many iterations more as Iterations says, with the "
            "same network.",
            self.discard_button: "Remove the denoised layers and forget the result.",
            self.adopt_button: "Make the denoised reconstruction the current one: Continue in the "
            "Reconstruct dock then starts from it.",
            self.save_button: "Write what is shown, with settings and curves: a reconstruction in "
            "the form that the ending of the file chooses, a plain image as TIFF.",
        }
        for button, tip in tips.items():
            button.setToolTip(tip)
        first, second = list(tips)[:4], list(tips)[4:]
        told = self.bar, self.status, self.grid, self.history
        self._rows = stack(self, button_row(*first), button_row(*second), *told, spacing=4)
        self._rows.setContentsMargins(8, 4, 8, 8)

    @cached_property
    def plot(self) -> "DenoisePlot":
        """The curves, made when there are some: pyqtgraph takes long to import."""
        from napari_ptycho.gui.denoise_plot import DenoisePlot

        plot = DenoisePlot(self._viewer)
        self._rows.insertWidget(self._rows.indexOf(self.history), plot, 1)
        return plot

    def begin(self) -> None:
        """A run begins."""
        self._pace = None
        self.history.restart()
        self.show_cursor(None)
        self.prepare()

    def prepare(self) -> None:
        """Something begins of which there is nothing to tell yet."""
        self.bar.setValue(0)
        self.status.show_lines(["preparing…"])

    def clear(self) -> None:
        """Nothing is shown."""
        self.bar.setValue(0)
        for note in (self.status, self.grid):
            note.show_lines()
        self.history.setVisible(False)
        self._show_plot(False)

    def show_preparing(self, update: Update[Any]) -> None:
        """Show what is done before the first iteration: the newest note says it."""
        self.bar.show_update(update)
        self.status.show_lines(update.notes[-1:], newest(update.notes[:-1]))

    def show_update(self, update: Update[Any]) -> None:
        """Show how far the run is."""
        self._pace = self._pace or Pace(unit=ITERATIONS)
        self.bar.show_update(update)
        self.status.show_lines([self._pace.text(update)], newest(update.notes))
        self.show_result(update.result.denoised)

    def show_end(self, outcome: str, result: "Denoised | None") -> None:
        """Show how a run has ended."""
        if result is None:
            self.status.show_lines([outcome])
            return
        network = result.iteration > 0
        end = f" by the rule '{result.rule}'" if result.stopped and outcome == "done" else ""
        where = f" after {result.done} iterations{end} · best {result.iteration}" if network else ""
        self.status.show_lines([f"{outcome}{where}"], newest(result.notes))
        self.show_result(result)

    def show_result(self, result: "Denoised") -> None:
        """Show curves, grid score and past outputs."""
        from napari_ptycho.denoise.grid import alarms

        self._show_plot(result.iteration > 0)
        if result.iteration > 0:
            self.plot.show_curves(result.curves, result.iteration, result.noise_db)
        self.history.show_past(result.past, result.iteration)
        self.show_cursor(self.history.pinned)
        scores = [f"{period} px: {value:.1f} dB" for period, value in result.grid.items()]
        line = f"grid {' · '.join(scores)}" if scores else ""
        bad = bool(alarms(result.grid))
        self.grid.show_lines([line] if line and not bad else [], [line] if bad else [])

    def show_cursor(self, iteration: int | None) -> None:
        """Mark the iteration whose output is shown; None: none in particular."""
        if "plot" in vars(self):
            self.plot.show_cursor(iteration)

    def _show_plot(self, on: bool) -> None:
        """Before the first run the room is for the settings."""
        policy = QSizePolicy.Policy
        if on or "plot" in vars(self):
            self.plot.setVisible(on)
        self.setSizePolicy(policy.Preferred, policy.Expanding if on else policy.Maximum)

    def enable(self, running: bool, has_layer: bool, result: "Denoised | None", ours: bool) -> None:
        """Enable the buttons that make sense.

        Args:
            running: Whether a run is under way.
            has_layer: Whether there is something to denoise.
            result: What was reached.
            ours: Whether it is of a reconstruction.
        """
        there = result is not None
        self.start_button.setEnabled(has_layer and not running)
        self.stop_button.setEnabled(running)
        self.continue_button.setEnabled(
            not running and result is not None and result.run is not None
        )
        self.discard_button.setEnabled(there)
        self.adopt_button.setEnabled(there and ours and not running)
        self.save_button.setEnabled(there and not running)
