"""The left side of the browser: what lies in an HDF5 file."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtCore import QPoint, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTreeWidget, QTreeWidgetItem

from napari_ptycho.gui.form import label
from napari_ptycho.gui.widgets import RED
from napari_ptycho.io.saved_layouts import PATHS

if TYPE_CHECKING:
    from napari_ptycho.io.browse import Node

COLUMNS = {
    "Name": "Groups and datasets, as they lie in each other.",
    "Shape or value": "Of an array its sides, of a scalar what it is, with its unit.",
    "Type": "Of the numbers, as NumPy calls it.",
    "Stored as": "Chunks and filters (compression).",
    "Link": "Where a link leads; red if nothing is there.",
}
"""Titles, with their tooltips."""
WIDTHS = (222, 112, 58, 120, 88)
PATH = Qt.ItemDataRole.UserRole


class ContentsTree(QTreeWidget):
    """The tree of a file; children are made when their group is opened."""

    used = Signal(str, str)
    """A field of the layout, and the path it is to have; "" for the field that suits best."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._nodes: dict[str, Node] = {}
        self._inside: dict[str, list[str]] = {}
        self._items: dict[str, QTreeWidgetItem] = {}
        self._roles: dict[str, str] = {}
        self.setHeaderLabels(list(COLUMNS))
        for column, tip in enumerate(COLUMNS.values()):
            self.headerItem().setToolTip(column, tip)
        self.setToolTip("A double click, or the menu of a line, gives a dataset its role.")
        self.setUniformRowHeights(True)
        self.setIndentation(14)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setExpandsOnDoubleClick(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header = self.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for column, width in enumerate(WIDTHS):
            header.resizeSection(column, width)
        self.itemExpanded.connect(self._fill)
        self.itemDoubleClicked.connect(self._on_double_click)
        self.customContextMenuRequested.connect(self._ask)

    def show_nodes(self, nodes: "tuple[Node, ...]") -> None:
        """Show the tree of a file; nothing for a file that has none."""
        self.clear()
        self._items, self._roles = {}, {}
        self._nodes = {node.path: node for node in nodes}
        self._inside = {}
        for path in self._nodes:
            self._inside.setdefault(path.rpartition("/")[0], []).append(path)
        self._add("", self.invisibleRootItem())
        only = self.topLevelItem(0) if self.topLevelItemCount() == 1 else None
        if only is not None:
            only.setExpanded(True)

    def show_roles(self, roles: Mapping[str, str]) -> None:
        """Show which datasets are used as what.

        Args:
            roles: Path -> what it is used as.
        """
        for path in {*self._roles, *roles}:
            item = self.reveal(path) if path in roles else self._items.get(path)
            if item is not None:
                self._paint(item, path, roles.get(path, ""))
        self._roles = dict(roles)

    def reveal(self, path: str) -> QTreeWidgetItem | None:
        """Open the groups above a path and return its line; None if the file has no such path."""
        path = path.strip("/")
        if path not in self._nodes:
            return None
        parts = path.split("/")
        for end in range(1, len(parts)):
            above = self._items.get("/".join(parts[:end]))
            if above is not None:
                above.setExpanded(True)
        return self._items.get(path)

    def _fill(self, item: QTreeWidgetItem) -> None:
        if item.childCount() == 0:
            self._add(item.data(0, PATH), item)

    def _add(self, above: str, parent: QTreeWidgetItem) -> None:
        for path in self._inside.get(above, ()):
            item = QTreeWidgetItem(parent)
            item.setData(0, PATH, path)
            self._items[path] = item
            if path in self._inside:
                policy = QTreeWidgetItem.ChildIndicatorPolicy.ShowIndicator
                item.setChildIndicatorPolicy(policy)
            self._paint(item, path, "")

    def _paint(self, item: QTreeWidgetItem, path: str, role: str) -> None:
        node = self._nodes[path]
        cells = _cells(node)
        if role:
            cells = (f"{role}: {cells[0]}", *cells[1:])
        for column, text in enumerate(cells):
            item.setText(column, text)
            item.setToolTip(column, node.problem or text)
            font = item.font(column)
            font.setBold(bool(role))
            item.setFont(column, font)
            if node.problem:
                item.setForeground(column, QBrush(QColor(RED[get_theme(self._viewer.theme).type])))

    def _on_double_click(self, item: QTreeWidgetItem, column: int) -> None:
        path = item.data(0, PATH)
        if self._nodes[path].kind == "dataset":
            self.used.emit("", path)

    def _ask(self, at: QPoint) -> None:
        item = self.itemAt(at)
        if item is not None and self._nodes[item.data(0, PATH)].kind == "dataset":
            menu = self.menu_of(item.data(0, PATH))
            menu.exec(self.viewport().mapToGlobal(at))
            menu.deleteLater()

    def menu_of(self, path: str) -> QMenu:
        """Return the menu that asks what a dataset is to be used as."""
        menu = QMenu(self)
        for name in PATHS:
            menu.addAction(f"Use as {label(name).lower()}").setData((name, path))
        menu.triggered.connect(self._use)
        return menu

    def _use(self, action: Any) -> None:
        name, path = action.data()
        self.used.emit(name, path)


def _cells(node: "Node") -> tuple[str, ...]:
    shape = " x ".join(map(str, node.shape))
    value = f"{node.value} {node.units}".strip() if node.value else shape
    chunks = f"chunks {' x '.join(map(str, node.chunks))}" if node.chunks else ""
    stored = ", ".join(part for part in (*node.filters, chunks) if part)
    return node.path.rpartition("/")[2], value, node.dtype, stored, node.link
