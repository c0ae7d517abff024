"""The Reconstruct dock: engine, options, start; live layers and error curve; save."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from napari.utils.notifications import show_info
from napari.viewer import Viewer
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QStackedWidget,
)

from napari_ptycho.device import CHOICES
from napari_ptycho.engines import ENGINES, EngineOptions, reconstruct
from napari_ptycho.errors import PtychoError
from napari_ptycho.gui.closing import CloseGuard
from napari_ptycho.gui.form import OptionsForm
from napari_ptycho.gui.layers import ReconstructionLayers
from napari_ptycho.gui.pace import Pace
from napari_ptycho.gui.plot import LivePlot
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.save_button import SaveButton
from napari_ptycho.gui.session import real_viewer, session_of
from napari_ptycho.gui.start_box import Start, StartBox
from napari_ptycho.gui.views import ReconstructionView, viewed
from napari_ptycho.gui.widgets import Dock, Note, form_rows
from napari_ptycho.job import Update
from napari_ptycho.model import Scan

MAIN = ("epochs", "modes", "batch", "object_step", "probe_step")
BAR = 1000


def make_job(
    scan: Scan, options: EngineOptions, start: Start, device: str
) -> Iterator[Update[ReconstructionView]]:
    """Return the job that the thread runs, made in the thread."""
    return viewed(reconstruct(scan, options, start.make(scan, options.modes), device))


class ReconstructDock(Dock):
    """Reconstructs the current scan of one viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(real_viewer(napari_viewer))
        self.session = session_of(self.viewer)
        self.layers = ReconstructionLayers(self.viewer)
        self.runner = Runner(self)
        self._pace, self._begun = Pace(), False
        self.scan_note, self.status = Note(self.viewer), Note(self.viewer)
        self.engine, self.device, self.forms = QComboBox(), QComboBox(), QStackedWidget()
        self.start_box = StartBox(self.viewer)
        self.plot = LivePlot(self.viewer, "error")
        self.bar = QProgressBar()
        self.start_button, self.stop_button = QPushButton("Start"), QPushButton("Stop")
        self.continue_button = QPushButton("Continue")
        self.save_button = SaveButton(self.session)
        self._lay_out()
        self._connect()
        self.guard = CloseGuard(self)
        self._refresh()

    def _lay_out(self) -> None:
        for cls in ENGINES.values():
            self.engine.addItem(cls.title)
            self.forms.addWidget(OptionsForm(cls, MAIN))
        self.device.addItems(CHOICES)
        self.device.setToolTip("Where to compute; auto takes a GPU if there is one.")
        rows = form_rows()
        rows.addRow("Engine", self.engine)
        rows.addRow("Device", self.device)
        rows.addRow("Start from", self.start_box)
        buttons = QHBoxLayout()
        for button, tip in (
            (self.start_button, "Reconstruct from the chosen start."),
            (self.stop_button, "End after this update; what was reached is kept."),
            (self.continue_button, "Go on from the reconstruction that is shown."),
            (self.save_button, "Write object, probe, errors and provenance to an HDF5 file."),
        ):
            button.setToolTip(tip)
            button.setMinimumWidth(40)
            buttons.addWidget(button)
        self.bar.setRange(0, BAR)
        self.rows.addWidget(self.scan_note)
        self.rows.addLayout(rows)
        self.rows.addWidget(self.forms)
        self.rows.addLayout(buttons)
        self.rows.addWidget(self.bar)
        self.rows.addWidget(self.status)
        self.rows.addWidget(self.plot, 1)

    def _connect(self) -> None:
        self.engine.currentIndexChanged.connect(self.forms.setCurrentIndex)
        self.start_button.clicked.connect(self.start)
        self.stop_button.clicked.connect(self.runner.stop)
        self.continue_button.clicked.connect(self.go_on)
        self.save_button.saved.connect(self._on_saved)
        self.runner.updated.connect(self._on_update)
        self.runner.finished.connect(self._on_finished)
        self.session.scan_changed.connect(self._refresh)
        self.session.reconstruction_changed.connect(self._on_reconstruction)

    def options(self) -> EngineOptions:
        """Return the options of the chosen engine as they stand."""
        form: Any = self.forms.currentWidget()
        return form.options()

    def start(self) -> None:
        """Reconstruct the current scan from the chosen start."""
        start = self.start_box.start()
        if start is not None:
            self._run(start)

    def go_on(self) -> None:
        """Go on from the reconstruction that is shown, for as many epochs again."""
        if self.session.reconstruction is not None:
            self._run(Start(reconstruction=self.session.reconstruction))

    def _run(self, start: Start) -> None:
        scan = self.session.scan
        if scan is None:
            show_info("Open a scan first, in the Scan dock.")
            return
        try:
            options = self.options()
        except PtychoError as error:
            show_info(str(error))
            return
        job = partial(make_job, scan, options, start, self.device.currentText())
        if self.runner.start(job, f"reconstruct {scan.name}", options.epochs):
            self._pace, self._begun = Pace(), False
            self.bar.setValue(0)
            self.status.show_lines(["preparing…"])
            self.guard.watch()
            self._refresh()

    def _on_update(self, update: Update[ReconstructionView]) -> None:
        view = update.result
        if self._begun:
            self.layers.show(view.picture)
        else:
            self.layers.begin(view.picture)
            self._begun = True
        self.session.show_reconstruction(view.reconstruction)
        self.bar.setValue(round(BAR * update.done / max(update.total, 1)))
        self.status.show_lines([self._pace.text(update)], update.notes)

    def _on_reconstruction(self) -> None:
        reconstruction = self.session.reconstruction
        if reconstruction is not None:
            self.plot.show_curve(reconstruction.errors)
        self._refresh()

    def _on_finished(self, outcome: str, value: Any) -> None:
        last = self.runner.last
        if last is not None:  # by now its picture is the last state's, see `views.viewed`
            self.layers.show(last.result.picture)
        done = "" if last is None else f" after epoch {int(last.done)} of {last.total:.0f}"
        self.status.show_lines([f"{outcome}{done}"], [] if last is None else last.notes)
        self._refresh()

    def _on_saved(self, path: str) -> None:
        self.status.show_lines([f"saved as {path}"])

    def _refresh(self) -> None:
        """Make buttons and notes follow the session and the runner."""
        running, scan = self.runner.running, self.session.scan
        has_result = self.session.reconstruction is not None
        self.scan_note.show_lines([_describe(scan)])
        self.start_button.setEnabled(scan is not None and not running)
        self.stop_button.setEnabled(running)
        self.continue_button.setEnabled(scan is not None and has_result and not running)
        self.save_button.setEnabled(has_result)


def _describe(scan: Scan | None) -> str:
    if scan is None:
        return "No scan is open: see the Scan dock."
    height, width = scan.frame_shape
    return f"{scan.name}: {len(scan)} patterns of {height} x {width}"
