"""The only place that makes and updates layers; how they share the viewer is in `canvas.py`.

A layer that the user deletes during a run is left alone until the next start.
"""

from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_ptycho.errors import ScanError
from napari_ptycho.gui import canvas
from napari_ptycho.gui.views import Limits, Picture, ScanView
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Floats

MOVED = 0.25  # share of the contrast range by which limits must move before they are set again
NO_SCALE_PX = 512  # positions in metres are drawn this large while the pixel size is unknown
LOOKS: dict[str, dict[str, Any]] = {
    canvas.PHASE: {"colormap": "gray"},
    canvas.AMPLITUDE: {"colormap": "gray"},
    canvas.PROBE: {"colormap": "inferno"},
}


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
            axis_labels=("frame", "y", "x")[-data.ndim :],
            metadata=meta,
            **canvas.placing(self._viewer, meta, data.ndim),
            **look,
        )
        return self._ready(self._viewer.add_layer(layer))

    def _ready(self, layer: Layer) -> Layer:
        layer.name_overlay.visible = True
        layer.events.visible.connect(self._on_visible)
        return layer


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
                canvas.metadata(role, scan, *_over(centres, scan)),
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
        counts = np.where(np.isfinite(view.counts), view.counts, np.nanmean(view.counts))
        low, high = (float(value) for value in np.percentile(counts, (1, 99)))
        meta = canvas.metadata(canvas.POSITIONS, view.scan)
        layer = self._viewer.add_points(
            centres,
            name=canvas.POSITIONS,
            size=_spot(centres),
            features={"counts": counts},
            face_color="counts",
            face_colormap="viridis",
            face_contrast_limits=(low, max(high, low + 1)),
            border_width=0,
            border_color="transparent",
            axis_labels=("y", "x"),
            metadata=meta,
            **canvas.placing(self._viewer, meta, 2),
        )
        self._ready(layer)

    def relabel(self, scan: Scan) -> None:
        """Point the layers at the same scan with another geometry, and rescale them."""
        for layer in canvas.find(self._viewer.layers, canvas.SCAN):
            layer.metadata[canvas.KEY] = scan
        centres = centres_px(scan)
        stretch, offset = _over(centres, scan)
        for layer in canvas.find(self._viewer.layers, canvas.DETECTOR):
            layer.metadata.update({canvas.STRETCH: tuple(stretch), canvas.OFFSET: tuple(offset)})
        for layer in canvas.find(self._viewer.layers, (canvas.POSITIONS,)):
            layer.data = centres
            layer.size = _spot(layer.data)
        canvas.place(self._viewer)
        self._viewer.reset_view()


class ReconstructionLayers(ViewerLayers):
    """Phase, amplitude and probe of the current run."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer)
        self._limits: dict[str, Limits] = {}
        self._layers: dict[str, Layer] = {}
        self._picture: Picture | None = None

    def begin(self, shown: Picture) -> None:
        """Make the layers of a run, or take over those of the same name."""
        self._layers, self._limits, self._picture = {}, {}, None
        with canvas.showing(self._viewer, (*canvas.RECONSTRUCTION, canvas.POSITIONS)):
            for role in canvas.RECONSTRUCTION:
                name = f"{shown.of.name} · {role}"
                old = [one for one in canvas.find(self._viewer.layers, (role,)) if one.name == name]
                self._layers[role] = old[0] if old else self._add(role, name, shown)
            probe = self._layers[canvas.PROBE]
            probe.metadata[canvas.OFFSET] = _middle(shown)
            self.show(shown)
            self._positions_last(shown.of)

    def _add(self, role: str, name: str, shown: Picture) -> Layer:
        offset = _middle(shown) if role == canvas.PROBE else (0.0, 0.0)
        layer = self._add_image(
            _data(shown, role),
            canvas.metadata(role, shown.of, offset=offset),
            name=name,
            contrast_limits=_limits(shown, role),
            **LOOKS[role],
        )
        layer.colorbar.visible = role != canvas.PROBE
        layer.colorbar.size, layer.colorbar.font_size = (12, 90), 8
        layer.colorbar.position = "bottom_left"
        return layer

    def show(self, shown: Picture) -> None:
        """Bring the layers of the run up to date; those the user has deleted are left alone."""
        if shown is self._picture:
            return
        self._picture = shown
        for role, layer in self._layers.items():
            if layer not in self._viewer.layers:
                continue
            layer.data = _data(shown, role)
            layer.metadata[canvas.KEY] = shown.of
            self._steady(role, layer, _limits(shown, role))

    def _steady(self, role: str, layer: Layer, limits: Limits) -> None:
        """Set the contrast once it has moved a lot, unless the user has set it himself."""
        before = self._limits.get(role)
        if before is not None:
            if not np.allclose(layer.contrast_limits, before, rtol=1e-3):
                return
            span = max(before[1] - before[0], limits[1] - limits[0])
            if np.abs(np.subtract(limits, before)).max() < MOVED * span:
                return
        low, high = limits
        layer.contrast_limits_range = (2 * low - high, 2 * high - low)
        layer.contrast_limits = limits
        self._limits[role] = limits

    def _positions_last(self, thing: Reconstruction) -> None:
        """Put the positions where the windows lie in the object, and on top in the list."""
        for layer in canvas.find(self._viewer.layers, (canvas.POSITIONS,)):
            self._viewer.layers.move(self._viewer.layers.index(layer), len(self._viewer.layers))
            if len(layer.data) == len(thing.positions_px):
                layer.data = thing.positions_px + np.array(thing.probe.shape[1:]) / 2


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


def _over(centres: Floats, scan: Scan) -> tuple[Floats, Floats]:
    """Return stretch and offset of patterns that are drawn over the square of the positions."""
    low, high = centres.min(axis=0), centres.max(axis=0)
    side = max(float((high - low).max()), 1.0)
    return side / np.array(scan.frame_shape), (low + high - side) / 2


def _spot(centres: Floats) -> float:
    """Return a diameter at which N points show one by one."""
    extent = np.ptp(centres, axis=0)
    spacing = max(np.sqrt(extent.prod() / len(centres)), extent.max() / len(centres))
    return float(max(0.7 * spacing, 1e-3))


def _middle(shown: Picture) -> tuple[float, ...]:
    """Where the probe modes begin so that they lie over the middle of the object."""
    return tuple(np.subtract(shown.phase.shape, shown.probe.shape) / 2)


def _data(shown: Picture, role: str) -> Any:
    return {
        canvas.PHASE: shown.phase,
        canvas.AMPLITUDE: shown.amplitude,
        canvas.PROBE: shown.probe,
    }[role]


def _limits(shown: Picture, role: str) -> Limits:
    if role == canvas.PROBE:
        return 0.0, max(float(shown.probe.max()), 1e-9)
    return shown.phase_limits if role == canvas.PHASE else shown.amplitude_limits
