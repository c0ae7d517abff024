"""Crossings and resolutions as a table: a row per curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QHeaderView, QPushButton, QTableWidget, QWidget

from napari_ptycho.assess.correlation import Frc
from napari_ptycho.gui.curve_colours import colour
from napari_ptycho.gui.layouts import button_row, stack
from napari_ptycho.gui.names import short
from napari_ptycho.gui.save_button import SaveButton
from napari_ptycho.gui.saving import Savable
from napari_ptycho.gui.widgets import fit_rows, put, show_titles, small_table
from napari_ptycho.model import Curve

NONE = "–"
TIPS = (
    "What was correlated.",
    "Where the curve falls below the threshold: P in cycles per sub-image pixel (one image), or "
    "f in cycles per pixel (two).",
    "The resolution by the chosen convention.",
    "Where the curve falls for the last time.",
    "The FRC at the Nyquist frequency: above 0.3 two images share more than the object.",
)


@dataclass(frozen=True)
class Line:
    """A row in words."""

    cells: tuple[str, ...]
    tip: str


class FrcTable(QWidget):
    """The numbers of the curves that are shown, to copy and to save."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._curves: tuple[Curve, ...] = ()
        self._found: tuple[Frc, ...] = ()
        self.lines: tuple[Line, ...] = ()
        self.titles: tuple[str, ...] = ()
        self.table = QTableWidget(0, len(TIPS))
        self._dress()
        self.copy_button = QPushButton("Copy")
        self.copy_button.setToolTip("Copy the table, for a spreadsheet.")
        self.copy_button.clicked.connect(self.copy)
        self.save_button = SaveButton(self._savable_table)
        self.save_button.setText("Save table…")
        self.save_button.setToolTip("Write all thresholds and conventions as CSV.")
        self.curves_button = SaveButton(self._savable_curves)
        self.curves_button.setText("Save curves…")
        self.curves_button.setToolTip("Write the curves and their thresholds as CSV.")
        buttons = button_row(self.copy_button, self.save_button, self.curves_button)
        stack(self, self.table, buttons, spacing=4)
        viewer.events.theme.connect(self._draw)
        self.show_found((), ())

    def _dress(self) -> None:
        small_table(self.table)
        self.table.setToolTip("A row per curve; its tooltip has every convention.")
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)

    def show_found(self, found: Sequence[Frc], curves: Sequence[Curve]) -> None:
        """Show a row per correlation; `curves` are what is saved and may be more."""
        self._found, self._curves = tuple(found), tuple(curves)
        self.titles = _titles(self._found)
        self.lines = tuple(_line(one) for one in self._found)
        self._draw()
        for button in (self.copy_button, self.save_button, self.curves_button):
            button.setEnabled(bool(self._found))

    def _draw(self, event: object = None) -> None:
        show_titles(self.table, zip(self.titles, TIPS, strict=True))
        self.table.setRowCount(len(self.lines))
        names = short([line.cells[0] for line in self.lines])
        for row, line in enumerate(self.lines):
            for column, text in enumerate((names[row], *line.cells[1:])):
                own = "" if column else colour(row, self._viewer)
                put(self.table, row, column, text, line.tip, own)
        fit_rows(self.table)
        self.table.setVisible(bool(self.lines))

    def copy(self) -> None:
        """Put the table into the clipboard, columns apart by tabs."""
        rows = [self.titles, *(line.cells for line in self.lines)]
        QGuiApplication.clipboard().setText("\n".join("\t".join(row) for row in rows))

    def _savable_table(self) -> Savable | None:
        if not self._found:
            return None
        return Savable(
            "Save the table", "frc_table.csv", "CSV (*.csv)", partial(write, self._found)
        )

    def _savable_curves(self) -> Savable | None:
        if not self._curves:
            return None
        return Savable(
            "Save the curves", "frc.csv", "CSV (*.csv)", partial(_write_curves, self._curves)
        )


def _titles(found: Sequence[Frc]) -> tuple[str, ...]:
    kinds = {"P" if one.single else "f" for one in found}
    units = {one.resolution().unit for one in found}
    name = found[0].options.convention if found else ""
    unit = f" ({units.pop()})" if len(units) == 1 else ""
    return "", " / ".join(sorted(kinds)) or "P", f"{name}{unit}", "last", "Nyq."


def _line(one: Frc) -> Line:
    crossing, resolution = one.crossing(), one.resolution()
    value = NONE if resolution.value is None else f"{resolution.value:.3g}"
    cells = (one.label, _text(crossing.first), value, _text(crossing.last), f"{one.at_nyquist:.2f}")
    lines = [one.label, crossing.words, *(f"{r.name}: {r.text()}" for r in one.resolutions())]
    return Line(cells, "\n".join([*lines, *one.warnings, *one.notes]))


def _text(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def write(found: Sequence[Frc], path: Path) -> None:
    """Write all crossings by all conventions as CSV; empty where there is none.

    Raises:
        FileError: The file cannot be written.
    """
    from napari_ptycho.assess.export import write_table

    names = [one.name for one in found[0].resolutions()[2:]]
    titles = ["curve", "images", "threshold", "P or f", "last", "cycles/pixel", "unit", *names]
    rows = []
    for one in found:
        for name, crossing in one.crossings.items():
            first, *rest = one.resolutions(name)
            row = [one.label, 1 if one.single else 2, name, first.value, crossing.last]
            rows.append([*row, rest[0].value, rest[-1].unit, *(r.value for r in rest[1:])])
    write_table(path, titles, rows)


def _write_curves(curves: Sequence[Curve], path: Path) -> None:
    from napari_ptycho.assess.export import write_curves

    write_curves(path, curves)
