"""The Inspect dock: is this detail real? A page for each way to ask."""

from napari.viewer import Viewer

from napari_ptycho.gui.check_page import CheckPage
from napari_ptycho.gui.compare_page import ComparePage
from napari_ptycho.gui.difference_page import DifferencePage
from napari_ptycho.gui.frc_page import FrcPage
from napari_ptycho.gui.inspect_page import Chosen, Page
from napari_ptycho.gui.map_page import MapPage
from napari_ptycho.gui.numbers_page import NumbersPage
from napari_ptycho.gui.profile_page import ProfilePage
from napari_ptycho.gui.session import real_viewer
from napari_ptycho.gui.tabs import STYLE, Tabs
from napari_ptycho.gui.widgets import Dock, form_rows

PAGES: tuple[type[Page], ...] = (
    FrcPage,
    DifferencePage,
    ProfilePage,
    NumbersPage,
    MapPage,
    CheckPage,
    ComparePage,
)
"""In the order of the tabs."""


class InspectDock(Dock):
    """Looks at layers of one viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(real_viewer(napari_viewer))
        self.chosen = Chosen(self.viewer, self)
        choices = form_rows()
        choices.addRow("Layer", self.chosen.first)
        choices.addRow("Compared with", self.chosen.second)
        self.rows.addLayout(choices)
        self.tabs = Tabs()
        self.tabs.setDocumentMode(True)
        self.tabs.setStyleSheet(STYLE)
        self.pages = {cls.title: cls(self.viewer, self.chosen) for cls in PAGES}
        for title, page in self.pages.items():
            self.tabs.setTabToolTip(self.tabs.addTab(page, title), page.tip)
        self.rows.addWidget(self.tabs, 1)
        self._shown: Page | None = None
        self.tabs.currentChanged.connect(self._on_tab)
        self.chosen.changed.connect(self._refresh)
        self._on_tab()

    def open_page(self, title: str) -> Page:
        """Show a page and return it."""
        self.tabs.setCurrentWidget(self.pages[title])
        return self.pages[title]

    def _on_tab(self, _: int = 0) -> None:
        if self._shown is not None:
            self._shown.leave()
        page = self.tabs.currentWidget()
        self.tabs.fit()
        self._shown = page if isinstance(page, Page) else None
        self._refresh()

    def _refresh(self) -> None:
        if self._shown is not None:
            self._shown.refresh()
