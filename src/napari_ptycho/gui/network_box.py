"""What always shows at the foot of the Network dock: buttons, progress, scores, curves."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from napari.viewer import Viewer
from qtpy.QtWidgets import QPushButton, QSizePolicy, QWidget

from napari_ptycho.gui.layouts import button_row, stack
from napari_ptycho.gui.network_jobs import PREDICT, TRAIN, TUNE, ObjectView, TrainView
from napari_ptycho.gui.pace import EPOCHS, Pace
from napari_ptycho.gui.run_bar import RunBar, newest
from napari_ptycho.gui.save_button import SaveButton
from napari_ptycho.gui.saving import Savable
from napari_ptycho.gui.widgets import Note
from napari_ptycho.job import Update

if TYPE_CHECKING:
    from napari_ptycho.gui.network_plot import TrainPlot, TunePlot

UNITS = {PREDICT: ("pattern", "patterns"), TRAIN: EPOCHS, TUNE: EPOCHS}
TIPS = {
    PREDICT: "Predict the object of the open scan, in one pass over its patterns.",
    TRAIN: "Train anew, from what Start from says.",
    TUNE: "Fine-tune the current network on the open scan.",
}


class NetworkBox(QWidget):
    """Buttons of a run and what it tells; the dock acts on them."""

    def __init__(self, viewer: Viewer, savable: Callable[[], Savable | None]) -> None:
        super().__init__()
        self._viewer, self._task, self._pace = viewer, PREDICT, Pace()
        self.start_button, self.stop_button = QPushButton(PREDICT), QPushButton("Stop")
        self.continue_button = QPushButton("Continue")
        self.refine_button = QPushButton("Refine in Reconstruct")
        self.save_button = SaveButton(savable)
        self.save_button.setText("Save object…")
        self.bar = RunBar("Patterns or epochs that are done.")
        self.status, self.scores = Note(viewer), Note(viewer)
        self._lay_out()
        self._show_plot("")

    def _lay_out(self) -> None:
        tips = {
            self.stop_button: "End after this update; the best so far is kept.",
            self.continue_button: "As many epochs more as Epochs says, with the network, the "
            "pairs and the state of the last training.",
            self.refine_button: "Go to the Reconstruct dock, with this object as the start of its "
            "engines.",
            self.save_button: "Write the predicted object as a reconstruction; the ending of the "
            "file chooses the form: HDF5 with all there is, or any other.",
        }
        for button, tip in tips.items():
            button.setToolTip(tip)
        buttons = (
            button_row(self.start_button, self.stop_button, self.continue_button),
            button_row(self.refine_button, self.save_button),
        )
        self._rows = stack(self, *buttons, self.bar, self.status, self.scores, spacing=4)
        self._rows.setContentsMargins(8, 4, 8, 8)
        self._rows.addStretch()

    @cached_property
    def plots(self) -> "dict[str, TrainPlot | TunePlot]":
        """The curves by task, made when there are some: pyqtgraph takes long to import."""
        from napari_ptycho.gui.network_plot import TrainPlot, TunePlot

        plots: dict[str, TrainPlot | TunePlot] = {
            TRAIN: TrainPlot(self._viewer),
            TUNE: TunePlot(self._viewer),
        }
        for plot in plots.values():
            self._rows.insertWidget(self._rows.count() - 1, plot, 1)
        return plots

    # -- a run

    def begin(self, task: str) -> None:
        """A run of this task begins."""
        self._task, self._pace = task, Pace(unit=UNITS[task])
        self.bar.setValue(0)
        self.status.show_lines(["preparing…"])
        self.scores.show_lines()
        self._show_plot("")

    def show_update(self, update: Update[Any]) -> None:
        """Show how far the run is."""
        self.bar.show_update(update)
        if update.result is None:
            self.status.show_lines(update.notes)
            return
        self.status.show_lines([self._pace.text(update)], newest(update.notes))
        self.show_result(update)

    def show_result(self, update: Update[Any]) -> None:
        """Show scores and curves."""
        view = update.result
        if isinstance(view, TrainView):
            self._show_training(update, view)
        elif isinstance(view, ObjectView):
            self.scores.show_lines(_object_lines(view))
            if self._task == TUNE:
                self._show_plot(TUNE)
                epoch = getattr(view.result, "epoch", 0)
                self.plots[TUNE].show_values(update.history, epoch)

    def _show_training(self, update: Update[Any], view: TrainView) -> None:
        from napari_ptycho.gui.network_plot import TrainPlot

        trained, plot = view.trained, self.plots[TRAIN]
        assert isinstance(plot, TrainPlot)
        self._show_plot(TRAIN)
        plot.show_training(update.history, trained.epoch, trained.baseline)
        self.scores.show_lines(_training_lines(view), _training_doubts(view))

    def show_end(self, outcome: str, update: Update[Any] | None) -> None:
        """Show how a run has ended."""
        if update is None or update.result is None:
            self.status.show_lines([outcome])
            return
        _, many = UNITS[self._task]
        where = f"{update.done:.0f} of {update.total:.0f} {many}"
        view = update.result
        if isinstance(view, ObjectView) and self._task == PREDICT and view.seconds > 0:
            where = f"{where} · {update.done / view.seconds:.0f} {many}/s"
        self.status.show_lines([f"{outcome} after {where}"], newest(update.notes))
        self.show_result(update)

    def _show_plot(self, task: str) -> None:
        """Before there are curves the room is for the settings."""
        policy = QSizePolicy.Policy
        if task or "plots" in vars(self):
            for name, plot in self.plots.items():
                plot.setVisible(name == task)
        self.setSizePolicy(policy.Preferred, policy.Expanding if task else policy.Maximum)

    def enable(
        self, task: str, running: bool, problem: str, can_go_on: bool, has_object: bool
    ) -> None:
        """Enable the buttons that make sense.

        Args:
            task: The task that is chosen.
            running: Whether a run is under way.
            problem: What is in the way of the task.
            can_go_on: Whether there is a training to go on with.
            has_object: Whether there is a predicted object.
        """
        self.start_button.setText(task)
        self.start_button.setToolTip(problem or TIPS[task])
        self.start_button.setEnabled(not running and not problem)
        self.stop_button.setEnabled(running)
        self.continue_button.setVisible(task == TRAIN)
        self.continue_button.setEnabled(can_go_on and not running)
        for button in (self.refine_button, self.save_button):
            button.setVisible(task != TRAIN)
            button.setEnabled(has_object and not running)


def _training_lines(view: TrainView) -> list[str]:
    """Return the scores of what is kept."""
    trained = view.trained
    constant = trained.baseline.get("validation")
    beside = "" if constant is None else f" (a constant: {constant:.3g})"
    parts = (
        [f"validation loss {trained.scores['validation']:.3g}{beside}"] if trained.scores else []
    )
    for name, text in (("psnr_db", "PSNR {:.1f} dB"), ("correlation", "phase correlation {:z.2f}")):
        value = trained.scores.get(name, math.nan)
        if math.isfinite(value):
            parts.append(text.format(value))
    return [f"kept, epoch {trained.epoch:.0f}: {' · '.join(parts)}"] if parts else []


def _training_doubts(view: TrainView) -> list[str]:
    trained = view.trained
    reached, constant = (
        of.get("validation", math.nan) for of in (trained.scores, trained.baseline)
    )
    return ["Not better than a constant: nothing is learnt yet."] if reached >= constant else []


def _object_lines(view: ObjectView) -> list[str]:
    """Return what is known of a predicted object."""
    predicted, spread = view.predicted, view.drawing.mean_spread
    if not math.isfinite(predicted.r_factor):
        return []
    lines = [f"R factor  {predicted.r_factor:.3f} (a flat object: {predicted.r_flat:.3f})"]
    if math.isfinite(spread):
        lines.append(f"spread  {spread:.3f} where patches overlap")
    return lines
