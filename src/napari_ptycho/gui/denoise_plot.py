"""Live curves of a denoising: PSNRs above, the loss below, over the same iterations."""

import math
from typing import Any

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtCore import Qt

from napari_ptycho.gui.stacked_plot import Curves, Panel, StackedPlot

PANELS = (
    Panel(
        "PSNR (dB)",
        {"psnr_db": "PSNR", "held_out_db": "held-out PSNR", "fidelity_db": "fidelity to input"},
        share=3,
    ),
    Panel("loss", {"loss": "loss"}, log=True, value=""),
)
COLOURS = {
    "dark": {
        "psnr_db": "#4fc3f7",
        "held_out_db": "#81c784",
        "fidelity_db": "#b0b0b0",
        "loss": "#ffb74d",
        "cursor": "#f06292",
    },
    "light": {
        "psnr_db": "#1f77b4",
        "held_out_db": "#2e7d32",
        "fidelity_db": "#757575",
        "loss": "#d9730d",
        "cursor": "#c2185b",
    },
}


class DenoisePlot(StackedPlot):
    """The curves with marks: the best iteration, the one that is shown, the level of the noise."""

    about = (
        "Upright lines: what is kept (dashed), what the slider shows. Level line: where an image "
        "without noise would be; a fidelity above it is learnt noise."
    )

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer, PANELS, COLOURS)
        self.above, self.below = self.plots
        self.best = self.bests[0]
        self.cursors = [self.mark(plot, 90) for plot in self.plots]
        self.noise = self.mark(self.above, 0, "noise {value:.1f} dB", 0.02)
        self.follow_theme()

    def show_curves(self, curves: Curves, best: int, noise_db: float) -> None:
        """Show curves with one value per iteration.

        Args:
            curves: As of `Denoised.curves`.
            best: The iteration that is kept; 0 where there are none.
            noise_db: Fidelity of an image without noise.
        """
        self.show_values(curves, best)
        self.noise.setVisible(bool(curves) and math.isfinite(noise_db))
        self.noise.setValue(noise_db)
        self._include(noise_db, curves)

    def _include(self, noise_db: float, curves: Curves) -> None:
        """Make room for the mark of the noise, which does not count in the range."""
        values = [v for name in PANELS[0].curves for v in curves.get(name, ())]
        finite = np.asarray(values, float)
        finite = finite[np.isfinite(finite)]
        if len(finite):
            low, high = float(finite.min()), float(finite.max())
            if math.isfinite(noise_db):
                low, high = min(low, noise_db), max(high, noise_db)
            margin = 0.06 * max(high - low, 0.5)
            self.above.setYRange(low - margin, high + margin, padding=0)
            anchor = (0, 0 if noise_db >= high else 1)  # below the line where that is the top
            self.noise.label.anchors = [anchor, anchor]
            self.noise.label.updatePosition()

    def show_cursor(self, iteration: int | None) -> None:
        """Mark the iteration whose output is shown; None: none in particular."""
        for line in self.cursors:
            line.setVisible(iteration is not None)
            if iteration is not None:
                line.setValue(iteration)

    def _tell(self) -> None:
        super()._tell()
        if self.legend.text():
            self.legend.setText(f"{self.legend.text()} dB")

    def follow_theme(self, event: Any = None) -> None:
        """Take the colours of the viewer's theme."""
        super().follow_theme(event)
        colours = COLOURS[get_theme(self._viewer.theme).type]
        for line in self.cursors:
            line.setPen(pg.mkPen(colours["cursor"], width=1))
        self.noise.setPen(pg.mkPen(colours["fidelity_db"], width=1, style=Qt.PenStyle.DashLine))
        self.noise.label.setColor(colours["fidelity_db"])
