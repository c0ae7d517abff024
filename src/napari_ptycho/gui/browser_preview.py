"""The right side of the browser: the mean frame, the path of the scan, and what they amount to."""

from typing import Any

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtWidgets import QWidget

from napari_ptycho.gui.browser_view import Preview
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.plot import CURVE, paint_axes
from napari_ptycho.gui.widgets import Note
from napari_ptycho.prepare.cutting import Window

WAITING = "Reading…"
TIP = (
    "What would be opened. Above: the mean frame with what is cut out (green) and zero frequency "
    "(+), in detector pixels. Below: the path of the positions with its first point, in the unit "
    "at the axes."
)
FRAME, PATH = "Mean frame, log10(1 + counts)", "Path of the scan"
WINDOW = {"dark": "#69f0ae", "light": "#00c853"}
"""Colour of what is cut out: it stands on a dark map in both themes."""
AXIS_PX, MOST_SYMBOLS = 44, 4000


class PreviewPane(QWidget):
    """Shows a `Preview`."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._canvas = pg.GraphicsLayoutWidget()
        self._canvas.ci.layout.setContentsMargins(2, 2, 8, 2)
        self._canvas.ci.layout.setSpacing(2)
        self._canvas.setToolTip(TIP)
        self.frame_plot, self.path_plot = self._plot(), self._plot()
        self._canvas.addItem(self.frame_plot, 0, 0)
        self.image = pg.ImageItem(axisOrder="row-major")
        self.image.setColorMap(pg.colormap.get("inferno"))
        self.frame_plot.addItem(self.image)
        self.cut = self.frame_plot.plot()
        self.centre = self.frame_plot.plot(symbol="+", symbolSize=14, pen=None)
        self.path = self.path_plot.plot()
        self.start = self.path_plot.plot(symbol="o", symbolSize=8, pen=None)
        self.note, self.facts = Note(viewer), Note(viewer, small=True)
        self.remarks = Note(viewer, small=True)
        layout = stack(self, self.note, self._canvas, self.facts, self.remarks, spacing=4)
        layout.setStretchFactor(self._canvas, 1)
        viewer.events.theme.connect(self.follow_theme)
        self.follow_theme()

    def _plot(self) -> Any:
        plot = pg.PlotItem()
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setAspectLocked(True)
        plot.invertY(True)  # rows run down
        plot.getAxis("left").setWidth(AXIS_PX)
        for side in ("left", "bottom"):
            plot.getAxis(side).enableAutoSIPrefix(False)
        return plot

    def wait(self) -> None:
        """Say that another preview is on its way."""
        self.note.show_lines([WAITING])

    def show_preview(self, seen: Preview) -> None:
        """Show a preview: pictures where there are any, and the sentence of what is missing."""
        self.note.show_lines([], [seen.sentence] if seen.sentence else [])
        self.facts.show_lines(seen.lines)
        self.remarks.show_lines(seen.notes, seen.warnings)
        self._show_frame(seen)
        self._show_path(seen)

    def _show_frame(self, seen: Preview) -> None:
        if seen.mean is None or seen.window is None:
            self.image.clear()
            self.cut.setData([], [])
            self.centre.setData([], [])
            return
        top = max(float(np.percentile(seen.mean, 99.9)), 0.01)
        self.image.setImage(seen.mean, levels=(0.0, top))
        y, x = _outline(seen.window)
        self.cut.setData(x, y)
        middle = [first + side // 2 + 0.5 for first, side in _sides(seen.window)]
        self.centre.setData(middle[1:], middle[:1])
        self.frame_plot.autoRange(padding=0.02)

    def _show_path(self, seen: Preview) -> None:
        shown = self.path_plot in self._canvas.ci.items
        if seen.positions is None:
            if shown:
                self._canvas.removeItem(self.path_plot)
            return
        if not shown:
            self._canvas.addItem(self.path_plot, 1, 0)
        y, x = (seen.positions - seen.positions.min(axis=0)).T
        few = len(x) <= MOST_SYMBOLS
        self.path.setData(x, y, symbol="o" if few else None)
        self.start.setData(x[:1], y[:1])
        self.path_plot.setLabel("left", f"y ({seen.unit})")
        self.path_plot.setLabel("bottom", f"x ({seen.unit})")
        self.path_plot.autoRange(padding=0.05)

    def follow_theme(self, event: Any = None) -> None:
        """Take the colours of the viewer's theme."""
        theme = get_theme(self._viewer.theme)
        self._canvas.setBackground(theme.background.as_hex())
        for plot, title in ((self.frame_plot, FRAME), (self.path_plot, PATH)):
            paint_axes(plot, theme)
            plot.setTitle(title, size="9pt", color=theme.text.as_hex())
        colour = CURVE[theme.type]
        self.path.setPen(pg.mkPen(colour, width=1))
        self.path.setSymbolSize(3)
        self.path.setSymbolPen(None)
        self.path.setSymbolBrush(colour)
        self.start.setSymbolBrush(WINDOW[theme.type])
        self.start.setSymbolPen(None)
        self.cut.setPen(pg.mkPen(WINDOW[theme.type], width=1))
        self.centre.setSymbolPen(None)
        self.centre.setSymbolBrush(WINDOW[theme.type])


def _sides(window: Window) -> list[tuple[int, int]]:
    return list(zip(window.start, window.size, strict=True))


def _outline(window: Window) -> tuple[list[int], list[int]]:
    """Return the corners (y, x) of what is cut out, closed."""
    (top, high), (left, wide) = _sides(window)
    return (
        [top, top, top + high, top + high, top],
        [left, left + wide, left + wide, left, left],
    )
