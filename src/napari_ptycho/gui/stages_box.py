"""The chain of engines of a run: a list of stages, and the form of the chosen one.

A single stage looks like a single engine: its name and its form.
"""

from typing import Any

from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QHBoxLayout,
    QListWidget,
    QMenu,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from napari_ptycho.engines import ENGINES, EngineOptions, RpieOptions
from napari_ptycho.gui.form import OptionsForm, lined_up
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.stages import Stages, after, line, switched
from napari_ptycho.gui.widgets import Choice

MAIN = (
    "epochs",
    "modes",
    "batch",
    "object_step",
    "probe_step",
    "step",
    "object_rate",
    "probe_rate",
    "likelihood",
    "relaxation",
    "steps",
    "rate",
)
SHOWN = 5  # lines of the list that show without scrolling
CLASSES = tuple(ENGINES.values())


class StagesBox(QWidget):
    """Edits a chain of engines."""

    changed = Signal()
    """The user has edited the chain."""

    def __init__(self) -> None:
        super().__init__()
        self._stages: list[EngineOptions] = [RpieOptions()]
        self._forms: dict[type[EngineOptions], OptionsForm[EngineOptions]] = {}
        self.list = _Lines()
        self.engine = Choice("Engine of this stage.")
        self.engine.setMinimumContentsLength(4)  # four buttons stand beside it
        self.engine.addItems([cls.title for cls in CLASSES])
        for i, cls in enumerate(CLASSES):
            self.engine.setItemData(i, _first_line(cls), Qt.ItemDataRole.ToolTipRole)
        self.add_button = _tool("+", "Add a stage after this one; it goes on from its result.")
        self.remove_button = _tool("−", "Remove this stage.")
        self.up_button = _tool("↑", "Run this stage earlier.")
        self.down_button = _tool("↓", "Run this stage later.")
        self._lay_out()
        self._connect()
        self.show_stages((RpieOptions(),))

    def _lay_out(self) -> None:
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setToolTip("Stages run one after the other, each from the result before.")
        beside = QHBoxLayout()
        beside.setSpacing(2)
        beside.addWidget(self.engine, 1)
        menu = QMenu(self)
        for cls in CLASSES:
            menu.addAction(cls.title).setToolTip(_first_line(cls))
        menu.setToolTipsVisible(True)
        self.add_button.setMenu(menu)
        self.add_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        for button in (self.add_button, self.remove_button, self.up_button, self.down_button):
            beside.addWidget(button)
        self._column = stack(self, self.list, lined_up({"Engine": beside}), spacing=4)

    def _connect(self) -> None:
        self.list.currentRowChanged.connect(self._choose)
        self.engine.activated.connect(self._on_engine)
        self.add_button.menu().triggered.connect(self._on_add)
        self.remove_button.clicked.connect(self._on_remove)
        self.up_button.clicked.connect(self._on_up)
        self.down_button.clicked.connect(self._on_down)

    # -- from outside

    def stages(self) -> Stages:
        """Return the chain as it stands."""
        return tuple(self._stages)

    def show_stages(self, stages: Stages, chosen: int = 0) -> None:
        """Show a chain; `changed` is for the user's edits only."""
        self._stages = list(stages)
        with QSignalBlocker(self.list):
            self.list.clear()
            self.list.addItems([""] * len(stages))
            self.list.setCurrentRow(chosen)
        self._tell()
        self._choose(chosen)

    def show_running(self, number: int | None) -> None:
        """Mark the stage that a run works on."""
        for row in range(self.list.count()):
            font = self.list.item(row).font()
            font.setBold(row == number)
            self.list.item(row).setFont(font)

    @property
    def form(self) -> OptionsForm[EngineOptions]:
        """The form of the chosen stage."""
        return self._form_of(type(self._stages[self.list.currentRow()]))

    # -- edits

    def _on_engine(self, index: int) -> None:
        row = self.list.currentRow()
        if type(self._stages[row]) is not CLASSES[index]:
            self._stages[row] = switched(self._stages[row], CLASSES[index])
            self._edited(row)

    def _on_form(self) -> None:
        self._stages[self.list.currentRow()] = self.form.options()
        self._tell()
        self.changed.emit()

    def _on_add(self, action: Any) -> None:
        cls = CLASSES[self.add_button.menu().actions().index(action)]
        row = self.list.currentRow()
        self._stages.insert(row + 1, after(self._stages[row], cls))
        self._edited(row + 1)

    def _on_remove(self) -> None:
        row = self.list.currentRow()
        del self._stages[row]
        self._edited(max(0, row - 1))

    def _on_up(self) -> None:
        self._swap(-1)

    def _on_down(self) -> None:
        self._swap(1)

    def _swap(self, by: int) -> None:
        row = self.list.currentRow()
        self._stages.insert(row + by, self._stages.pop(row))
        self._edited(row + by)

    def _edited(self, chosen: int) -> None:
        self.show_stages(self.stages(), chosen)
        self.changed.emit()

    # -- showing

    def _choose(self, row: int) -> None:
        options = self._stages[row]
        form = self._form_of(type(options))
        form.set_options(options)
        for other in self._forms.values():
            other.setVisible(other is form)
        self.engine.setCurrentIndex(CLASSES.index(type(options)))
        self.engine.setToolTip(_first_line(type(options)))
        self.up_button.setEnabled(row > 0)
        self.down_button.setEnabled(row + 1 < len(self._stages))

    def _form_of(self, cls: type[EngineOptions]) -> OptionsForm[EngineOptions]:
        """Return the form of an engine, made when it is first needed."""
        if cls not in self._forms:
            form = OptionsForm(cls, MAIN)
            form.changed.connect(self._on_form)
            self._forms[cls] = form
            self._column.addWidget(form)
        return self._forms[cls]

    def _tell(self) -> None:
        """Bring the lines of the list up to date; a single stage needs no list."""
        for row, options in enumerate(self._stages):
            self.list.item(row).setText(f"{row + 1}  {line(options)}")
            self.list.item(row).setToolTip(line(options))
        chain = len(self._stages) > 1
        for widget in (self.list, self.remove_button, self.up_button, self.down_button):
            widget.setVisible(chain)
        self.list.updateGeometry()


class _Lines(QListWidget):
    """A list that is as high as its lines, up to `SHOWN`."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return the size of the lines."""
        lines = min(self.count(), SHOWN)
        return QSize(200, lines * self.sizeHintForRow(0) + 2 * self.frameWidth() + 4)

    def minimumSizeHint(self) -> QSize:
        """Return a size that is as high."""
        return QSize(80, self.sizeHint().height())


def _first_line(cls: type[EngineOptions]) -> str:
    return (cls.__doc__ or "").partition("\n")[0]


def _tool(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setFixedWidth(20)
    button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
    button.setStyleSheet("QToolButton::menu-indicator { image: none; }")
    return button
