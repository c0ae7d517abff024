"""A curtain between two images: one on this side of a line, the other beyond it; drag the line.

One layer shows both: its buffer is filled from both images, and a move of the line copies only the
strip that it has passed over. (The line is a vector: a shape costs three times as much to move.)
The other image is resampled onto the pixels of the first one once.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy
from napari.layers import Image, Layer, Vectors
from napari.viewer import Viewer
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_ptycho.gui import canvas
from napari_ptycho.gui.contrast import common_limits, look_of
from napari_ptycho.gui.draw_tools import LINE_PX, YELLOW
from napari_ptycho.gui.layers import colour_bar
from napari_ptycho.gui.restore import Restorer, select, tell

NAME, HANDLE = "curtain", "curtain line"
REACH_PX = 10.0


class Curtain(QObject):
    """Shows two layers of a viewer with a line between them."""

    ended = Signal()
    """It is over, by `end` or because a layer is gone."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.layer: Image | None = None
        """Shows both images; None while there is no curtain."""
        self.handle: Vectors | None = None
        self._sources: tuple[Layer, ...] = ()
        self._images: tuple[NDArray[Any], NDArray[Any]] | None = None
        self._at = 0
        self._down = False
        self._ending = False
        self._restorer = Restorer(viewer)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.scene.camera.events.zoom.connect(self._thicken)

    @property
    def active(self) -> bool:
        """Whether there is a curtain."""
        return self.layer is not None

    @property
    def at(self) -> int:
        """Columns (rows, if it moves up and down) of the first image before the line."""
        return self._at

    def begin(self, first: Layer, second: Layer, down: bool = False, link: bool = True) -> None:
        """Show the first layer left of (above) the line and the second one beyond it.

        Args:
            first: Whose pixels, place and colours the picture has.
            second: Is resampled onto them.
            down: Whether the line lies flat and moves up and down.
            link: Whether both have the same contrast; else each has its own.
        """
        self.end()
        viewer = self._viewer
        self._restorer.keep(("visible",))
        viewer.canvas.grid.enabled = False
        self._sources, self._down = (first, second), down
        images = np.asarray(first.data), on_pixels_of(first, second)
        limits = common_limits((first, second))
        if not link:
            images = images[0], _rescaled(images[1], second, first)
            limits = tuple(first.contrast_limits)
        self._images = images
        kind = np.result_type(*images, np.float32)
        self._at = images[0].shape[int(not down)] // 2
        place, meta = canvas.place_of(first), canvas.passing(first)
        look = look_of(first) | {"contrast_limits": limits}
        for layer in viewer.layers:
            if isinstance(layer, Image):
                layer.visible = False
        buffer = np.empty(images[0].shape, kind)
        self._fill(buffer, 0, buffer.shape[int(not down)])
        self.layer = Image(buffer, multiscale=False, rgb=False, name=NAME, metadata=meta, **place)
        for name, value in look.items():
            setattr(self.layer, name, value)
        self.handle = Vectors(
            self._line(),
            vector_style="line",
            edge_color=YELLOW,
            name=HANDLE,
            metadata=dict(meta),
            **place,
        )
        viewer.add_layer(self.layer)
        viewer.add_layer(self.handle)
        self._restorer.fit()
        colour_bar(self.layer)
        canvas.refresh_scale_bar(viewer)
        self._thicken()
        select(viewer, [self.layer])
        viewer.mouse_drag_callbacks.append(self._on_drag)
        tell(viewer, f"{first.name}  |  {second.name}" if not down else _stacked(first, second))

    def end(self) -> None:
        """Take the curtain away and show what was shown before."""
        if self.layer is None or self._ending:
            return
        self._ending = True
        viewer, ours = self._viewer, (self.layer, self.handle)
        viewer.mouse_drag_callbacks.remove(self._on_drag)
        self.layer = self.handle = self._images = None
        self._sources = ()
        for layer in ours:
            if layer in viewer.layers:
                viewer.layers.remove(layer)
        tell(viewer, "")
        self._restorer.restore()
        self._ending = False
        self.ended.emit()

    def move(self, at: float) -> None:
        """Move the line so that so many columns (rows) of the first image lie before it."""
        layer, handle = self.layer, self.handle
        if layer is None or handle is None:
            return
        was = self._at
        self._at = int(np.clip(round(at), 0, layer.data.shape[int(not self._down)]))
        if self._at == was:
            return
        self._fill(layer.data, *sorted((was, self._at)))
        layer.refresh(thumbnail=False, highlight=False, extent=False)
        handle.data = self._line()

    def _fill(self, buffer: NDArray[Any], start: int, stop: int) -> None:
        """Fill columns (rows) from the image they belong to."""
        assert self._images is not None  # there is a curtain
        first, second = self._images
        if self._down:
            buffer, first, second = buffer.T, first.T, second.T
        border = min(max(self._at, start), stop)
        buffer[:, start:border] = first[:, start:border]
        buffer[:, border:stop] = second[:, border:stop]

    def _line(self) -> NDArray[np.float64]:
        """Return where the line begins, and how it runs, (1, 2, 2)."""
        assert self._images is not None  # there is a curtain
        h, w = self._images[0].shape
        at = self._at - 0.5
        return np.array([[(at, -0.5), (0, w)] if self._down else [(-0.5, at), (h, 0)]])

    def _on_drag(self, viewer: Viewer, event: Any) -> Iterator[None]:
        if self.layer is None:
            return
        away = abs(self._under(event) - self._at) * float(self.layer.scale[int(not self._down)])
        if away * viewer.scene.camera.zoom > REACH_PX:
            return
        event.handled = True  # the image stays
        yield
        while event.type == "mouse_move":
            self.move(self._under(event))
            yield
        self.move(self._under(event))

    def _under(self, event: Any) -> float:
        """Return how many columns (rows) lie before the mouse."""
        if self.layer is None:  # it ended while it was dragged
            return float(self._at)
        place = self.layer.world_to_data(event.position)[-2:]
        return float(place[int(not self._down)]) + 0.5

    def _thicken(self, event: Any = None) -> None:
        if self.handle is not None:
            zoom = self._viewer.scene.camera.zoom * float(self.handle.scale[-1])
            self.handle.edge_width = 1.5 * LINE_PX / zoom

    def _on_removed(self, event: Any) -> None:
        if self.active and event.value in (self.layer, self.handle, *self._sources):
            self.end()


def on_pixels_of(first: Layer, second: Layer) -> NDArray[Any]:
    """Return the second image in the pixels of the first: linear, its edge where it ends."""
    source = np.asarray(second.data)
    corners = np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
    there = np.array([second.world_to_data(first.data_to_world(one))[-2:] for one in corners])
    matrix = np.stack((there[1] - there[0], there[2] - there[0]), axis=1)
    same = source.shape == first.data.shape and np.allclose(matrix, np.eye(2))
    if same and np.allclose(there[0], 0, atol=1e-6):
        return source
    kind = np.result_type(source, np.float32)
    return np.asarray(
        scipy.ndimage.affine_transform(
            source.astype(kind),
            matrix,
            offset=there[0],
            output_shape=first.data.shape,
            order=1,
            mode="nearest",
        )
    )


def _rescaled(image: NDArray[Any], of: Layer, to: Layer) -> NDArray[Any]:
    """Return an image in the units of another's contrast: what is black stays black."""
    (low, high), (new_low, new_high) = of.contrast_limits, to.contrast_limits
    return (image - low) * ((new_high - new_low) / ((high - low) or 1)) + new_low


def _stacked(first: Layer, second: Layer) -> str:
    return f"above: {first.name}  |  below: {second.name}"
