"""Live curves in plots above each other, over the same steps; a legend with the newest values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.plot import AXIS_WIDTH, TIP, DecadeAxis, calm, paint_axes

Curves = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Panel:
    """One of the plots."""

    title: str
    """Of its axis."""
    curves: Mapping[str, str]
    """Curve -> what the user reads."""
    log: bool = False
    share: int = 2
    """Of the height."""
    value: str = "{:.1f}"
    """How the legend gives the newest value of a curve; "" leaves its curves out."""


class StackedPlot(QWidget):
    """Plots above each other, in the colours of the viewer's theme."""

    about: ClassVar[str] = "The upright line stands at what is kept."
    """What its tooltip says of the lines."""

    def __init__(
        self,
        viewer: Viewer,
        panels: Sequence[Panel],
        colours: Mapping[str, Mapping[str, str]],
        steps: str = "iteration",
        least_height: int = 180,
        best_at: float = 0.1,
        axis_width: int = AXIS_WIDTH,
    ) -> None:
        """Make the plots.

        Args:
            viewer: Whose theme they follow.
            panels: From top to bottom.
            colours: Kind of theme -> curve -> colour.
            steps: What the lowest axis counts.
            least_height: Of all of them, in pixels.
            best_at: Where on its line the mark of the best is named, from 0 (below) to 1.
            axis_width: Of the left axes, in pixels.
        """
        super().__init__()
        self._viewer, self._panels, self._colours = viewer, tuple(panels), colours
        self._latest: dict[str, float] = {}
        self.legend = QLabel()
        self.legend.setStyleSheet("font-size: 8pt")
        self.legend.setWordWrap(True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self._canvas = pg.GraphicsLayoutWidget()
        self._canvas.ci.layout.setContentsMargins(2, 2, 6, 0)
        self._canvas.ci.layout.setSpacing(2)
        shown = ", ".join(panel.title for panel in self._panels)
        self._canvas.setToolTip(f"{shown}, against the {steps}. {self.about}\n{TIP}")
        self.plots = [self._plot(row, panel) for row, panel in enumerate(self._panels)]
        self._arrange(steps, axis_width)
        self.curves = {
            name: plot.plot()
            for plot, panel in zip(self.plots, self._panels, strict=True)
            for name in panel.curves
        }
        texts = ["best {value:.0f}", *[None] * (len(self.plots) - 1)]
        self.bests = [
            self.mark(plot, 90, text, best_at) for plot, text in zip(self.plots, texts, strict=True)
        ]
        stack(self, self.legend, self._canvas, spacing=2).setStretch(1, 1)
        self._canvas.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.setMinimumHeight(least_height)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        viewer.events.theme.connect(self.follow_theme)

    def _plot(self, row: int, panel: Panel) -> Any:
        axes = {"left": DecadeAxis("left")} if panel.log else {}
        plot = self._canvas.addPlot(row=row, col=0, axisItems=axes)
        calm(plot)
        plot.setLabel("left", panel.title)
        plot.setDownsampling(auto=True, mode="peak")
        plot.setClipToView(True)
        if panel.log:
            plot.setLogMode(y=True)
        self._canvas.ci.layout.setRowStretchFactor(row, panel.share)
        return plot

    def _arrange(self, steps: str, axis_width: int) -> None:
        """Give all plots the axis of the lowest one."""
        for plot in self.plots:
            plot.getAxis("left").setWidth(axis_width)
        first, *others = self.plots
        for plot in others:
            plot.setXLink(first)
        *above, lowest = self.plots
        lowest.setLabel("bottom", steps)
        for plot in above:
            plot.getAxis("bottom").setStyle(showValues=False)
            plot.getAxis("bottom").setHeight(4)

    def mark(self, plot: Any, angle: float, text: str | None = None, at: float = 0.0) -> Any:
        """Return a line that is hidden at first, with a text at a share of its length."""
        line = pg.InfiniteLine(angle=angle, label=text, labelOpts={"position": at})
        line.setVisible(False)
        if text is not None and angle == 0:
            line.label.anchors = [(0, 1), (0, 1)]
        plot.addItem(line, ignoreBounds=True)
        return line

    def show_values(self, curves: Curves, best: float, steps: Sequence[float] = ()) -> None:
        """Show curves.

        Args:
            curves: Values by name.
            best: The step that is kept; 0 where there is none.
            steps: Where the values were taken; empty: at 1, 2, 3 …
        """
        self._latest = {name: values[-1] for name, values in curves.items() if len(values)}
        for name, curve in self.curves.items():
            values = np.asarray(curves.get(name, ()), float)
            at = np.asarray(steps, float) if len(steps) else np.arange(1, len(values) + 1)
            curve.setData(at[: len(values)], values)
        for line in self.bests:
            line.setVisible(best > 0)
            line.setValue(best)
        self._tell()

    def _tell(self) -> None:
        """Say which colour is which curve, and the newest value of each."""
        colours = self._colours[get_theme(self._viewer.theme).type]
        words = [
            f'<span style="color:{colours[name]}">━ {title} '
            f"{panel.value.format(self._latest[name])}</span>"
            for panel in self._panels
            for name, title in panel.curves.items()
            if panel.value and name in self._latest
        ]
        self.legend.setText(" &nbsp; ".join(words))

    def follow_theme(self, event: Any = None) -> None:
        """Take the colours of the viewer's theme."""
        theme = get_theme(self._viewer.theme)
        self.background, text = theme.background.as_hex(), theme.text.as_hex()
        self._canvas.setBackground(self.background)
        for plot in self.plots:
            paint_axes(plot, theme)
        for name, curve in self.curves.items():
            curve.setPen(pg.mkPen(self._colours[theme.type][name], width=1))
        for line in self.bests:
            line.setPen(pg.mkPen(text, width=1, style=Qt.PenStyle.DashLine))
        self.bests[0].label.setColor(text)
        self._tell()
