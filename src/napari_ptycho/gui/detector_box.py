"""The Detector section: centre, cut, rebin and mask the frames, and at once what that does."""

from dataclasses import replace
from functools import partial
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_ptycho.errors import PtychoError
from napari_ptycho.gui import preparing
from napari_ptycho.gui.form import OptionsForm
from napari_ptycho.gui.leave_row import LEFT, LeaveRow
from napari_ptycho.gui.mask_layer import MaskLayer
from napari_ptycho.gui.pause import Pause
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.views import ScanView
from napari_ptycho.gui.widgets import Choice, Note
from napari_ptycho.prepare import (
    DetectorOptions,
    DetectorReport,
    detector_report,
    fft_sizes,
    find_centre,
)

PAUSE_MS = 200
OFFERED = 14
SIZES = "Quick sizes…"


class DetectorBox(QWidget):
    """A form of `DetectorOptions` for the scan as it is shown, before binning."""

    asked = Signal(object, str)
    """Work for the dock's thread that returns the changed scan, and what it is called."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._view: ScanView | None = None
        self._open = self._stale = False
        self.runner, self.finder = Runner(self), Runner(self)
        self.form = OptionsForm(DetectorOptions)
        self.sizes = Choice("Even sizes whose Fourier transform is quick: products of 2, 3, 5, 7.")
        self.layer = MaskLayer(viewer, self)
        self.auto_button, self.paint_button = QPushButton("Auto centre"), QPushButton("Mask…")
        self.apply_button, self.back_button = QPushButton("Apply"), QPushButton("As read")
        self.busy, self.finding = LeaveRow(self.runner), LeaveRow(self.finder)
        self.note = Note(viewer)
        self._lay_out()
        self._later = Pause(self, PAUSE_MS, self._report)
        self._connect()

    def _lay_out(self) -> None:
        self.paint_button.setCheckable(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form)
        layout.addWidget(self.sizes)
        for widgets in (
            (self.auto_button, self.paint_button),
            (self.apply_button, self.back_button),
        ):
            row = QHBoxLayout()
            for widget in widgets:
                row.addWidget(widget)
            layout.addLayout(row)
            if self.auto_button in widgets:
                for below in (self.finding, self.busy, self.note):
                    layout.addWidget(below)
        for button, tip in (
            (self.auto_button, "Find zero frequency: the centroid of what is bright on average."),
            (
                self.paint_button,
                "Show the mask over the mean pattern, and paint: label 1 masks, the eraser gives "
                "back. Blue is masked, red hot, violet dead, yellow saturated in some patterns.",
            ),
            (self.apply_button, "Change the patterns of the scan; a note says how. Undoes bins."),
            (self.back_button, "Go back to the scan as it was read: patterns, mask, orientation."),
        ):
            button.setToolTip(tip)

    def _connect(self) -> None:
        self.form.changed.connect(self._later.start)
        self.sizes.activated.connect(self._on_size)
        self.auto_button.clicked.connect(self._on_auto)
        self.paint_button.toggled.connect(self._on_paint)
        self.apply_button.clicked.connect(self._on_apply)
        self.back_button.clicked.connect(self._on_back)
        self.layer.gone.connect(partial(self.paint_button.setChecked, False))
        self.runner.finished.connect(self._on_report)
        self.finder.finished.connect(self._on_centre)

    def show_scan(self, view: ScanView) -> None:
        """Ask about this scan (not binned); other frames set the form back."""
        if self._view is None or view.patterns is not self._view.patterns:
            self.form.set_options(DetectorOptions())
            self._offer(min(view.scan.frame_shape))
            self.note.show_lines()
            self.finder.leave()  # the centre of other frames is not asked for any more
        self._view = view
        near = view.scan.geometry.propagation == "near"
        self.auto_button.setEnabled(not near)
        self.back_button.setEnabled(view.as_read is not None)
        self._later.start()

    def set_open(self, on: bool) -> None:
        """Work only while the section is open: nothing is read for what nobody sees."""
        self._open = on
        self._later.start()

    def options(self) -> DetectorOptions:
        """Return the options as they stand."""
        return self.form.options()

    def _offer(self, largest: int) -> None:
        self.sizes.clear()
        self.sizes.addItem(SIZES)
        self.sizes.addItems([str(size) for size in fft_sizes(largest)[:OFFERED]])

    def _on_size(self, index: int) -> None:
        if index:
            self._set(size=int(self.sizes.itemText(index)))

    def _set(self, **values: Any) -> None:
        self.form.set_options(replace(self.options(), **values))
        self._later.start()

    def _on_auto(self) -> None:
        if self._view is not None:
            self.finder.call(partial(find_centre, self._view.scan), "find the centre")

    def _on_centre(self, outcome: str, centre: Any) -> None:
        if outcome == "done":
            row, column = (round(place, 2) for place in centre)
            self._set(centre="given", centre_y=row, centre_x=column)

    def _on_paint(self, on: bool) -> None:
        if on:
            self._later.start()
        else:
            self.layer.remove()

    def _on_apply(self) -> None:
        if self._view is not None:
            work = partial(preparing.cut, self._view, self.options(), self.layer.painted())
            self.asked.emit(work, f"change the patterns of {self._view.scan.name}")

    def _on_back(self) -> None:
        if self._view is not None:
            work = partial(preparing.back, self._view)
            self.asked.emit(work, f"take {self._view.scan.name} as read")

    def _report(self) -> None:
        if self._view is None or not (self._open or self.paint_button.isChecked()):
            return
        if self.runner.running:
            self._stale = True
            return
        self.runner.call(partial(_checked, self._view, self.options()), "look at the patterns")

    def _on_report(self, outcome: str, found: Any) -> None:
        if outcome == "stopped":
            self._stale = False
            self.note.show_lines([LEFT])
            return
        if self._stale:
            self._stale = False
            self._report()
            return
        if outcome != "done" or self._view is None or found[0] is not self._view:
            return
        report: DetectorReport | str = found[1]
        if isinstance(report, str):
            self.note.show_lines([], [report])
            return
        self.note.show_lines(report.lines(), report.warnings)
        if self.paint_button.isChecked():
            self.layer.show(report.flags)


def _checked(view: ScanView, options: DetectorOptions) -> "tuple[ScanView, DetectorReport | str]":
    """Return the report, or the sentence that says why there is none: typing is no failure."""
    try:
        return view, detector_report(view.scan, options)
    except PtychoError as error:
        return view, str(error)
