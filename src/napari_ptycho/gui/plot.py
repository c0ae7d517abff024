"""Live curves: pyqtgraph, created once, then only fed with new data."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_ptycho.gui.layouts import stack

SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
CURVE = {"dark": "#4fc3f7", "light": "#1f77b4"}
AXIS_WIDTH, LEAST_HEIGHT = 52, 165
WIDE = 66  # room for ticks as 0.0005 beside the name of the axis
MANTISSAS = (1, 2, 5)
LABEL_PX = 15


class DecadeAxis(pg.AxisItem):  # type: ignore[misc]
    """A logarithmic axis: labels at decades, or at 1, 2, 5 where the range spans few of them."""

    def logTickValues(
        self, minVal: float, maxVal: float, size: float, stdTicks: Any
    ) -> list[tuple[float | None, list[float]]]:
        """Return the labelled ticks, then the small ones (both as log10)."""
        decades = range(int(np.floor(minVal)), int(np.ceil(maxVal)) + 1)
        all_ticks = [(k, float(m)) for k in decades for m in range(1, 10)]
        inside = [(k, m) for k, m in all_ticks if minVal <= k + np.log10(m) <= maxVal]
        span = maxVal - minVal
        room = span < 2 and size >= LABEL_PX * len(MANTISSAS) * span
        large = [tick for tick in inside if tick[1] == 1 or (room and tick[1] in MANTISSAS)]
        if len(large) < 2:
            large = [tick for tick in inside if tick[1] in MANTISSAS]
        if len(large) < 2:
            large = inside if len(inside) > 1 else _between(minVal, maxVal)
        small = [tick for tick in inside if tick not in large]
        place = [[float(k + np.log10(m)) for k, m in ticks] for ticks in (large, small)]
        return [(1.0, place[0]), (None, place[1])]

    def logTickStrings(
        self, values: Sequence[float], scale: float, spacing: float | None
    ) -> list[str]:
        """Return 10ⁿ at decades, the plain number between them, nothing at small ticks."""
        return [_text(value) if spacing else "" for value in values]


def _between(low: float, high: float) -> list[tuple[int, float]]:
    """Return a few round numbers between two (as log10) that lie close together."""
    decade = int(np.floor(low))
    first, last = 10 ** (low - decade), 10 ** (high - decade)
    step = next((s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if (last - first) / s <= 5), 1.0)
    count = range(int(np.ceil(first / step)), int(np.floor(last / step)) + 1)
    return [(decade, i * step) for i in count]


def _text(value: float) -> str:
    decade = round(value)
    if abs(value - decade) > 1e-6:
        return f"{10**value:.3g}"
    return "1" if decade == 0 else f"10{str(decade).translate(SUPERSCRIPT)}"


def calm(plot: Any, width: int = AXIS_WIDTH) -> None:
    """Take menus and buttons from a plot, give it a faint grid and a left axis of this width."""
    plot.setMenuEnabled(False)
    plot.hideButtons()
    plot.showGrid(x=True, y=True, alpha=0.15)
    for side in ("left", "bottom"):
        plot.getAxis(side).enableAutoSIPrefix(False)
    plot.getAxis("left").setWidth(width)


def paint_axes(plot: Any, theme: Any) -> None:
    """Give the axes of a plot the colours of a theme."""
    for side in ("left", "bottom"):
        plot.getAxis(side).setPen(theme.secondary.as_hex())
        plot.getAxis(side).setTextPen(theme.text.as_hex())


TIP = "Drag or turn the wheel to see a part; double-click to see all."
"""What the mouse does in any plot."""
ERROR = (
    "Error of each epoch: (|F| − √counts)² over the counts, summed over what is measured; it has "
    "no unit. Compare it within one scan only. Thin upright lines: a stage began."
)


class LivePlot(QWidget):
    """The error over epochs, logarithmic, in the colours of the viewer's theme."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._canvas = pg.GraphicsLayoutWidget()
        self._plot = self._canvas.addPlot(axisItems={"left": DecadeAxis("left")})
        self._plot.setLogMode(y=True)
        calm(self._plot, WIDE)
        self._canvas.setToolTip(f"{ERROR}\n{TIP}")
        self._plot.setLabel("left", "error")
        self._plot.setLabel("bottom", "epoch")
        self.curve = self._plot.plot()
        self.borders: list[Any] = []
        stack(self, self._canvas)
        self._canvas.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.setMinimumHeight(LEAST_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        viewer.events.theme.connect(self.follow_theme)
        self.follow_theme()

    def show_curve(self, values: Sequence[float]) -> None:
        """Show one value per epoch, from the first."""
        self.curve.setData(np.arange(1, len(values) + 1), np.asarray(values, float))

    def show_borders(self, epochs: Sequence[int]) -> None:
        """Show thin vertical lines where engines began, after so many epochs (0 shows none)."""
        places = [epoch + 0.5 for epoch in sorted(set(epochs)) if epoch > 0]
        if places == [line.value() for line in self.borders]:
            return
        for line in self.borders:
            self._plot.removeItem(line)
        self.borders = [pg.InfiniteLine(place, pen=self._border_pen()) for place in places]
        for line in self.borders:
            self._plot.addItem(line, ignoreBounds=True)

    def _border_pen(self) -> Any:
        return pg.mkPen(get_theme(self._viewer.theme).secondary.as_hex(), width=1)

    def follow_theme(self, event: Any = None) -> None:
        """Take the colours of the viewer's theme."""
        theme = get_theme(self._viewer.theme)
        self.background = theme.background.as_hex()
        self._canvas.setBackground(self.background)
        paint_axes(self._plot, theme)
        for line in self.borders:
            line.setPen(self._border_pen())
        self.curve.setPen(pg.mkPen(CURVE[theme.type], width=1))
