"""How a row of the Jobs dock looks: state, title and time; a bar; where it is and what it does."""

import time
from dataclasses import dataclass
from functools import lru_cache

from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontMetrics, QPainter
from qtpy.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from napari_ptycho.gui.jobs_model import ROW, Index, Row
from napari_ptycho.gui.widgets import RED

MARGIN, GAP, BAR, SIGN = 6, 3, 4, 22
SMALL = 0.88  # of the size of the font
SIGNS = {"running": "▶", "done": "✓", "failed": "✗", "stopped": "■", "interrupted": "!"}
GREEN = {"dark": "#7bd88f", "light": "#1e7b34"}
BLUE = {"dark": "#6f9bff", "light": "#2f5fd0"}


@dataclass(frozen=True)
class Colours:
    """Of one theme."""

    text: QColor
    faint: QColor
    chosen: QColor
    groove: QColor
    line: QColor
    red: QColor
    green: QColor
    blue: QColor

    def of(self, state: str) -> QColor:
        """Return the colour of a state."""
        known = {"running": self.blue, "done": self.green}
        return self.red if state in ("failed", "interrupted") else known.get(state, self.faint)


@lru_cache
def colours(name: str) -> Colours:
    """Return the colours of a theme."""
    theme = get_theme(name)
    text = QColor(theme.text.as_hex())
    faint = QColor(text)
    faint.setAlphaF(0.65)
    chosen = QColor(theme.current.as_hex())
    chosen.setAlphaF(0.4)
    return Colours(
        text=text,
        faint=faint,
        chosen=chosen,
        groove=QColor(theme.secondary.as_hex()),
        line=QColor(theme.foreground.as_hex()),
        red=QColor(RED[theme.type]),
        green=QColor(GREEN[theme.type]),
        blue=QColor(BLUE[theme.type]),
    )


class JobsDelegate(QStyledItemDelegate):
    """Draws the rows in the colours of the viewer's theme."""

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer = viewer

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the size of a row; all are alike."""
        font: QFont = option.font
        lines = QFontMetrics(font).height() + QFontMetrics(_small(font)).height()
        return QSize(200, lines + BAR + 2 * GAP + 2 * MARGIN)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a row."""
        row: Row = index.data(ROW)
        palette = colours(str(self._viewer.theme))
        area: QRect = option.rect
        font: QFont = option.font
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, palette.chosen)
        painter.fillRect(area.adjusted(0, area.height() - 1, 0, 0), palette.line)
        inside = area.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        painter.setFont(font)
        _sign(painter, inside, row, palette)
        _title(painter, inside.adjusted(SIGN, 0, 0, 0), row, palette)
        painter.setFont(_small(font))
        _line(painter, inside.adjusted(SIGN, 0, 0, 0), row, palette)
        if row.state == "running":
            below = inside.top() + QFontMetrics(font).height() + GAP
            width = inside.width() - SIGN
            _bar(painter, QRect(inside.left() + SIGN, below, width, BAR), row, palette)
        painter.restore()


def _sign(painter: QPainter, area: QRect, row: Row, palette: Colours) -> None:
    """Draw the state, or the place in the queue."""
    painter.setPen(palette.of(row.state))
    high = painter.fontMetrics().height()
    place = QRect(area.left(), area.top(), SIGN - GAP, high)
    centre = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter
    painter.drawText(place, centre, SIGNS.get(row.state, f"{row.rank}"))


def _title(painter: QPainter, area: QRect, row: Row, palette: Colours) -> None:
    """Draw the title, and at the right how long it took."""
    metrics = painter.fontMetrics()
    told = row.time_text(time.time())
    wide = metrics.horizontalAdvance(told)
    line = QRect(area.left(), area.top(), area.width(), metrics.height())
    painter.setPen(palette.faint)
    painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, told)
    line.setWidth(area.width() - wide - 2 * GAP)
    painter.setPen(palette.text)
    title = metrics.elidedText(row.title, Qt.TextElideMode.ElideMiddle, line.width())
    painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, title)


def _line(painter: QPainter, area: QRect, row: Row, palette: Colours) -> None:
    """Draw where it is and what it does, or what went wrong."""
    metrics = painter.fontMetrics()
    high = metrics.height()
    line = QRect(area.left(), area.bottom() + 1 - high, area.width(), high)
    painter.setPen(palette.red if row.in_trouble else palette.faint)
    text = metrics.elidedText(row.line(), Qt.TextElideMode.ElideRight, line.width())
    painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)


def _bar(painter: QPainter, area: QRect, row: Row, palette: Colours) -> None:
    painter.fillRect(area, palette.groove)
    done = QRect(area)
    done.setWidth(round(area.width() * row.fraction))
    painter.fillRect(done, palette.blue)


def _small(font: QFont) -> QFont:
    small = QFont(font)
    if font.pixelSize() > 0:
        small.setPixelSize(max(9, round(SMALL * font.pixelSize())))
    else:
        small.setPointSizeF(max(7.0, SMALL * font.pointSizeF()))
    return small
