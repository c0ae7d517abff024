"""Tools to draw on an image: a rectangle, a line, a point."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.layers import Layer, Points, Shapes
from napari.viewer import Viewer

from napari_ptycho.errors import OptionsError
from napari_ptycho.gui.draw_tool import Corners, DrawTool, side_of

YELLOW = "#ffd600"
LINE_PX, POINT_PX = 2.0, 12.0  # on the screen
REACH_PX, CLICK_PX = 14.0, 3.0
Place = tuple[float, float]


class RectangleTool(DrawTool):
    """A rectangle, upright in the pixels of the layer it was begun on."""

    title = "rectangle"

    def of(self, layer: Layer) -> tuple[slice, slice]:
        """Return the rows and columns of a layer whose centres lie in the rectangle.

        Raises:
            OptionsError: There is no rectangle, or it lies beside the layer.
        """
        corners = self._in(layer)
        first = np.maximum(np.ceil(corners.min(axis=0)), 0)
        after = np.minimum(np.floor(corners.max(axis=0)) + 1, side_of(layer))
        if (after <= first).any():
            raise OptionsError(f"The rectangle lies beside '{layer.name}'; move it onto the image.")
        rows, columns = (slice(int(a), int(b)) for a, b in zip(first, after, strict=True))
        return rows, columns

    def _make(self, how: dict[str, Any]) -> Layer:
        (top, left), (bottom, right) = self._side() // 4 - 0.5, self._side() * 3 // 4 - 0.5
        corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
        return _shape(corners, "rectangle", how)

    def _select(self) -> None:
        _edit(self._viewer, self.layer, "select")

    def _corners(self) -> Corners:
        return np.asarray(self.layer.data[-1])

    def _thicken(self, pixel: float) -> None:
        self.layer.edge_width = LINE_PX * pixel


class LineTool(DrawTool):
    """A line; its ends move one by one, or all of it where it is grabbed between them."""

    title = "line"

    def of(self, layer: Layer) -> tuple[Place, Place]:
        """Return both ends ((y0, x0), (y1, x1)) in the data pixels of a layer.

        Raises:
            OptionsError: There is no line.
        """
        start, end = self._in(layer)[[0, -1]]
        return _place(start), _place(end)

    def _make(self, how: dict[str, Any]) -> Layer:
        h, w = self._side() - 1
        return _shape([(h / 2, 0.2 * w), (h / 2, 0.8 * w)], "line", how)

    def _select(self) -> None:
        _edit(self._viewer, self.layer, "direct")

    def _corners(self) -> Corners:
        return np.asarray(self.layer.data[-1])

    def _thicken(self, pixel: float) -> None:
        self.layer.edge_width = LINE_PX * pixel

    def _on_drag(self, layer: Layer, event: Any) -> Iterator[None]:
        """Move all of it, which napari does not where ends are edited."""
        shape, end = layer.get_value(event.position, world=True) or (None, None)
        grabbed = layer.mode == "direct" and end is None
        began, before = np.array(layer.world_to_data(event.position)), list(layer.data)
        yield
        while event.type == "mouse_move":
            if grabbed and shape is not None:
                moved = before[shape] + np.array(layer.world_to_data(event.position)) - began
                layer.data = [*before[:shape], moved, *before[shape + 1 :]]
                layer.selected_data = {shape}
            self._pause.soon()
            yield
        self._pause.soon()


class PointTool(DrawTool):
    """A point: drag it, or click where it shall be."""

    title = "point"

    def of(self, layer: Layer) -> Place:
        """Return the point (y, x) in the data pixels of a layer.

        Raises:
            OptionsError: There is no point, or it lies beside the layer.
        """
        point = self._in(layer)[-1]
        if (point < -0.5).any() or (point > side_of(layer) - 0.5).any():
            raise OptionsError(f"The point lies beside '{layer.name}'; move it onto the image.")
        return _place(point)

    def _make(self, how: dict[str, Any]) -> Layer:
        return Points(
            [(self._side() - 1) // 2],
            ndim=2,
            symbol="cross",
            face_color=YELLOW,
            border_width=0,
            **how,
        )

    def _select(self) -> None:
        _edit(self._viewer, self.layer, "pan_zoom")

    def _corners(self) -> Corners:
        return np.asarray(self.layer.data[-1:])

    def _thicken(self, pixel: float) -> None:
        self.layer.size = POINT_PX * pixel

    def _on_drag(self, layer: Layer, event: Any) -> Iterator[None]:
        """Drag the point if the mouse is near it; a click elsewhere brings it there."""
        if layer.mode != "pan_zoom":
            yield from super()._on_drag(layer, event)
            return
        away = np.array(layer.world_to_data(event.position)) - self._corners()[-1]
        near = np.hypot(*away) * float(layer.scale[-1]) * self._viewer.scene.camera.zoom < REACH_PX
        began, moved = np.array(event.pos), False
        event.handled = event.handled or near  # the image stays
        yield
        while event.type == "mouse_move":
            moved = moved or np.hypot(*(np.array(event.pos) - began)) > CLICK_PX
            if near:
                layer.data = [layer.world_to_data(event.position)]
                self._pause.soon()
            yield
        if near or not moved:
            layer.data = [layer.world_to_data(event.position)]
            self._pause.soon()


def _shape(corners: Any, kind: str, how: dict[str, Any]) -> Shapes:
    return Shapes(
        [np.array(corners, float)],
        ndim=2,
        shape_type=kind,
        edge_color=YELLOW,
        face_color="transparent",
        **how,
    )


def _edit(viewer: Viewer, layer: Any, mode: str) -> None:
    viewer.layers.selection.active = layer
    layer.mode = mode
    layer.selected_data = {len(layer.data) - 1} if mode != "pan_zoom" else set()


def _place(point: Any) -> Place:
    return float(point[0]), float(point[1])
