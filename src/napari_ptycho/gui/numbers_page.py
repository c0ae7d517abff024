"""Page of the Inspect dock: how alike layers are, in numbers."""

from collections.abc import Sequence
from functools import partial

from napari.layers import Layer
from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
)

from napari_ptycho.assess.export import CSV_FILTER, write_table
from napari_ptycho.assess.scores import Metrics, MetricsOptions, metrics
from napari_ptycho.errors import PtychoError
from napari_ptycho.gui import kept
from napari_ptycho.gui.form import OptionsForm
from napari_ptycho.gui.inspect_page import Chosen, Page
from napari_ptycho.gui.latest import Latest
from napari_ptycho.gui.leave_row import LEFT, LeaveRow
from napari_ptycho.gui.names import short
from napari_ptycho.gui.planes import Planes
from napari_ptycho.gui.save_button import SaveButton
from napari_ptycho.gui.saving import Savable
from napari_ptycho.gui.widgets import RED, Note, fit_rows, put, show_titles, small_table

HINT = "Choose a Reference above. More layers can be selected in the list of layers."
LEAST_PX = 64  # of a column: four of them beside their names in a narrow dock
Column = tuple[str, Metrics | str]
"""Name of a layer, and its numbers or why there are none."""


class NumbersPage(Page):
    """A column for each chosen or selected layer, against the second choice as the reference."""

    def __init__(self, viewer: Viewer, chosen: Chosen) -> None:
        super().__init__(viewer, chosen)
        self.columns: tuple[Column, ...] = ()
        self.form = OptionsForm(MetricsOptions, main=("span", "ssim_window", "normalise"))
        kept.form(self.form, "Inspect.Numbers")
        self.form.changed.connect(self.refresh)
        self.table = _table()
        self.copy_button = QPushButton("Copy")
        self.copy_button.setToolTip("Copy the table, with tabs between its cells.")
        self.copy_button.clicked.connect(self.copy)
        self.save_button = SaveButton(self._savable)
        self.save_button.setToolTip("Write the table as CSV, with units and warnings.")
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.copy_button)
        buttons.addWidget(self.save_button)
        self.latest = Latest(self, "numbers")
        self.busy, self.note = LeaveRow(self.latest), Note(viewer)
        self.rows.addWidget(self.form)
        self.rows.addWidget(self.table)
        self.rows.addLayout(buttons)
        self.rows.addWidget(self.busy)
        self.rows.addWidget(self.note)
        self.rows.addStretch(1)
        self.busy.stop_button.clicked.connect(self._on_left)
        self.latest.answered.connect(self._on_answer)
        viewer.events.theme.connect(self._draw)
        self._on_answer(())

    def refresh(self) -> None:
        """Compute the numbers of the layers anew."""
        reference = self.chosen.other
        layers = [layer for layer in self.chosen.several() if layer is not reference]
        if reference is None or not layers:
            self.latest.forget()
            self._on_answer(())
            return
        options = self.form.options()
        self.latest.ask(partial(_compared, self.chosen.planes, layers, reference, options))

    def cells(self) -> tuple[list[str], list[list[object]]]:
        """Return titles and rows, as they are copied and saved."""
        known = [(name, found) for name, found in self.columns if isinstance(found, Metrics)]
        titles = ["", "unit", *(name for name, _ in known)]
        rows: list[list[object]] = []
        for i, row in enumerate(known[0][1].rows if known else ()):
            rows.append([row.name, row.unit, *(found.rows[i].value for _, found in known)])
        return titles, rows

    def copy(self) -> None:
        """Put the table onto the clipboard."""
        titles, rows = self.cells()
        lines = [titles, *(["" if cell is None else str(cell) for cell in row] for row in rows)]
        clipboard = QGuiApplication.clipboard()
        clipboard.setText("\n".join("\t".join(line) for line in lines))

    def _on_answer(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self._draw()

    def _on_left(self) -> None:
        self._on_answer(())
        self.note.show_lines([LEFT])

    def _draw(self, event: object = None) -> None:
        good = [(name, found) for name, found in self.columns if isinstance(found, Metrics)]
        bad = [f"{name}: {found}" for name, found in self.columns if isinstance(found, str)]
        rows = good[0][1].rows if good else ()
        self.table.setColumnCount(1 + len(good))
        self.table.setRowCount(len(rows))
        names = [name for name, _ in good]
        show_titles(self.table, zip(["", *short(names)], ["", *names], strict=True))
        red = RED[get_theme(self.viewer.theme).type]
        for i, row in enumerate(rows):
            put(self.table, i, 0, row.name, f"{row.name}: {row.help}")
            for column, (_, found) in enumerate(good, 1):
                one = found.rows[i]
                tip = "\n".join(filter(None, (f"{one.name}: {one.help}", one.warning)))
                colour = red if one.value is None or one.warning else ""
                put(self.table, i, column, one.text(), tip, colour)
        _fit(self.table)
        self.table.setVisible(bool(good))
        for button in (self.copy_button, self.save_button):
            button.setEnabled(bool(good))
        notes = dict.fromkeys(note for _, found in good for note in found.notes)
        lines = [] if self.columns else [HINT]
        if good:
            lines = [f"reference  {good[0][1].aligned.reference.name}", *notes]
        self.note.show_lines(lines, bad)

    def _savable(self) -> Savable | None:
        titles, rows = self.cells()
        if not rows:
            return None
        return Savable(
            "Save the numbers",
            "numbers.csv",
            CSV_FILTER,
            partial(write_table, columns=["quantity", *titles[1:]], rows=rows),
        )


def _compared(
    planes: Planes, layers: Sequence[Layer], reference: Layer, options: MetricsOptions
) -> list[Column]:
    against = planes.of(reference)
    columns: list[Column] = []
    for layer in layers:
        try:
            image = planes.of(layer)
            columns.append((layer.name, metrics(image, against, options)))
        except PtychoError as error:
            columns.append((layer.name, str(error)))
    return columns


def _table() -> QTableWidget:
    table = QTableWidget(0, 1)
    small_table(table)
    table.setToolTip("A column per layer, against the reference; each number tells what it is.")
    header = table.horizontalHeader()
    header.setMinimumSectionSize(LEAST_PX)
    header.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return table


def _fit(table: QTableWidget) -> None:
    """Make columns as wide as their numbers, and the table as high as its rows and scroll bar."""
    for column in range(1, table.columnCount()):
        table.setColumnWidth(column, max(LEAST_PX, table.sizeHintForColumn(column)))
    fit_rows(table, table.horizontalScrollBar().sizeHint().height() + 4)
