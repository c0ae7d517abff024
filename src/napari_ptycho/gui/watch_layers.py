"""The layers of a scan that is being watched: they grow as it does.

A layer that the user deletes is left alone until the next scan is watched.
"""

import time
from collections.abc import Sequence
from typing import Any, ClassVar

from napari.layers import Layer, Points
from napari.viewer import Viewer

from napari_ptycho.gui import canvas
from napari_ptycho.gui.layers import ScanLayers, centres_px, over, shades, spot_size
from napari_ptycho.gui.network_layers import PredictionLayers
from napari_ptycho.gui.result_layers import POINTS_S, ReconstructionLayers
from napari_ptycho.gui.views import ScanView
from napari_ptycho.gui.watch_jobs import Objects, WatchView


class LiveLayers(ReconstructionLayers):
    """A reconstruction under way: where its windows lie, the scan's own layer shows."""

    roles: ClassVar[Sequence[str]] = (*canvas.OBJECT, canvas.PROBE)


class WatchLayers:
    """Patterns, mean pattern, positions, prediction and reconstruction of a growing scan."""

    def __init__(self, viewer: Viewer, scan: ScanLayers) -> None:
        self._viewer, self._scan = viewer, scan
        self._prediction = PredictionLayers(viewer)
        self._reconstruction = LiveLayers(viewer)
        self._points_due = 0.0
        self._begun: set[str] = set()
        self.following = True
        """Whether the newest frame is shown."""

    def restart(self) -> None:
        """Another scan is watched from now on."""
        self._begun.clear()

    def show(self, view: WatchView, last: bool = False) -> None:
        """Bring all layers up to date.

        Args:
            view: The newest.
            last: No other will follow.
        """
        if view.scan is None:
            return
        first = "scan" not in self._begun
        if first:
            self._begun.add("scan")
            self._scan.show(view.scan)
        else:
            self._grow(view.scan, last)
        if self.following:
            self._viewer.dims.set_current_step(0, len(view.scan.scan) - 1)
        begun = len(self._begun)
        self._show_objects(view.objects, last)
        if len(self._begun) > begun or first:
            self._arrange()

    def _show_objects(self, shown: Objects, last: bool) -> None:
        if shown.prediction is not None:
            if "prediction" in self._begun:
                self._prediction.show_prediction(shown.prediction, last)
            else:
                self._begun.add("prediction")
                self._prediction.begin_prediction(shown.prediction)
        if shown.reconstruction is not None:
            if "reconstruction" in self._begun:
                self._reconstruction.show(shown.reconstruction, last)
            else:
                self._begun.add("reconstruction")
                self._reconstruction.begin(shown.reconstruction)

    def _arrange(self) -> None:
        """Show patterns, positions, and the phases that are made of them, beside each other."""
        with canvas.beside(self._viewer) as beside:
            roles = (canvas.PATTERNS, canvas.POSITIONS, canvas.PHASE)
            beside += canvas.find(self._viewer.layers, roles)

    def _grow(self, view: ScanView, last: bool) -> None:
        scan = view.scan
        centres = centres_px(scan)
        stretch, offset = over(centres, scan)
        grown = False
        for layer in canvas.find(self._viewer.layers, canvas.SCAN):
            layer.metadata[canvas.KEY] = scan
            role = layer.metadata[canvas.ROLE]
            if role == canvas.POSITIONS:
                if last or time.monotonic() >= self._points_due:
                    _show_positions(layer, view, centres)
                    self._points_due = time.monotonic() + POINTS_S
                continue
            placed = {canvas.STRETCH: tuple(stretch), canvas.OFFSET: tuple(offset)}
            grown = grown or any(layer.metadata[key] != value for key, value in placed.items())
            layer.metadata.update(placed)
            _show_patterns(layer, view.patterns if role == canvas.PATTERNS else view.mean, view)
        if grown:
            canvas.place(self._viewer)


def _show_patterns(layer: Layer, data: Any, view: ScanView) -> None:
    layer.data = data
    top = max(view.brightest, 0.1)
    if layer.contrast_limits_range[1] < top:  # brighter than any frame before
        followed = layer.contrast_limits[1] == layer.contrast_limits_range[1]
        layer.contrast_limits_range = (0.0, top)
        if followed:
            layer.contrast_limits = (0.0, top)


def _show_positions(layer: Points, view: ScanView, centres: Any) -> None:
    counts, limits = shades(view)
    layer.data = centres
    layer.features = {"counts": counts}
    layer.face_contrast_limits = limits
    layer.size = spot_size(centres)
