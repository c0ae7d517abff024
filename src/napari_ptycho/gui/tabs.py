"""Tabs as high as the page that shows."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy, QTabWidget

STYLE = "QTabBar { font-size: 8pt } QTabBar::tab { padding: 3px 4px; min-width: 0 }"
"""Small tabs, where there are many."""
Policy = QSizePolicy.Policy


class Tabs(QTabWidget):
    """As high as the page that shows: Qt's own are as high as the highest, shown or not."""

    def __init__(self) -> None:
        super().__init__()
        self.setUsesScrollButtons(False)  # all tabs show, in a narrow dock with shorter words
        self.setElideMode(Qt.TextElideMode.ElideRight)

    def hasHeightForWidth(self) -> bool:
        """Notes wrap, so the height follows the width."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of the bar and of the page that shows."""
        page = self.currentWidget()
        layout = None if page is None else page.layout()
        if page is None or layout is None:
            return int(self.tabBar().sizeHint().height())
        wrapped = layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else 0
        high = max(wrapped, page.minimumSizeHint().height())
        return int(high + self.tabBar().sizeHint().height())

    def fit(self) -> None:
        """Take the height of the page that shows; call it when another one does."""
        for i in range(self.count()):
            page = self.widget(i)
            if page is not None:
                shows = i == self.currentIndex()
                page.setSizePolicy(Policy.Preferred, Policy.Preferred if shows else Policy.Ignored)
