"""One line of text that is shortened in the middle where there is no room for it."""

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QFontMetrics, QResizeEvent
from qtpy.QtWidgets import QLabel, QSizePolicy


def elided(text: str, metrics: QFontMetrics, width: int) -> str:
    """Return a text as it fits into a width in pixels, with "…" in the middle if it is longer."""
    return str(metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, width))


class Elided(QLabel):
    """Takes the width there is. Where the text is shortened, the tooltip says it in full."""

    def __init__(self) -> None:
        super().__init__()
        self._full = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def setText(self, text: str) -> None:
        """Show another text."""
        self._full = text
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """Return no width: any is enough."""
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the text into the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        shown = elided(self._full, self.fontMetrics(), self.width())
        super().setText(shown)
        self.setToolTip("" if shown == self._full else self._full)
