"""Which colour is which curve."""

from collections.abc import Sequence
from html import escape

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_ptycho.gui.elided import elided

LINE = "━\u00a0"
"""Stands before each name, in the colour of its curve."""


class CurveLegend(QLabel):
    """Names of curves that wrap. One that is longer than a line is shortened in the middle.

    The tooltip has the whole names of those that are shortened.
    """

    def __init__(self) -> None:
        super().__init__()
        self._names: tuple[tuple[str, str], ...] = ()
        self.setStyleSheet("font-size: 8pt")
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

    def show_names(self, names: Sequence[tuple[str, str]]) -> None:
        """Show names.

        Args:
            names: Colours, as "#4fc3f7", and names.
        """
        self._names = tuple(names)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the names into the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.ensurePolished()
        metrics = self.fontMetrics()
        room = self.contentsRect().width() - metrics.horizontalAdvance(LINE)
        shown = [elided(name, metrics, room) for _, name in self._names]
        words = [
            f'<span style="color:{colour}">{LINE}{escape(name)}</span>'
            for (colour, _), name in zip(self._names, shown, strict=True)
        ]
        self.setText(" &nbsp; ".join(words))
        cut = [name for (_, name), fits in zip(self._names, shown, strict=True) if name != fits]
        self.setToolTip("\n".join(cut))
