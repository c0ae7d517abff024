"""The Inspect dock: is this detail real? A page for each way to ask."""

from importlib import import_module
from typing import Any

from napari.viewer import Viewer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ptycho.gui import kept
from napari_ptycho.gui.inspect_page import Chosen, Page
from napari_ptycho.gui.session import real_viewer
from napari_ptycho.gui.tabs import STYLE, Tabs
from napari_ptycho.gui.widgets import Dock, form_rows

PAGES = {
    "FRC": ("frc_page:FrcPage", "Fourier ring correlation: up to which detail is it real?"),
    "Difference": (
        "difference_page:DifferencePage",
        "What one layer has more or less than the other.",
    ),
    "Profile": (
        "profile_page:ProfilePage",
        "Values along a line, or over the rings around a point.",
    ),
    "Numbers": (
        "numbers_page:NumbersPage",
        "PSNR, SSIM and more, of the layers against the reference.",
    ),
    "Map": (
        "map_page:MapPage",
        "Resolution from place to place: Fourier ring correlation in a window.",
    ),
    "Check": (
        "check_page:CheckPage",
        "Which details of a denoised or predicted image do the measured photons support?",
    ),
    "Compare": ("compare_page:ComparePage", "Curtain, blinking, or a linked grid."),
}
"""Title of a tab, in their order -> the page behind it, and what it is for."""


class _Pages(dict[str, Page]):
    """The pages by title, each made when it is first asked for."""

    def __init__(self, viewer: Viewer, chosen: Chosen, places: dict[str, QWidget]) -> None:
        super().__init__()
        self._viewer, self._chosen, self._places = viewer, chosen, places

    def __missing__(self, title: str) -> Page:
        module, _, name = PAGES[title][0].partition(":")
        make: Any = getattr(import_module(f"napari_ptycho.gui.{module}"), name)
        page = self[title] = make(self._viewer, self._chosen)
        rows = self._places[title].layout()
        assert rows is not None  # of `_place`
        rows.addWidget(page)
        return page


def _place() -> QWidget:
    """Return a widget that a page fills."""
    place = QWidget()
    QVBoxLayout(place).setContentsMargins(0, 0, 0, 0)
    return place


class InspectDock(Dock):
    """Looks at layers of one viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(real_viewer(napari_viewer))
        self.chosen = Chosen(self.viewer, self)
        choices = form_rows()
        choices.addRow("Layer", self.chosen.first)
        choices.addRow("Reference", self.chosen.second)
        self.rows.addLayout(choices)
        self.tabs = Tabs()
        self.tabs.setDocumentMode(True)
        self.tabs.setStyleSheet(STYLE)
        self._places = {title: _place() for title in PAGES}
        self.pages = _Pages(self.viewer, self.chosen, self._places)
        for title, (_, tip) in PAGES.items():
            self.tabs.setTabToolTip(self.tabs.addTab(self._places[title], title), tip)
        self.rows.addWidget(self.tabs, 1)
        kept.page(self.tabs, "Inspect.page")
        self._shown: Page | None = None
        self.tabs.currentChanged.connect(self._on_tab)
        self.chosen.changed.connect(self._refresh)
        self._on_tab()

    def open_page(self, title: str) -> Page:
        """Show a page and return it."""
        self.tabs.setCurrentWidget(self._places[title])
        return self.pages[title]

    def _on_tab(self, _: int = 0) -> None:
        if self._shown is not None:
            self._shown.leave()
        self._shown = self.pages[self.tabs.tabText(self.tabs.currentIndex())]
        self.tabs.fit()
        self._refresh()

    def _refresh(self) -> None:
        if self._shown is not None:
            self._shown.refresh()
