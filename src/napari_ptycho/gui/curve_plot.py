"""A plot of some curves with thresholds, marks and bands; pyqtgraph, in the colours of napari."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_ptycho.gui.curve_colours import colour
from napari_ptycho.gui.curve_legend import CurveLegend
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.plot import TIP, calm, paint_axes
from napari_ptycho.model import Curve

BAND_ALPHA = 60
LEAST_HEIGHT = 190
MARGIN = 0.05


class CurvePlot(QWidget):
    """Curves over the same axes. Everything in it is made once and then fed with new data."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._shown: tuple[Curve, ...] = ()
        self._labels = ("", "")
        self._y_range: tuple[float, float] | None = None
        self.tells = True
        """Whether a legend names the curves; not where something beside the plot does."""
        self.legend = CurveLegend()
        self._canvas = pg.GraphicsLayoutWidget()
        self._canvas.ci.layout.setContentsMargins(2, 2, 6, 0)
        self._canvas.setToolTip(TIP)
        self.plot = self._canvas.addPlot()
        calm(self.plot)
        self.curves: list[Any] = []
        self.thresholds: list[Any] = []
        self.names: list[Any] = []
        """Texts at the thresholds."""
        self.marks: list[Any] = []
        self.bands: list[Any] = []
        stack(self, self.legend, self._canvas, spacing=2).setStretch(1, 1)
        self._canvas.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.setMinimumHeight(LEAST_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.plot.scene().sigMouseClicked.connect(self._on_click)
        viewer.events.theme.connect(self.follow_theme)
        self.follow_theme()

    def colour(self, i: int) -> str:
        """Return the colour of the i-th curve, as "#4fc3f7"."""
        return colour(i, self._viewer)

    def show_curves(
        self,
        curves: Sequence[Curve],
        x_label: str,
        y_label: str,
        *,
        thresholds: Sequence[str] = (),
        marks: Sequence[float] = (),
        spread: Mapping[int, Any] | None = None,
        y_range: tuple[float, float] | None = None,
    ) -> None:
        """Show curves instead of those before; none clears the plot.

        Args:
            curves: Each in its own colour, with its label in the legend. NaN leaves a gap.
            x_label: What the x axis shows, with its unit.
            y_label: What the y axis shows, with its unit.
            thresholds: Which threshold curves of the first curve are drawn, dashed, with names.
            marks: Where thin vertical lines stand.
            spread: Curve number -> half the height of a band around it, one value per point.
            y_range: Bottom and top of the y axis; None fits them to the curves.
        """
        zoomed = self._labels == (x_label, y_label) and self._y_range == y_range and self._shown
        self._shown, self._labels, self._y_range = tuple(curves), (x_label, y_label), y_range
        self.plot.setLabel("bottom", x_label)
        self.plot.setLabel("left", y_label)
        names = [name for name in thresholds if curves and name in curves[0].thresholds]
        self._feed_curves()
        self._feed_thresholds(names)
        self._feed_marks(marks if curves else ())
        self._feed_bands(spread or {})
        self.follow_theme()
        if not zoomed:
            self.show_all()

    def show_all(self) -> None:
        """Fit the axes to what is shown."""
        self.plot.enableAutoRange(x=True, y=True)
        if self._y_range is not None:
            self.plot.setYRange(*self._y_range, padding=0)

    def _feed_curves(self) -> None:
        while len(self.curves) < len(self._shown):
            self.curves.append(self.plot.plot(connect="finite"))
        for item, curve in zip(self.curves, self._shown, strict=False):
            item.setData(curve.x, curve.y)
        for item in self.curves[len(self._shown) :]:
            item.clear()

    def _feed_thresholds(self, names: Sequence[str]) -> None:
        while len(self.thresholds) < len(names):
            self.thresholds.append(self.plot.plot(connect="finite"))
            self.names.append(pg.TextItem(anchor=(1, 1)))
            self.plot.addItem(self.names[-1], ignoreBounds=True)
        for item, text in zip(self.thresholds[len(names) :], self.names[len(names) :], strict=True):
            item.clear()
            text.setVisible(False)
        for name, item, text in zip(names, self.thresholds, self.names, strict=False):
            x, y = self._shown[0].x, self._shown[0].thresholds[name]
            item.setData(x, y)
            finite = np.flatnonzero(np.isfinite(y))
            text.setVisible(bool(finite.size))
            text.setText(name)
            if finite.size:
                text.setPos(float(x[finite[-1]]), float(y[finite[-1]]))

    def _feed_marks(self, marks: Sequence[float]) -> None:
        while len(self.marks) < len(marks):
            self.marks.append(pg.InfiniteLine(angle=90))
            self.plot.addItem(self.marks[-1], ignoreBounds=True)
        for i, line in enumerate(self.marks):
            line.setVisible(i < len(marks))
            if i < len(marks):
                line.setValue(float(marks[i]))

    def _feed_bands(self, spread: Mapping[int, Any]) -> None:
        for band in self.bands:
            self.plot.removeItem(band)
        self.bands = []
        for i, half in spread.items():
            curve, half = self._shown[i], np.asarray(half, float)
            known = np.isfinite(curve.x) & np.isfinite(curve.y) & np.isfinite(half)
            x, y, half = curve.x[known], curve.y[known], half[known]
            edges = [pg.PlotCurveItem(x, y + sign * half) for sign in (-1, 1)]
            band = pg.FillBetweenItem(*edges, brush=self._band_brush(i))
            band.setZValue(-1)
            self.plot.addItem(band)
            self.bands.append(band)

    def _band_brush(self, i: int) -> Any:
        paint = pg.mkColor(self.colour(i))
        paint.setAlpha(BAND_ALPHA)
        return pg.mkBrush(paint)

    def _tell(self) -> None:
        """Say which colour is which curve."""
        names = [(self.colour(i), one.label) for i, one in enumerate(self._shown) if one.label]
        self.legend.show_names(names)
        self.legend.setVisible(bool(names) and self.tells)

    def _on_click(self, event: Any) -> None:
        if event.double():
            self.show_all()

    def follow_theme(self, event: Any = None) -> None:
        """Take the colours of the viewer's theme."""
        theme = get_theme(self._viewer.theme)
        self.background, text = theme.background.as_hex(), theme.text.as_hex()
        grey, dashed = theme.secondary.as_hex(), Qt.PenStyle.DashLine
        self._canvas.setBackground(self.background)
        paint_axes(self.plot, theme)
        for i, item in enumerate(self.curves):
            item.setPen(pg.mkPen(self.colour(i), width=1))
        for item in self.thresholds:
            item.setPen(pg.mkPen(text, width=1, style=dashed))
        for item in self.names:
            item.setColor(text)
        for line in self.marks:
            line.setPen(pg.mkPen(grey if theme.type == "dark" else text, width=1))
        self._tell()
