"""A part of a form that folds away and tells in its title that it holds something unusual."""

from collections.abc import Sequence
from html import escape

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import QFormLayout, QLabel, QSizePolicy, QWidget
from superqt import QCollapsible

CLOSED, OPEN, MARK = "▸", "▾", "•"
FLAT = "text-align: left; border: none; outline: none; background: transparent; padding: 2px 0"


class Fold(QCollapsible):
    """A closed fold that holds some rows."""

    def __init__(self, title: str, rows: QFormLayout) -> None:
        super().__init__(title, expandedIcon=_no_icon(), collapsedIcon=_no_icon())
        self.title = title
        self._changed: tuple[str, ...] = ()
        self._inside = inside = QWidget()
        rows.setContentsMargins(10, 2, 0, 4)
        inside.setLayout(rows)
        self.setDuration(0)
        self.setContent(inside)
        layout = self.layout()
        assert layout is not None  # QCollapsible makes one
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        button = self.toggleButton()
        button.setIconSize(QSize(1, 1))
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setStyleSheet(FLAT)
        self.toggled.connect(self._draw)
        self.open(False)
        self._draw()

    @property
    def is_open(self) -> bool:
        """Whether its rows show."""
        return bool(self.isExpanded())

    def open(self, on: bool = True) -> None:
        """Show or hide its rows."""
        self.expand(animate=False) if on else self.collapse(animate=False)

    def mark(self, changed: Sequence[str]) -> None:
        """Name the parameters in here that are not at their defaults, as "batch = 64"."""
        self._changed = tuple(changed)
        self._draw()

    def _draw(self, _: bool = False) -> None:
        arrow = OPEN if self.is_open else CLOSED
        self.setText(f"{arrow} {self.title}" + f" {MARK}" * bool(self._changed))
        lines = "".join(f"<br>{escape(line)}" for line in self._changed)
        changed = f"<br>Not the default:{lines}" if lines else ""
        inside = ", ".join(label.text() for label in self._inside.findChildren(QLabel))
        self.toggleButton().setToolTip(f"Click to show or hide: {escape(inside)}.{changed}")


def _no_icon() -> QIcon:
    """Return an icon that cannot be seen: superqt's arrows keep the colour of their first theme."""
    nothing = QPixmap(1, 1)
    nothing.fill(Qt.GlobalColor.transparent)
    return QIcon(nothing)
