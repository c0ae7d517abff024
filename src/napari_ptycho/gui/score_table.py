"""What was tried on a layer, and how well it went: a row per denoising."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QHeaderView, QPushButton, QTableWidget, QWidget

from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.widgets import RED, fit_rows, heading, put, show_titles, small_table

if TYPE_CHECKING:
    from napari_ptycho.denoise.result import Denoised

COLUMNS = {
    "method": "Network, or classical method.",
    "rule": "What ended it, or how its strength was found.",
    "it": "The iteration that is kept.",
    "PSNR": "Against the reference, in dB.",
    "fid.": "Fidelity to the input, in dB: right near the level of the noise, too high above it.",
    "grid": "Worst grid score of what was taken away, in dB; red where it is no accident.",
    "s": "Seconds.",
}
RULES = {"second-copy": "copy", "discrepancy": "discrep.", "j-invariant": "J-inv."}


@dataclass(frozen=True)
class Score:
    """A finished denoising in words."""

    cells: tuple[str, ...]
    """One per column."""
    alarm: bool
    tip: str


def score(name: str, result: "Denoised", seconds: float) -> Score:
    """Return a result as a row.

    Args:
        name: Of the channel.
        result: What was reached.
        seconds: How long it took.
    """
    from napari_ptycho.denoise.grid import alarms

    settings = result.settings
    method = str(settings.get("architecture", settings.get("title", "")))
    networks = int(settings.get("ensemble", 1))
    how = next((n.partition(": ")[2] for n in result.notes if n.startswith("strength from")), "")
    rule = result.rule if result.iteration else how
    cells = (
        f"{method} ×{networks}" if networks > 1 else method,
        RULES.get(rule, rule),
        str(result.iteration) if result.iteration else "",
        _db(result.score("psnr_db")),
        _db(result.score("fidelity_db")),
        _db(max(result.grid.values(), default=None)),
        f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}",
    )
    lines = [f"{key} = {value}" for key, value in settings.items()]
    return Score(cells, bool(alarms(result.grid)), "\n".join([name, *lines, *result.notes]))


def _db(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


class ScoreTable(QWidget):
    """The rows of one layer, and a button that clears them."""

    cleared = Signal()

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.table = QTableWidget(0, len(COLUMNS))
        small_table(self.table)
        show_titles(self.table, COLUMNS.items())
        self.table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        self.clear_button = QPushButton("Clear")
        self.clear_button.setToolTip("Empty the table of this layer; its images stay.")
        self.table.setToolTip("Denoised versions of this layer; a row has its settings as tooltip.")
        self.clear_button.clicked.connect(self.cleared)
        above = QHBoxLayout()
        above.addWidget(heading("Scores"), 1)
        above.addWidget(self.clear_button)
        stack(self, above, self.table)
        self.show_scores(())

    def show_scores(self, scores: Sequence[Score]) -> None:
        """Show these rows; without any, take no room."""
        red = RED[get_theme(self._viewer.theme).type]
        self.table.setRowCount(len(scores))
        for row, one in enumerate(scores):
            for column, (title, text) in enumerate(zip(COLUMNS, one.cells, strict=True)):
                alarm = one.alarm and title == "grid"
                put(self.table, row, column, text, one.tip, red if alarm else "")
        fit_rows(self.table)
        self.setVisible(bool(scores))
