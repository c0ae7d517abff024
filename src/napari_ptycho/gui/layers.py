"""The layers of a scan, and what all our layers have in common.

How layers share the viewer is in `canvas.py`.
"""

from typing import Any

import numpy as np
from napari.layers import Image, Layer, Points
from napari.viewer import Viewer

from napari_ptycho.errors import ScanError
from napari_ptycho.gui import canvas
from napari_ptycho.gui.names import name_on_top
from napari_ptycho.gui.settings import liked
from napari_ptycho.gui.spots import COLOURMAP, LEAST_PX
from napari_ptycho.gui.views import ScanView
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Floats

NO_SCALE_PX = 512  # positions in metres are drawn this large while the pixel size is unknown


class ViewerLayers:
    """Layers of one viewer. Nothing but the viewer's own events holds on to this object."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        viewer.layers.events.inserted.connect(self._on_layers)
        viewer.layers.events.removed.connect(self._on_layers)

    def _on_layers(self, event: Any = None) -> None:
        canvas.place(self._viewer)

    def _on_visible(self, event: Any = None) -> None:
        canvas.refresh_scale_bar(self._viewer)

    def _add_image(self, data: Any, meta: dict[str, Any], **look: Any) -> Image:
        layer = Image(
            data,
            multiscale=False,
            rgb=False,
            axis_labels=("pattern", "y", "x")[-data.ndim :],
            metadata=meta,
            **canvas.placing(self._viewer, meta, data.ndim),
            **look,
        )
        colour_bar(layer)
        return self._ready(self._viewer.add_layer(layer))

    def _add_points(self, data: Any, meta: dict[str, Any], **look: Any) -> Points:
        layer = self._viewer.add_points(
            data,
            border_width=0,
            border_color="transparent",
            canvas_size_limits=(LEAST_PX, 10_000),
            axis_labels=("y", "x"),
            metadata=meta,
            **canvas.placing(self._viewer, meta, 2),
            **look,
        )
        return self._ready(layer)

    def _ready(self, layer: Layer) -> Layer:
        name_on_top(layer)
        layer.events.visible.connect(self._on_visible)
        return layer


def colour_bar(layer: Image) -> None:
    """Show what the colours of an image mean, where the user likes that, beside the scale bar."""
    layer.colorbar.size, layer.colorbar.font_size = (12, 90), 8
    layer.colorbar.position = "bottom_left"
    layer.colorbar.visible = bool(liked().colour_bars)


class ScanLayers(ViewerLayers):
    """Patterns, mean pattern and positions of the current scan."""

    def show(self, view: ScanView) -> None:
        """Show a scan instead of the one before."""
        with canvas.showing(self._viewer, canvas.SCAN):
            self.clear()
            self._add(view)
        self._viewer.dims.set_current_step(0, 0)

    def _add(self, view: ScanView) -> None:
        scan = view.scan
        centres = centres_px(scan)
        for role, data in ((canvas.MEAN, view.mean), (canvas.PATTERNS, view.patterns)):
            self._add_image(
                data,
                canvas.metadata(role, scan, *over(centres, scan)),
                name=role,
                colormap="inferno",
                contrast_limits=(0.0, max(view.brightest, 0.1)),
            )
        self._add_positions(view, centres)

    def clear(self) -> None:
        """Remove the layers of the scan before."""
        for layer in canvas.find(list(self._viewer.layers), canvas.SCAN):
            self._viewer.layers.remove(layer)

    def clear_placeholder(self) -> None:
        """Remove the empty layer that stands for a sample while it is being opened."""
        for layer in canvas.find(list(self._viewer.layers), (canvas.POSITIONS,)):
            if canvas.held_by(layer) is None:
                self._viewer.layers.remove(layer)

    def _add_positions(self, view: ScanView, centres: Floats) -> None:
        counts, limits = shades(view)
        self._add_points(
            centres,
            canvas.metadata(canvas.POSITIONS, view.scan),
            name=canvas.POSITIONS,
            size=spot_size(centres),
            features={"counts": counts},
            face_color="counts",
            face_colormap=COLOURMAP,
            face_contrast_limits=limits,
        )

    def relabel(self, scan: Scan) -> None:
        """Point the layers at the same scan with another geometry, and rescale them."""
        for layer in canvas.find(self._viewer.layers, canvas.SCAN):
            layer.metadata[canvas.KEY] = scan
        centres = centres_px(scan)
        stretch, offset = over(centres, scan)
        for layer in canvas.find(self._viewer.layers, canvas.DETECTOR):
            layer.metadata.update({canvas.STRETCH: tuple(stretch), canvas.OFFSET: tuple(offset)})
        for layer in canvas.find(self._viewer.layers, (canvas.POSITIONS,)):
            layer.data = centres
            layer.size = spot_size(layer.data)
        canvas.place(self._viewer)
        self._viewer.reset_view()


def shades(view: ScanView) -> tuple[Floats, tuple[float, float]]:
    """Return what colours the positions, (N,), and the values of the first and last colour."""
    counts = np.where(np.isfinite(view.counts), view.counts, np.nanmean(view.counts))
    low, high = (float(value) for value in np.percentile(counts, (1, 99)))
    return counts, (low, max(high, low + 1))


def centres_px(scan: Scan) -> Floats:
    """Return the (N, 2) probe centres (y, x) in object pixels, the first window at 0.

    Positions in metres are stretched over `NO_SCALE_PX` while the object pixel is unknown.
    """
    try:
        positions = scan.in_pixels()
    except ScanError:
        positions = np.asarray(scan.positions_m)
        positions = positions * (NO_SCALE_PX / (float(np.ptp(positions, axis=0).max()) or 1.0))
    return np.asarray(positions - positions.min(axis=0) + np.array(scan.frame_shape) / 2)


def over(centres: Floats, scan: Scan) -> tuple[Floats, Floats]:
    """Return stretch and offset of patterns that are drawn over the square of the positions."""
    low, high = centres.min(axis=0), centres.max(axis=0)
    side = max(float((high - low).max()), 1.0)
    return side / np.array(scan.frame_shape), (low + high - side) / 2


def spot_size(centres: Floats) -> float:
    """Return a diameter at which N points show one by one."""
    extent = np.ptp(centres, axis=0)
    spacing = max(np.sqrt(extent.prod() / len(centres)), extent.max() / len(centres))
    return float(max(0.85 * spacing, 1e-3))
