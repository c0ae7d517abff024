"""Live curves of a denoising: PSNRs above, the loss below, over the same iterations."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_ptycho.gui.plot import DecadeAxis, calm, paint_axes

NAMES = {
    "psnr_db": "PSNR",
    "held_out_db": "held-out PSNR",
    "fidelity_db": "fidelity to input",
    "loss": "loss",
}
"""Curve -> what the user reads."""
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
LEAST_HEIGHT = 210
Curves = Mapping[str, Sequence[float]]


class DenoisePlot(QWidget):
    """The curves with marks: the best iteration, the one that is shown, the level of the noise."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._latest: dict[str, float] = {}
        self.legend = QLabel()
        self.legend.setStyleSheet("font-size: 8pt")
        self.legend.setWordWrap(True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self._canvas = pg.GraphicsLayoutWidget()
        self._canvas.ci.layout.setContentsMargins(2, 2, 6, 0)
        self._canvas.ci.layout.setSpacing(2)
        self.above = self._canvas.addPlot(row=0, col=0)
        self.below = self._canvas.addPlot(row=1, col=0, axisItems={"left": DecadeAxis("left")})
        self._arrange()
        self.curves = {name: self._curve(name) for name in NAMES}
        self.best = self._mark(self.above, 90, "best {value:.0f}", 0.1)
        self.bests = (self.best, self._mark(self.below, 90))
        self.cursors = (self._mark(self.above, 90), self._mark(self.below, 90))
        self.noise = self._mark(self.above, 0, "noise {value:.1f} dB", 0.02)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.legend)
        layout.addWidget(self._canvas, 1)
        self._canvas.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.setMinimumHeight(LEAST_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        viewer.events.theme.connect(self.follow_theme)
        self.follow_theme()

    def _arrange(self) -> None:
        for plot, name in ((self.above, "PSNR (dB)"), (self.below, "loss")):
            calm(plot)
            plot.setLabel("left", name)
            plot.setDownsampling(auto=True, mode="peak")
            plot.setClipToView(True)
        self.below.setLogMode(y=True)
        self.below.setLabel("bottom", "iteration")
        self.below.setXLink(self.above)
        self.above.getAxis("bottom").setStyle(showValues=False)
        self.above.getAxis("bottom").setHeight(4)
        self._canvas.ci.layout.setRowStretchFactor(0, 3)
        self._canvas.ci.layout.setRowStretchFactor(1, 2)

    def _curve(self, name: str) -> Any:
        return (self.below if name == "loss" else self.above).plot()

    def _mark(self, plot: Any, angle: float, text: str | None = None, at: float = 0.0) -> Any:
        """Return a line that is hidden at first, with a text at a share of its length."""
        line = pg.InfiniteLine(angle=angle, label=text, labelOpts={"position": at})
        line.setVisible(False)
        if text is not None and angle == 0:
            line.label.anchors = [(0, 1), (0, 1)]
        plot.addItem(line, ignoreBounds=True)
        return line

    def show_curves(self, curves: Curves, best: int, noise_db: float) -> None:
        """Show curves with one value per iteration.

        Args:
            curves: As of `Denoised.curves`.
            best: The iteration that is kept; 0 where there are none.
            noise_db: Fidelity of an image without noise.
        """
        self._latest = {name: values[-1] for name, values in curves.items() if len(values)}
        for name, curve in self.curves.items():
            values = np.asarray(curves.get(name, ()), float)
            curve.setData(np.arange(1, len(values) + 1), values)
        for line in self.bests:
            line.setVisible(best > 0)
            line.setValue(best)
        self.noise.setVisible(bool(curves) and math.isfinite(noise_db))
        self.noise.setValue(noise_db)
        self._include(noise_db, curves)
        self._tell()

    def _include(self, noise_db: float, curves: Curves) -> None:
        """Make room for the mark of the noise, which does not count in the range."""
        values = [v for name in NAMES if name != "loss" for v in curves.get(name, ())]
        finite = np.asarray(values, float)
        finite = finite[np.isfinite(finite)]
        if len(finite):
            low, high = float(finite.min()), float(finite.max())
            if math.isfinite(noise_db):
                low, high = min(low, noise_db), max(high, noise_db)
            margin = 0.06 * max(high - low, 0.5)
            self.above.setYRange(low - margin, high + margin, padding=0)
            above = (
                0 if noise_db >= high else 1
            )  # the label lies below the line where it is the top
            self.noise.label.anchors = [(0, above), (0, above)]
            self.noise.label.updatePosition()

    def show_cursor(self, iteration: int | None) -> None:
        """Mark the iteration whose output is shown; None: none in particular."""
        for line in self.cursors:
            line.setVisible(iteration is not None)
            if iteration is not None:
                line.setValue(iteration)

    def _tell(self) -> None:
        """Say which colour is which curve, and the newest value of each."""
        colours = COLOURS[get_theme(self._viewer.theme).type]
        words = [
            f'<span style="color:{colours[name]}">━ {title} {self._latest[name]:.1f}</span>'
            for name, title in NAMES.items()
            if name in self._latest and name != "loss"
        ]
        self.legend.setText(f"{' &nbsp; '.join(words)} dB" if words else "")

    def follow_theme(self, event: Any = None) -> None:
        """Take the colours of the viewer's theme."""
        theme = get_theme(self._viewer.theme)
        colours, dashed = COLOURS[theme.type], Qt.PenStyle.DashLine
        self.background, text = theme.background.as_hex(), theme.text.as_hex()
        self._canvas.setBackground(self.background)
        for plot in (self.above, self.below):
            paint_axes(plot, theme)
        for name, curve in self.curves.items():
            curve.setPen(pg.mkPen(colours[name], width=1))
        for line in self.bests:
            line.setPen(pg.mkPen(text, width=1, style=dashed))
        for line in self.cursors:
            line.setPen(pg.mkPen(colours["cursor"], width=1))
        self.noise.setPen(pg.mkPen(colours["fidelity_db"], width=1, style=dashed))
        self.best.label.setColor(text)
        self.noise.label.setColor(colours["fidelity_db"])
        self._tell()
