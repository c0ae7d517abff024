"""The power spectrum of an image beside it, with a ring where its FRC falls."""

import numpy as np
from napari.layers import Image, Layer, Shapes
from napari.viewer import Viewer

from napari_ptycho.gui import canvas
from napari_ptycho.gui.draw_tools import YELLOW
from napari_ptycho.gui.frc_jobs import Box, Power
from napari_ptycho.gui.restore import Restorer, select
from napari_ptycho.model.arrays import Floats

NAME, RING = "power spectrum", "resolution ring"
GAP = 0.05


class Spectrum:
    """An image layer as large as what it is of, to the right of it, and an ellipse on it."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._restorer = Restorer(viewer)
        self._of: Layer | None = None
        self.image: Image | None = None
        self.ring: Shapes | None = None

    @property
    def layers(self) -> list[Layer]:
        """Its layers that the user has not deleted."""
        made = (self.image, self.ring)
        return [one for one in made if one is not None and one in self._viewer.layers]

    def show(self, power: Power, source: Layer, box: Box | None, frequency: float | None) -> None:
        """Show a spectrum instead of the one before.

        Args:
            power: The spectrum.
            source: The layer it is of.
            box: The part of the layer it is of.
            frequency: Of the ring, in cycles per pixel; None shows no ring.
        """
        if len(self.layers) < 2 or self._of is not source:
            self._remove()
            self._add(power, source, box)
            self._of = source
        assert self.image is not None  # just made
        assert self.ring is not None
        if self.image.data is not power.data:
            self.image.data = power.data
        self.image.contrast_limits_range = power.limits
        self.image.contrast_limits = power.limits
        self.ring.visible = frequency is not None
        if frequency is not None:
            self.ring.data = [_ellipse(power.data.shape, frequency)]
        for layer in (self.image, self.ring):
            _lay(layer, source, box)

    def hide(self) -> None:
        """Take it away and put the canvas back."""
        had = bool(self.layers)
        self._remove()
        self._restorer.restore()
        if had:
            self._viewer.reset_view()

    def _remove(self) -> None:
        for layer in self.layers:
            self._viewer.layers.remove(layer)
        self.image = self.ring = None
        self._of = None

    def _add(self, power: Power, source: Layer, box: Box | None) -> None:
        viewer = self._viewer
        if not self._restorer.keeping:
            self._restorer.keep(("visible",))
        if viewer.canvas.grid.enabled:
            viewer.canvas.grid.enabled = False
        for layer in viewer.layers:  # what lies over the source, or beside it
            if layer is not source and canvas.PASSING not in layer.metadata:
                layer.visible = False
        selected = [layer for layer in viewer.layers if layer in viewer.layers.selection]
        place, meta = canvas.place_of(source), canvas.passing(source)
        self.image = Image(
            power.data,
            name=NAME,
            colormap="magma",
            multiscale=False,
            rgb=False,
            metadata=meta,
            **place,
        )
        self.ring = Shapes(
            [_ellipse(power.data.shape, 0.25)],
            shape_type="ellipse",
            name=RING,
            edge_color=YELLOW,
            face_color="transparent",
            edge_width=max(power.data.shape) / 200,
            metadata={**meta},
            **place,
        )
        for layer in (self.image, self.ring):
            _lay(layer, source, box)
            viewer.add_layer(layer)
        self.image.name_overlay.visible = True
        select(viewer, selected)
        viewer.reset_view()


def _lay(layer: Layer, source: Layer, box: Box | None) -> None:
    """Lay a layer to the right of its source, as high as the part of it that counts."""
    top = 0 if box is None else box[0].start
    move = np.array((top, source.data.shape[1] * (1 + GAP)), float)
    place = np.asarray(source.translate) + move * np.asarray(source.scale)
    if canvas.OFFSET in layer.metadata:
        start, stretch = source.metadata[canvas.OFFSET], source.metadata[canvas.STRETCH]
        layer.metadata[canvas.OFFSET] = tuple(np.asarray(start) + move * np.asarray(stretch))
    if not np.allclose(layer.translate, place):
        layer.translate = place


def _ellipse(shape: tuple[int, ...], frequency: float) -> Floats:
    """Return the corners of the ring of a frequency (cycles per pixel) in a spectrum (H, W)."""
    middle = np.array(shape) // 2
    reach = frequency * np.array(shape)
    signs = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])
    return np.asarray(middle + signs * reach, float)
