"""What always shows at the foot of the Reconstruct dock: buttons, progress, notes, error curve."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from napari_ptycho.gui import kept
from napari_ptycho.gui.layouts import button_row, stack
from napari_ptycho.gui.pace import Pace
from napari_ptycho.gui.run_bar import RunBar, newest
from napari_ptycho.gui.save_button import SaveButton
from napari_ptycho.gui.saving import Savable, of_reconstruction
from napari_ptycho.gui.session import Session
from napari_ptycho.gui.spots import COLOURS
from napari_ptycho.gui.stages import Stages, under_way
from napari_ptycho.gui.widgets import Choice, Note
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction

if TYPE_CHECKING:
    from napari_ptycho.gui.plot import LivePlot


class RunBox(QWidget):
    """Buttons of a run and what it tells; the dock acts on them."""

    coloured = Signal(str)
    """Colour the positions by this."""

    def __init__(self, viewer: Viewer, session: Session) -> None:
        super().__init__()
        self._viewer, self._session = viewer, session
        self._stages: Stages = ()
        self._stage, self._pace = 0, Pace()
        self.start_button, self.stop_button = QPushButton("Start"), QPushButton("Stop")
        self.continue_button = QPushButton("Continue")
        self.save_button = SaveButton(self._savable)
        self.bar = RunBar("Epochs that are done, of all stages.")
        self.status = Note(viewer)
        self.colour = Choice("What the colour of the positions layer shows.")
        self.colour.addItems(COLOURS)
        self.legend = QLabel()
        self._lay_out()
        self.show_legend("")
        self._show_plot(False)
        kept.choice(self.colour, "Reconstruct.colour")
        self.colour.currentTextChanged.connect(self.coloured)

    def _lay_out(self) -> None:
        for button, tip in (
            (self.start_button, "Reconstruct from the chosen start."),
            (self.stop_button, "End after this update; what was reached is kept."),
            (
                self.continue_button,
                "Go on from the reconstruction that is shown: with the stages that a stopped run "
                "has left, else with the last stage again.",
            ),
            (self.save_button, "Write it to a file: HDF5 with all there is, or any other format."),
        ):
            button.setToolTip(tip)
        buttons = self.start_button, self.stop_button, self.continue_button, self.save_button
        self._label = QLabel("Colour by")
        self._label.setToolTip(self.colour.toolTip())
        self.legend.setStyleSheet("font-size: 8pt")
        self.legend.setWordWrap(True)
        colours = QHBoxLayout()
        colours.addWidget(self._label)
        colours.addWidget(self.colour, 1)
        told = self.bar, self.status, colours, self.legend
        self._rows = stack(self, button_row(*buttons), *told, spacing=6)
        self._rows.setContentsMargins(8, 4, 8, 8)

    @cached_property
    def plot(self) -> "LivePlot":
        """The error curve, made when there is one: pyqtgraph takes long to import."""
        from napari_ptycho.gui.plot import LivePlot

        plot = LivePlot(self._viewer)
        self._rows.addWidget(plot, 1)
        return plot

    def _savable(self) -> Savable | None:
        return of_reconstruction(self._session.reconstruction)

    def begin(self, stages: Stages) -> None:
        """A run of these stages begins."""
        self._stages, self._stage, self._pace = stages, 0, Pace()
        self.bar.setValue(0)
        self.status.show_lines(["preparing…"])

    def show_update(self, update: Update[Any]) -> int:
        """Show how far the run is; return the number of the stage that is under way."""
        stage = under_way(self._stages, update.done)
        if stage != self._stage:  # another engine has another pace
            self._stage, self._pace = stage, Pace()
        self.bar.show_update(update)
        line = self._pace.text(update)
        if len(self._stages) > 1:
            line = f"stage {stage + 1} of {len(self._stages)} · {line}"
        self.status.show_lines([line], newest(update.notes))
        return stage

    def show_end(self, outcome: str, update: Update[Any] | None) -> None:
        """Show how a run has ended."""
        done = "" if update is None else f" after epoch {int(update.done)} of {update.total:.0f}"
        self.status.show_lines([f"{outcome}{done}"], [] if update is None else newest(update.notes))

    def show_errors(self, reconstruction: Reconstruction) -> None:
        """Show the errors so far, and where its engines began."""
        self._show_plot(bool(reconstruction.errors))
        if not reconstruction.errors:
            return
        self.plot.show_curve(reconstruction.errors)
        runs = reconstruction.provenance.get("runs", ())
        self.plot.show_borders([int(run.get("first_epoch", 0)) for run in runs])

    def _show_plot(self, on: bool) -> None:
        """Before the first run the room is for the settings, then the plot takes what is left."""
        policy = QSizePolicy.Policy
        if on or "plot" in vars(self):
            self.plot.setVisible(on)
        self.setSizePolicy(policy.Preferred, policy.Expanding if on else policy.Maximum)

    def show_legend(self, text: str) -> None:
        """Show what the colours of the positions mean; nothing hides the choice."""
        self.legend.setText(text)
        for widget in (self._label, self.colour, self.legend):
            widget.setVisible(bool(text))

    def enable(self, running: bool, has_scan: bool, has_result: bool) -> None:
        """Enable the buttons that make sense."""
        self.start_button.setEnabled(has_scan and not running)
        self.stop_button.setEnabled(running)
        self.continue_button.setEnabled(has_scan and has_result and not running)
        self.save_button.setEnabled(has_result)
