"""Whatever can be clicked, typed into or read off says what it is, and in which unit."""

import re

import pytest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QGraphicsView,
    QLabel,
    QLineEdit,
    QListView,
    QProgressBar,
    QScrollBar,
    QSlider,
    QTableWidget,
    QTabWidget,
    QTreeWidget,
    QWidget,
)

from napari_ptycho.gui.app import DOCKS, open_dock
from napari_ptycho.gui.fields import NO_UNIT
from napari_ptycho.gui.quantity import QuantityEdit

TASKS = ("Predict", "Train", "Fine-tune")
CONTROLS = (
    *(QAbstractButton, QAbstractSpinBox, QComboBox, QGraphicsView, QLineEdit),
    *(QListView, QProgressBar, QSlider, QTableWidget, QTreeWidget),
)
UNIT = re.compile(r"\((px|nm|µm|mm|m|rad|mrad|°|s|ms|MB|dB|counts|photons|eV|keV|%)\)")


def is_own(widget):
    """Whether it is a control of ours, not a part that Qt makes for itself."""
    above = widget.parentWidget()
    if isinstance(widget, QScrollBar) or widget.objectName().startswith("qt_"):
        return False
    if isinstance(above, QComboBox | QAbstractSpinBox) or "QComboBox" in class_name(above):
        return False
    return class_name(above) != "QTabBar" and class_name(widget) != "QTableCornerButton"


def class_name(widget):
    return "" if widget is None else widget.metaObject().className()


def path_of(widget):
    """Where a widget lies, as "ScanDock > BinningBox > QPushButton 'Bin'"."""
    above = []
    place = widget.parentWidget()
    while place is not None and not type(place).__name__.endswith(("Dock", "Dialog")):
        if type(place).__module__.startswith("napari_ptycho"):
            above.append(type(place).__name__)
        place = place.parentWidget()
    above.append("" if place is None else type(place).__name__)
    text = widget.text() if isinstance(widget, QAbstractButton | QLabel) else ""
    if isinstance(widget, QComboBox):
        text = widget.itemText(0)
    return f"{' > '.join(reversed(above))} > {type(widget).__name__} '{text}'"


def untold(root):
    """Yield where something below a widget does not say what it is."""
    for widget in root.findChildren(QWidget):
        if isinstance(widget, CONTROLS) and is_own(widget) and not widget.toolTip():
            yield path_of(widget)
        yield from untold_tabs(widget)
        yield from untold_headers(widget)
    for rows in root.findChildren(QFormLayout):
        for widget in labels_of(rows):
            if widget.text() and not widget.toolTip():
                yield f"label of a row: {path_of(widget)}"


def untold_tabs(widget):
    if isinstance(widget, QTabWidget):
        for at in range(widget.count()):
            if not widget.tabToolTip(at):
                yield f"{path_of(widget)}: tab {widget.tabText(at)}"


def labels_of(rows):
    for at in range(rows.rowCount()):
        item = rows.itemAt(at, QFormLayout.ItemRole.LabelRole)
        if item is not None and isinstance(item.widget(), QLabel):
            yield item.widget()


def untold_headers(widget):
    if isinstance(widget, QTableWidget) and not widget.horizontalHeader().isHidden():
        for at in range(widget.columnCount()):
            item = widget.horizontalHeaderItem(at)
            if item is not None and item.text() and not item.toolTip():
                yield f"{path_of(widget)}: column {item.text()}"
    if isinstance(widget, QTreeWidget) and not widget.isHeaderHidden():
        for at in range(widget.columnCount()):
            if not widget.headerItem().toolTip(at):
                yield f"{path_of(widget)}: column {widget.headerItem().text(at)}"


def without_unit(root):
    """Yield where a number has neither a unit nor says that it has none."""
    titles = {}
    for rows in root.findChildren(QFormLayout):
        for label in labels_of(rows):
            at, _ = rows.getWidgetPosition(label)
            titles[rows.itemAt(at, QFormLayout.ItemRole.FieldRole).widget()] = label.text()
    for widget in root.findChildren(QAbstractSpinBox):
        told = (NO_UNIT in widget.toolTip(), "Unit: " in widget.toolTip(), widget.suffix())
        if not any(told) and not UNIT.search(titles.get(widget, "")):
            yield f"{path_of(widget)} '{titles.get(widget, '')}'"
    for widget in root.findChildren(QuantityEdit):
        if "Unit: " not in widget.toolTip():
            yield path_of(widget)


@pytest.fixture
def windows(docks, qtbot):
    """All docks, all their pages, and the dialogs, with a scan that is open."""
    docks.show()
    opened = [open_dock(docks.viewer, name) for name in DOCKS]
    for dock in opened:
        for tabs in dock.findChildren(QTabWidget):
            for at in range(tabs.count()):
                tabs.setCurrentIndex(at)
    scan, reconstruct, network, denoise, inspect, _ = opened
    made = (scan.watcher, reconstruct.box.plot, network.box.plots, denoise.box.plot)
    assert all(made)  # when they are needed
    assert inspect.open_page("FRC").view.plot
    return opened


@pytest.fixture
def dialogs(docks, scan_file):
    """The browser, and what asks for a recipe and for a run in the queue."""
    docks.open(scan_file)
    button = docks.reconstruct.recipe_button
    button.ask_save()
    found = [docks.scan.browser, button.dialog]
    button.dialog.hide()
    button.ask_queue()
    yield [*found, button.dialog]
    for dialog in (*found, button.dialog):
        dialog.close()


def test_every_control_of_every_dock_has_a_tooltip_and_every_number_a_unit(windows):
    lines = [line for dock in windows for line in (*untold(dock), *without_unit(dock))]
    assert not lines, "\n".join(lines)


def test_every_control_of_every_dialog_has_a_tooltip_and_every_number_a_unit(dialogs):
    lines = [line for dialog in dialogs for line in (*untold(dialog), *without_unit(dialog))]
    assert not lines, "\n".join(lines)
