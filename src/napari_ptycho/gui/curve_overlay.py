"""A small plot on the canvas that keeps its place and size on the screen.

It is a shapes layer in pixels of the screen. When the camera moves, only its affine map changes, at
most in a quarter of the time. While the canvas is a grid or three-dimensional, it hides.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from napari.layers import Shapes
from napari.utils.theme import get_theme
from napari.viewer import Viewer
from numpy.typing import NDArray
from qtpy.QtCore import QObject

from napari_ptycho.gui import canvas
from napari_ptycho.gui.curve_colours import colour
from napari_ptycho.gui.pause import Pause
from napari_ptycho.gui.restore import select
from napari_ptycho.model import Curve

NAME = "curve"
SIZE = (130.0, 230.0)  # height and width on the screen
EDGE_PX = 12.0  # to the top and right border of the canvas
INSIDE = (36.0, 10.0, 20.0, 10.0)  # from the box to the axes: top, right, bottom, left
TEXT_PT, LINE_PX, ROW_PX, NAME_PX = 8, 1.5, 14.0, 55.0
PAUSE_MS, LONGEST_MS = 15, 60
MOST_POINTS = 120
CLEAR = "#00000000"
Points = NDArray[np.float64]
Pair = tuple[float, float]


class Item(NamedTuple):
    """A shape, its colours, and the text at its upper left corner."""

    kind: str
    data: Points
    edge: str = CLEAR
    face: str = CLEAR
    text: str = ""
    ink: str = CLEAR


class CurveOverlay(QObject):
    """Curves in the upper right corner of the canvas."""

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.layer: Shapes | None = None
        self._items: Sequence[Item] = ()
        self._hiding = self._fitting = False
        self._pause = Pause(self, PAUSE_MS, self._place)
        camera = viewer.scene.camera.events
        for event in (camera.zoom, camera.center, viewer.canvas.events.size):
            event.connect(self._soon)
        viewer.dims.events.ndisplay.connect(self._place)
        viewer.canvas.grid.events.enabled.connect(self._place)
        viewer.layers.events.inserted.connect(self._on_layers)
        viewer.layers.events.removed.connect(self._on_layers)
        viewer.events.reset_view.connect(self._on_reset)

    @property
    def shown(self) -> bool:
        """Whether it is there (in a grid it is there, but hidden)."""
        return self.layer is not None

    def show(self, curves: Sequence[Curve], threshold: str, title: str) -> None:
        """Show curves instead of those before.

        Args:
            curves: In the colours of `CurvePlot`; NaN leaves a gap. None: as `hide`.
            threshold: Which threshold of the first curve is drawn; "" or an unknown name: none.
            title: Stands above them.
        """
        items = list(_items(self._viewer, curves, threshold, title))
        if not items:
            self.hide()
            return
        kinds = [item.kind for item in items]
        if self.layer is not None and list(self.layer.shape_type) != kinds:
            self.hide()
        if self.layer is None:
            self._add(items)
        else:
            self._feed(self.layer, items)
        self._items = items
        self._place()

    def _feed(self, layer: Shapes, items: Sequence[Item]) -> None:
        """Show other items of the same kinds; every property that is set costs a picture."""
        before = self._items
        layer.data = [item.data for item in items]
        for name in ("edge", "face"):
            paints = [getattr(item, name) for item in items]
            if paints != [getattr(item, name) for item in before]:
                setattr(layer, f"{name}_color", paints)
        if [item[-2:] for item in items] != [item[-2:] for item in before]:
            layer.text = _text(items)

    def hide(self) -> None:
        """Take it from the canvas."""
        layer, self.layer = self.layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _add(self, items: Sequence[Item]) -> None:
        viewer = self._viewer
        selected = [layer for layer in viewer.layers if layer in viewer.layers.selection]
        layer = Shapes(
            [item.data for item in items],
            ndim=2,
            shape_type=[item.kind for item in items],
            edge_color=[item.edge for item in items],
            face_color=[item.face for item in items],
            edge_width=LINE_PX,
            opacity=1,
            text=_text(items),
            name=NAME,
            metadata={canvas.PASSING: True},
            affine=self._placing(),
        )
        self.layer = layer
        self._join(layer)
        viewer.add_layer(layer)
        select(viewer, selected)

    # -- its place

    def _placing(self) -> NDArray[np.float64]:
        """Return the map from pixels of the screen in the overlay to the world, (3, 3)."""
        camera, size = self._viewer.scene.camera, np.array(self._viewer.canvas.size, float)
        up, left = (str(one) in ("up", "left") for one in camera.orientation[-2:])
        scale = np.where((up, left), -1.0, 1.0) / camera.zoom
        corner = np.array((EDGE_PX, size[1] - EDGE_PX - SIZE[1])) - size / 2
        place = np.diag((*scale, 1.0))
        place[:2, 2] = np.array(camera.center[-2:]) + corner * scale
        return place

    def _place(self, event: Any = None) -> None:
        layer = self.layer
        if layer is None:
            return
        began = time.perf_counter()
        flat = self._viewer.dims.ndisplay == 2 and not self._viewer.canvas.grid.enabled
        if self._hiding == flat:  # what the user hides stays hidden
            self._hiding, layer.visible = not flat, flat
        place = self._placing()
        if flat and not np.allclose(layer.affine.affine_matrix, place, rtol=1e-9, atol=0):
            layer.affine = place
        spent_ms = (time.perf_counter() - began) * 1e3
        self._pause.setInterval(min(max(PAUSE_MS, round(3 * spent_ms)), LONGEST_MS))

    def _soon(self, event: Any = None) -> None:
        if self.layer is not None:
            self._pause.soon()

    def _on_layers(self, event: Any) -> None:
        if self.layer is None:
            return
        if self.layer not in self._viewer.layers:
            if event.type == "removed":
                self.layer = None
            return
        self._join(self.layer)

    def _join(self, layer: Shapes) -> None:
        """Take the units of the others: as one of our layers, if there is one among them."""
        others = [one for one in self._viewer.layers if one is not layer]
        if canvas.find(others, (*canvas.OURS, canvas.TOOL)):
            layer.metadata.update(canvas.metadata(canvas.TOOL, None))
        else:
            layer.metadata.pop(canvas.ROLE, None)
        if others and layer.units != others[0].units[-2:]:
            layer.units = others[0].units[-2:]

    def _on_reset(self, event: Any = None) -> None:
        """Fit the camera to what is shown, which is not the overlay."""
        layer = self.layer
        if self._fitting or layer is None:
            return
        others = [one for one in self._viewer.layers if one is not layer and one.visible]
        if others:
            self._fitting = True
            self._viewer.fit_to_view(layers=others)
            self._fitting = False


def _items(viewer: Viewer, curves: Sequence[Curve], threshold: str, title: str) -> Iterator[Item]:
    theme = get_theme(viewer.theme)
    ink, paper = theme.text.as_hex(), theme.background.as_hex()
    limit = curves[0].thresholds.get(threshold) if curves else None
    lines = [(curve.x, curve.y) for curve in curves]
    if limit is not None:
        lines.append((curves[0].x, limit))
    box = _limits(lines)
    if box is None:
        return
    (top, right, bottom, left), (h, w) = INSIDE, SIZE
    yield Item("rectangle", _points((0, 0), (0, w), (h, w), (h, 0)), face=f"{paper[:7]}cc")
    yield Item("path", _points((top, left), (h - bottom, left), (h - bottom, w - right)), edge=ink)
    for i, (x, y) in enumerate(lines):
        paint = colour(i, viewer) if i < len(curves) else ink
        parts = list(_parts(x, y, box))
        for part in parts:
            yield Item("path", part, edge=paint)
        if i == len(curves) and parts:
            yield _label((parts[-1][-1][0] - 3, w - right - NAME_PX), threshold, ink)
    yield _label((ROW_PX, 6), title, ink)
    for i, curve in enumerate(curves):
        yield _label((2 * ROW_PX, 6 + i * w / len(curves)), curve.label, colour(i, viewer))
    yield _label((h - 4, left), f"{box[0][0]:.3g}", ink)
    unit = f" {curves[0].x_unit}"
    yield _label((h - 4, w - right - 95), f"to {box[0][1]:.3g}{unit}".rstrip(), ink)


def _label(place: tuple[float, float], text: str, ink: str) -> Item:
    y, x = place
    return Item(
        "rectangle", _points((y, x), (y, x + 1), (y + 1, x + 1), (y + 1, x)), text=text, ink=ink
    )


def _points(*places: tuple[float, float]) -> Points:
    return np.array(places, float)


def _limits(lines: Sequence[tuple[Points, Points]]) -> tuple[Pair, Pair] | None:
    """Return the least and largest x and y of all points that are known; y begins at 0 or below."""
    known = [np.isfinite(x) & np.isfinite(y) for x, y in lines]
    if not any(there.any() for there in known):
        return None
    x = np.concatenate([x[there] for (x, _), there in zip(lines, known, strict=True)])
    y = np.concatenate([y[there] for (_, y), there in zip(lines, known, strict=True)])
    return (float(x.min()), float(x.max())), (min(0.0, float(y.min())), float(y.max()))


def _parts(x: Points, y: Points, box: tuple[Pair, Pair]) -> Iterator[Points]:
    """Return the pieces of a curve without gaps, on the screen, thinned to what can be seen."""
    (x0, x1), (y0, y1) = box
    top, right, bottom, left = INSIDE
    across = left + (x - x0) / ((x1 - x0) or 1) * (SIZE[1] - left - right)
    down = SIZE[0] - bottom - (y - y0) / ((y1 - y0) or 1) * (SIZE[0] - bottom - top)
    known = np.isfinite(across) & np.isfinite(down)
    runs = np.split(np.arange(len(x)), np.flatnonzero(np.diff(known)) + 1)
    for run in runs:
        if len(run) > 1 and known[run[0]]:
            kept = run[np.unique(np.linspace(0, len(run) - 1, MOST_POINTS).round().astype(int))]
            yield np.stack((down[kept], across[kept]), axis=1)


def _text(items: Sequence[Item]) -> dict[str, Any]:
    return {
        "string": [item.text for item in items],
        "color": [item.ink for item in items],
        "size": TEXT_PT,
        "anchor": "upper_left",
    }
