"""The bin size, the sparse sampling, and at once what they do."""

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_ptycho.gui.fields import NO_UNIT
from napari_ptycho.gui.leave_row import LEFT, LeaveRow
from napari_ptycho.gui.pause import Pause
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.views import ScanView
from napari_ptycho.gui.widgets import Note
from napari_ptycho.prepare import sparse_report

if TYPE_CHECKING:
    from napari_ptycho.recipes.recipe import BinningOptions

PAUSE_MS = 200
Size = int | tuple[int, int]
Neighbours = Literal["path", "space"]


class BinningBox(QWidget):
    """Asks for a bin size and shows its report, which a thread computes.

    Rows x columns on a raster, else a number of positions that are neighbours along the path or in
    space. Its `buttons` lie in the footer of the dock, where they always show.
    """

    asked = Signal(object, str, int)
    """Bin now: size, "path" or "space", and of every so many patterns the first."""
    undone = Signal()
    """Back to the scan as it was read."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._view: ScanView | None = None
        self._stale = False
        self.runner = Runner(self)
        self.rows_box, self.columns_box = _spin("rows"), _spin("columns")
        self.every_box = _every()
        self.cross = QLabel("x")
        self.neighbours = QComboBox()
        self.neighbours.addItem("along the path")
        self.neighbours.addItem("nearest in space")
        self.neighbours.setToolTip("Which positions are summed into one where there is no raster.")
        self.bin_button, self.undo_button = QPushButton("Bin"), QPushButton("Unbinned")
        self.bin_button.setToolTip(
            "Sum the patterns of each bin, always of the unbinned scan: the binned one is then the "
            "current scan."
        )
        self.undo_button.setToolTip("Go back to the scan as it was before it was binned.")
        self.busy, self.note, self.buttons = LeaveRow(self.runner), Note(viewer), QWidget()
        self.parts = (self, self.buttons)
        self._lay_out()
        self._later = Pause(self, PAUSE_MS, self._report)
        for spin in (self.rows_box, self.columns_box, self.every_box):
            spin.valueChanged.connect(self._later.start)
        self.neighbours.currentIndexChanged.connect(self._later.start)
        self.bin_button.clicked.connect(self._on_bin)
        self.undo_button.clicked.connect(self.undone)
        self.runner.finished.connect(self._on_report)

    def _lay_out(self) -> None:
        size, buttons = QHBoxLayout(), QHBoxLayout(self.buttons)
        buttons.setContentsMargins(0, 0, 0, 0)
        size.addWidget(self.rows_box, 1)
        size.addWidget(self.cross)
        size.addWidget(self.columns_box, 1)
        buttons.addWidget(self.bin_button)
        buttons.addWidget(self.undo_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(size)
        layout.addWidget(self.neighbours)
        layout.addWidget(self.every_box)
        layout.addWidget(self.busy)
        layout.addWidget(self.note)

    def size(self) -> Any:
        """Return the bin size: (rows, columns) on a raster, else a number."""
        if self._on_raster:
            return self.rows_box.value(), self.columns_box.value()
        return self.rows_box.value()

    def show_scan(self, view: ScanView, binned: bool) -> None:
        """Ask for the bins of this scan (the unbinned one), `binned` if it was binned already."""
        if view is not self._view:
            self._view = view
            self.rows_box.setMaximum(view.raster.rows if view.raster else len(view.scan))
            self.columns_box.setMaximum(view.raster.columns if view.raster else 1)
            self.every_box.setMaximum(len(view.scan))
        for widget in (self.cross, self.columns_box):
            widget.setVisible(self._on_raster)
        self.rows_box.setSuffix("" if self._on_raster else " positions")
        self.neighbours.setVisible(not self._on_raster)
        self.undo_button.setEnabled(binned)
        self._later.start()

    def show_bins(self, options: "BinningOptions") -> None:
        """Show the bin size of a recipe, where it is one for this scan."""
        from napari_ptycho.gui.recipe_source import bin_size

        size = bin_size(options) or 1
        if self._on_raster == isinstance(size, tuple):
            rows, columns = size if isinstance(size, tuple) else (size, 1)
            self.rows_box.setValue(rows)
            self.columns_box.setValue(columns)
        self.neighbours.setCurrentIndex(int(options.neighbours == "space"))
        self.every_box.setValue(options.every)

    @property
    def _on_raster(self) -> bool:
        return self._view is not None and self._view.raster is not None

    def _chosen(self) -> tuple[Size, Neighbours]:
        return self.size(), "space" if self.neighbours.currentIndex() else "path"

    def _on_bin(self) -> None:
        self.asked.emit(*self._chosen(), self.every_box.value())

    def _report(self) -> None:
        if self._view is None:
            return
        if self.runner.running:
            self._stale = True
            return
        size, neighbours = self._chosen()
        self.runner.call(
            partial(sparse_report, self._view.scan, self.every_box.value(), size, neighbours),
            "bin size report",
        )

    def _on_report(self, outcome: str, report: Any) -> None:
        if outcome == "stopped":
            self._stale = False
            self.note.show_lines([LEFT])
        elif self._stale:
            self._stale = False
            self._report()
        elif outcome == "done":
            self.note.show_lines(report.lines(), report.warnings)


def _every() -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(1, 1)
    spin.setPrefix("1 pattern in ")
    spin.setSpecialValueText("all patterns")
    spin.setKeyboardTracking(False)
    spin.setToolTip(
        "Sparse sampling: of every so many patterns along the path only the first one is used, "
        f"before bins are made. {NO_UNIT}"
    )
    return spin


def _spin(name: str) -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(1, 1)
    spin.setKeyboardTracking(False)
    spin.setMinimumWidth(80)
    spin.setToolTip(
        f"Neighbouring {name} of the raster, or positions where there is none, that are summed "
        f"into one pattern; 1 bins nothing. {NO_UNIT}"
    )
    return spin
