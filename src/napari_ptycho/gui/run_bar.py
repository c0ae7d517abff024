"""How far a run is: a bar, and the newest of its notes."""

from collections.abc import Sequence
from typing import Any

from qtpy.QtWidgets import QProgressBar

from napari_ptycho.job import Update

WHOLE = 1000
NOTES = 4  # of a run that show, the newest


class RunBar(QProgressBar):
    """The share of a run that is done."""

    def __init__(self, tip: str) -> None:
        super().__init__()
        self.setRange(0, WHOLE)
        self.setToolTip(tip)

    def show_update(self, update: Update[Any]) -> None:
        """Show how far a run is."""
        self.setValue(round(WHOLE * update.done / max(update.total, 1)))


def newest(notes: Sequence[str]) -> list[str]:
    """Return the newest notes, and how many came before them."""
    earlier = len(notes) - NOTES
    return ([f"({earlier} earlier notes)"] if earlier > 0 else []) + list(notes[-NOTES:])
