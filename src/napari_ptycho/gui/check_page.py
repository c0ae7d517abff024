"""The page of the hallucination check: one button, a verdict, its evidence, maps, a report."""

from functools import partial
from pathlib import Path
from typing import Any

from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtWidgets import QHeaderView, QLabel, QPushButton, QTableWidget, QVBoxLayout

from napari_ptycho.assess.check_options import CheckOptions
from napari_ptycho.assess.verdict import LIMITS, Check
from napari_ptycho.errors import PtychoError
from napari_ptycho.gui import kept
from napari_ptycho.gui.check_jobs import Case, case_of_layer, make_check
from napari_ptycho.gui.check_layers import CheckLayers
from napari_ptycho.gui.fold import Fold
from napari_ptycho.gui.form import OptionsForm
from napari_ptycho.gui.inspect_page import Chosen, Page
from napari_ptycho.gui.layouts import button_row
from napari_ptycho.gui.run_bar import RunBar
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.save_button import SaveButton
from napari_ptycho.gui.saving import Savable
from napari_ptycho.gui.widgets import RED, Note, fit_rows, form_rows, put, small_table
from napari_ptycho.job import Update

COLOURS = {
    "supported": "#2e7d32",
    "neutral": "#8a6d00",
    "contradicted": "#b3261e",
    "not tested": "#555555",
}


class CheckPage(Page):
    """Checks a denoised or predicted layer."""

    def __init__(self, viewer: Viewer, chosen: Chosen) -> None:
        super().__init__(viewer, chosen)
        self.runner, self.layers = Runner(self), CheckLayers(viewer)
        self.found: Check | None = None
        """The newest whole check."""
        self._case, self._checked = Case(), Case()
        self.about, self.status = Note(viewer, small=True), Note(viewer, small=True)
        self.start_button = QPushButton("Check for hallucinations")
        self.start_button.setToolTip(
            "Half of the photons are reconstructed and denoised as the whole was; the other half "
            "judges. Takes about as long as the denoising did."
        )
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("End now, without a verdict; the last whole check is kept.")
        self.save_button = SaveButton(self._savable)
        self.save_button.setToolTip("Write the report: a page (.html) or data (.json).")
        self.bar = RunBar("How far it is: reconstructing, denoising and judging.")
        self.form = OptionsForm(CheckOptions)
        kept.form(self.form, "Inspect.Check")
        self.verdict, self.sentence = QLabel(), Note(viewer)
        self.table, self.limits = EvidenceTable(viewer), Note(viewer, small=True)
        self._lay_out()
        self.start_button.clicked.connect(self.start)
        self.stop_button.clicked.connect(self.runner.stop)
        self.save_button.saved.connect(self._on_saved)
        self.runner.updated.connect(self._on_update)
        self.runner.finished.connect(self._on_finished)
        chosen.session.scan_changed.connect(self.refresh)
        self._clear()

    def _lay_out(self) -> None:
        options = form_rows()
        options.addRow(self.form)
        found = QVBoxLayout()
        for widget in (self.verdict, self.sentence, self.table):
            found.addWidget(widget)
        self.rows.addWidget(self.about)
        fold = Fold("Options", options)
        kept.opened(fold, "Inspect.check options")
        self.rows.addWidget(fold)
        self.rows.addLayout(button_row(self.start_button, self.stop_button, self.save_button))
        self.rows.addWidget(self.bar)
        self.rows.addWidget(self.status)
        self.rows.addLayout(found)
        self.rows.addWidget(self.limits)
        self.rows.addStretch(1)

    def refresh(self) -> None:
        """Find what belongs to the chosen layer."""
        case = case_of_layer(self.viewer, self.chosen.layer, self.chosen.other)
        self._case = case
        self.about.show_lines(case.lines, [case.problem] if case.problem else [])
        self._enable()

    def start(self) -> None:
        """Check the chosen layer."""
        self.refresh()
        case = self._case
        if case.problem or case.layer is None:
            return
        options = self.form.options()
        job = partial(make_check, case, options, "auto")
        if self.runner.start(job, f"check {case.layer.name}", 100):
            self._checked = case
            self._clear()
            self._enable()

    def _on_update(self, update: Update[Check]) -> None:
        self.bar.show_update(update)
        self.status.show_lines([update.result.doing] if update.result.doing else [])

    def _on_finished(self, outcome: str, value: Any) -> None:
        found = value.result if isinstance(value, Update) else None
        if isinstance(found, Check):
            original = self._checked.original
            if found.halves is not None and original is not None:
                self.chosen.session.halves[original] = found.halves
            if outcome == "done":
                self._show(found)
        if outcome != "done":
            why = [str(value)] if isinstance(value, PtychoError) else []
            self.status.show_lines([outcome], why)
        self._enable()

    def _show(self, found: Check) -> None:
        self.found = found
        self.bar.setValue(self.bar.maximum())
        self.verdict.setText(found.verdict.upper())
        self.verdict.setStyleSheet(
            f"background: {COLOURS[found.verdict]}; color: white; font-weight: bold; "
            "font-size: 12pt; padding: 4px 8px; border-radius: 3px"
        )
        self.verdict.setVisible(True)
        self.sentence.show_lines([found.name, found.sentence()])
        self.table.show_check(found)
        self.status.show_lines([], found.notes)
        self.limits.show_lines([f"· {limit}" for limit in LIMITS])
        of = self._checked.of
        if of is not None:
            self.layers.show(found, of)

    def _clear(self) -> None:
        self.found = None
        self.bar.setValue(0)
        self.verdict.setVisible(False)
        self.table.setVisible(False)
        for note in (self.sentence, self.limits, self.status):
            note.show_lines()

    def _enable(self) -> None:
        running = self.runner.running
        self.start_button.setEnabled(not running and not self._case.problem)
        self.stop_button.setEnabled(running)
        self.save_button.setEnabled(self.found is not None and not running)

    def _savable(self) -> Savable | None:
        found = self.found
        if found is None:
            return None
        from napari_ptycho.assess.check_report import write_report

        def write(path: Path) -> None:
            write_report(found, path)

        kinds = "Page (*.html);;Data (*.json)"
        return Savable("Save the report", f"{found.name} · check.html", kinds, write)

    def _on_saved(self, path: str) -> None:
        self.status.show_lines([f"saved as {path}"], () if self.found is None else self.found.notes)


class EvidenceTable(QTableWidget):
    """One row per test; alarms in red, the whole sentence as tooltip."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(0, 2)
        self._viewer = viewer
        small_table(self)
        self.setToolTip("A row per test; alarms are red.")
        self.setWordWrap(True)
        header = self.horizontalHeader()
        header.hide()
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self._found: Check | None = None
        viewer.events.theme.connect(self._on_theme)

    def _on_theme(self, event: Any = None) -> None:
        if self._found is not None and not self.isHidden():
            self.show_check(self._found)

    def show_check(self, found: Check) -> None:
        """Show the evidence of a check."""
        self._found = found
        red = RED[get_theme(self._viewer.theme).type]
        self.setRowCount(len(found.evidence))
        for row, one in enumerate(found.evidence):
            for column, text in enumerate((one.test, one.sentence)):
                put(self, row, column, text, one.sentence, red if one.alarm else "")
        self.setVisible(True)
        fit_rows(self)

    def resizeEvent(self, event: Any) -> None:
        """Wrap anew at another width."""
        super().resizeEvent(event)
        fit_rows(self)
