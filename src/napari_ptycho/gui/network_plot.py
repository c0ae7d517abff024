"""Live curves of a training and of a fine-tuning."""

import math
from collections.abc import Mapping
from typing import Any

import pyqtgraph as pg
from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtCore import Qt

from napari_ptycho.gui.plot import WIDE
from napari_ptycho.gui.stacked_plot import Curves, Panel, StackedPlot

TRAIN = (
    Panel(
        "loss",
        {"loss": "training loss", "validation": "validation loss"},
        log=True,
        share=3,
        value="{:.3g}",
    ),
    Panel("PSNR (dB)", {"psnr_db": "PSNR"}, value="{:.1f} dB"),
    Panel("corr.", {"correlation": "phase correlation"}, value="{:z.2f}"),
)
TUNE = (
    Panel("loss", {"loss": "loss"}, log=True, value="{:.3g}"),
    Panel(
        "R factor",
        {"r_factor": "R of what it learns", "held_out": "held-out R"},
        share=3,
        value="{:.3f}",
    ),
)
BEST_AT = 0.85
_DARK = {"blue": "#4fc3f7", "green": "#81c784", "orange": "#ffb74d", "pink": "#f06292"}
_LIGHT = {"blue": "#1f77b4", "green": "#2e7d32", "orange": "#d9730d", "pink": "#c2185b"}
_USED = {
    "loss": "orange",
    "validation": "blue",
    "psnr_db": "green",
    "correlation": "pink",
    "r_factor": "green",
    "held_out": "blue",
}
COLOURS = {
    kind: {name: colours[colour] for name, colour in _USED.items()}
    for kind, colours in (("dark", _DARK), ("light", _LIGHT))
}


class TrainPlot(StackedPlot):
    """Loss and validation, with what a constant reaches; PSNR; correlation of the phase."""

    about = "Dotted line: what a constant reaches. best: the epoch that is kept."

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer, TRAIN, COLOURS, "epoch", 280, BEST_AT, WIDE)
        self.constant = self.mark(self.plots[0], 0)
        self.follow_theme()

    def show_training(self, history: Curves, best: float, baseline: Mapping[str, float]) -> None:
        """Show the curves.

        Args:
            history: As of `networks.train`.
            best: The epoch that is kept.
            baseline: What a constant reaches.
        """
        level = baseline.get("validation", math.nan)
        known = math.isfinite(level) and level > 0
        self.constant.setVisible(known)
        if known:
            self.constant.setValue(math.log10(level))
        self.show_values(history, best, history.get("epoch", ()))

    def _tell(self) -> None:
        """Name the dotted line in the legend: beside it the name would lie on the curves."""
        super()._tell()
        if self.constant.isVisible():
            level = f"┄ a constant {10 ** self.constant.value():.3g}"
            self.legend.setText(f"{self.legend.text()} &nbsp; {level}")

    def follow_theme(self, event: Any = None) -> None:
        """Take the colours of the viewer's theme."""
        super().follow_theme(event)
        colour = get_theme(self._viewer.theme).text.as_hex()
        self.constant.setPen(pg.mkPen(colour, width=1, style=Qt.PenStyle.DotLine))


class TunePlot(StackedPlot):
    """Loss, and the R factors of what is learnt and of what is only looked at."""

    about = "R: |√counts − q √model| over √counts, summed. best: the epoch that is kept."

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer, TUNE, COLOURS, "epoch", 210, BEST_AT, WIDE)
        self.follow_theme()
