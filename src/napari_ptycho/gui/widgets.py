"""Small widgets that the docks share: a scrolling dock, a titled box, a coloured note."""

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QBrush, QColor, QWheelEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QHeaderView,
    QLabel,
    QLayout,
    QScrollArea,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_ptycho.gui.binding import check_binding
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.tools import tools_of
from napari_ptycho.model.summary import Row

MIN_WIDTH, LEAST_ROWS = 320, 160
SUMMARY = {
    "": "What it is.",
    "value": "As it was read or computed, with its unit.",
    "source": "Where it comes from: a path in the file, you, a default, or computed.",
}
"""Columns of `SummaryTable`, with their tooltips."""
RED = {"dark": "#ff8a80", "light": "#b3261e"}


class Dock(QWidget):
    """A dock whose rows scroll where there is little room; what is in its footer always shows."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        check_binding()
        self.viewer, self.tools = viewer, tools_of(viewer)
        inside = QWidget()
        self.rows = QVBoxLayout(inside)
        self.rows.setContentsMargins(8, 8, 8, 8)
        self.rows.setSpacing(6)
        self.footer = QVBoxLayout()
        self.footer.setSpacing(6)
        self._outer = stack(self, _Scroll(inside), self.footer, spacing=0)
        self.setMinimumWidth(MIN_WIDTH)

    def put_at_foot(self, box: QWidget) -> None:
        """Put what tells of a run into the footer, and below it what compares its results."""
        from napari_ptycho.gui.compare_bar import CompareBar

        self.compare_bar = CompareBar(self.viewer)
        self.footer.addStretch()
        self.footer.addWidget(box, 1)
        self.footer.addWidget(self.compare_bar)

    def give_rest_to_footer(self) -> None:
        """Let the footer have all the room that the rows do not ask for."""
        self._outer.setStretchFactor(self.footer, 1)

    def sizeHint(self) -> QSize:
        """Return the size that a fresh dock takes."""
        return QSize(400, 700)


class _Scroll(QScrollArea):
    """Scrolls up and down; wants to be as high as what it holds, and can be lower."""

    def __init__(self, inside: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(LEAST_ROWS)
        self._inside = inside
        self.setWidget(inside)
        inside.installEventFilter(self)

    def sizeHint(self) -> QSize:
        """Return the size of what it holds."""
        hint = self._inside.sizeHint()
        high = self._inside.heightForWidth(self.viewport().width())
        least = self._inside.minimumSizeHint().height()  # notes that wrap: more than their height
        border = self.height() - self.viewport().height()
        return QSize(hint.width(), max(high if high > 0 else hint.height(), least) + border)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the size of what it holds."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)


class Choice(QComboBox):
    """A choice that the wheel scrolls past, unless the user has clicked on it."""

    def __init__(self, tip: str = "") -> None:
        super().__init__()
        self.setToolTip(tip)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)

    def add(self, text: str, tip: str, data: Any = None) -> None:
        """Add a text to choose, with its tooltip and what it stands for."""
        self.addItem(text, data)
        self.setItemData(self.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the dock."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class Note(QLabel):
    """A paragraph that wraps; warnings are red."""

    def __init__(self, viewer: Viewer, small: bool = False) -> None:
        super().__init__()
        if small:
            self.setStyleSheet("font-size: 8pt")
        self._viewer = viewer
        self._content: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        viewer.events.theme.connect(self._draw)
        self._draw()

    def show_lines(self, lines: Sequence[str] = (), warnings: Sequence[str] = ()) -> None:
        """Show lines, then warnings; without any, take no room. The same again costs nothing."""
        content = (tuple(lines), tuple(warnings))
        if content != self._content:
            self._content = content
            self._draw()

    def _draw(self, event: Any = None) -> None:
        lines, warnings = self._content
        red = RED[get_theme(self._viewer.theme).type]
        rows = [_row(line) for line in lines]
        rows += [f'<tr><td colspan="2" style="color:{red}">{escape(w)}</td></tr>' for w in warnings]
        self.setText(f"<table>{''.join(rows)}</table>" if rows else "")
        self.setVisible(bool(rows))


def _row(line: str) -> str:
    """Return a line of text as a row; a name and its value, spaces between, as two cells."""
    name, *value = re.split(r"\s{2,}", line.strip(), maxsplit=1)
    if not value:
        return f'<tr><td colspan="2">{escape(line)}</td></tr>'
    return f'<tr><td style="padding-right:10px">{escape(name)}</td><td>{escape(value[0])}</td></tr>'


class SummaryTable(QTableWidget):
    """What was read, and from where: name, value with unit, source."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(0, 3)
        self._viewer = viewer
        show_titles(self, SUMMARY.items())
        small_table(self)
        self.setToolTip("What is known of the scan; a red row is implausible.")
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.horizontalHeader()
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        self.setVisible(False)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows; those with a warning in red, the warning as their tooltip."""
        self.setRowCount(len(rows))
        red = RED[get_theme(self._viewer.theme).type]
        for i, row in enumerate(rows):
            value = f"{row.value} {row.unit}".strip()
            for column, text in enumerate((row.name, value, row.source)):
                put(self, i, column, text, row.warning or text, red if row.warning else "")
        fit_rows(self)
        self.setVisible(bool(rows))


def show_titles(table: QTableWidget, titles: Iterable[tuple[str, str]]) -> None:
    """Give the columns of a table their titles, each with its tooltip."""
    for column, (title, tip) in enumerate(titles):
        item = QTableWidgetItem(title)
        item.setToolTip(tip)
        table.setHorizontalHeaderItem(column, item)


def put(table: QTableWidget, row: int, column: int, text: str, tip: str, colour: str = "") -> None:
    """Put a text with a tooltip into a table; without a colour it has that of all texts."""
    item = QTableWidgetItem(text)
    item.setToolTip(tip)
    if colour:
        item.setForeground(QBrush(QColor(colour)))
    table.setItem(row, column, item)


def small_table(table: QTableWidget) -> None:
    """Make a table one to read: small, without grid, nothing to edit or to select."""
    table.setStyleSheet("font-size: 8pt")
    table.verticalHeader().hide()
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    header = table.horizontalHeader()
    header.setMinimumSectionSize(20)
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)


def fit_rows(table: QTableWidget, beside: int = 4) -> None:
    """Make a table as high as its rows, its header, and something beside, in pixels."""
    table.resizeRowsToContents()
    header = table.horizontalHeader()
    high = sum(table.rowHeight(row) for row in range(table.rowCount()))
    table.setFixedHeight(high + (0 if header.isHidden() else header.sizeHint().height()) + beside)


def heading(text: str) -> QLabel:
    """Return the title of a part of a dock."""
    label = QLabel(f"<b>{escape(text)}</b>")
    label.setContentsMargins(0, 6, 0, 0)
    return label


class _Rows(QFormLayout):
    """The label of a row says what its field says."""

    def addRow(self, *parts: Any) -> None:
        """Add a row: label and field, or one widget; the field has its tooltip already."""
        super().addRow(*parts)
        label = self.labelForField(parts[1]) if len(parts) > 1 else None
        if label is not None:
            label.setToolTip(_tip(parts[1]))


def _tip(field: QWidget | QLayout) -> str:
    """Return the tooltip of a field, or the first of what it is made of."""
    if isinstance(field, QWidget):
        inside = [field, *field.findChildren(QWidget)]
    else:
        items = [field.itemAt(at) for at in range(field.count())]
        inside = [widget for item in items if item and (widget := item.widget())]
    return next((widget.toolTip() for widget in inside if widget.toolTip()), "")


def form_rows() -> QFormLayout:
    """Return a form whose fields take the width there is."""
    rows = _Rows()
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    rows.setVerticalSpacing(4)
    rows.setContentsMargins(0, 0, 0, 0)
    return rows
