"""The only place that makes and updates layers; how they share the viewer is in `canvas.py`.

A layer that the user deletes during a run is left alone until the next start.
"""

import time
from typing import Any

import numpy as np
from napari.layers import Image, Layer, Points
from napari.viewer import Viewer

from napari_ptycho.errors import ScanError
from napari_ptycho.gui import canvas, spots
from napari_ptycho.gui.views import Limits, Picture, ScanView
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Floats

MOVED = 0.25  # share of the contrast range by which limits must move before they are set again
POINTS_S = 1.0  # between two updates of the positions in a run
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

    def _add_points(self, data: Any, meta: dict[str, Any], **look: Any) -> Points:
        layer = self._viewer.add_points(
            data,
            border_width=0,
            border_color="transparent",
            axis_labels=("y", "x"),
            metadata=meta,
            **canvas.placing(self._viewer, meta, 2),
            **look,
        )
        return self._ready(layer)

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
        self._add_points(
            centres,
            canvas.metadata(canvas.POSITIONS, view.scan),
            name=canvas.POSITIONS,
            size=_spot(centres),
            features={"counts": counts},
            face_color="counts",
            face_colormap="viridis",
            face_contrast_limits=(low, max(high, low + 1)),
        )

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
    """Phase, amplitude, probe and positions of the current run."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer)
        self.colour_by = spots.SHIFT
        self._limits: dict[str, Limits] = {}
        self._layers: dict[str, Layer] = {}
        self._picture: Picture | None = None
        self._points_due = 0.0

    def begin(self, shown: Picture) -> None:
        """Make the layers of a run, or take over those of the same name."""
        self._layers, self._limits, self._picture = {}, {}, None
        with canvas.showing(self._viewer, canvas.RECONSTRUCTION):
            for role in canvas.RECONSTRUCTION:
                old = self._old(role, shown)
                self._layers[role] = old if old is not None else self._add(role, shown)
            self._at_new_shape(shown)
            self.show(shown, last=True)

    def _old(self, role: str, shown: Picture) -> Layer | None:
        """Return the layer of an earlier run that this one can take over."""
        for layer in canvas.find(self._viewer.layers, (role,)):
            if layer.name.startswith(_name(role, shown)):
                if role != canvas.REFINED or len(layer.data) == len(shown.spots.centres):
                    return layer
                self._viewer.layers.remove(layer)
        return None

    def _add(self, role: str, shown: Picture) -> Layer:
        if role == canvas.REFINED:
            layer = self._add_points(
                shown.spots.centres,
                canvas.metadata(role, shown.of),
                name=_name(role, shown),
                features=shown.spots.features,
            )
            layer.size = _spot(shown.spots.centres)
            return layer
        layer = self._add_image(
            _data(shown, role),
            canvas.metadata(role, shown.of),
            name=_name(role, shown),
            contrast_limits=_limits(shown, role),
            **LOOKS[role],
        )
        layer.colorbar.visible = role != canvas.PROBE
        layer.colorbar.size, layer.colorbar.font_size = (12, 90), 8
        layer.colorbar.position = "bottom_left"
        return layer

    def show(self, shown: Picture, last: bool = False) -> None:
        """Bring the layers of the run up to date; those the user has deleted are left alone.

        Args:
            shown: The newest picture.
            last: No other will follow soon: the points too, which otherwise wait for a second.
        """
        before, points = self._picture, last or time.monotonic() >= self._points_due
        if shown is before and not last:
            return
        self._picture = shown
        grown = before is not None and before.phase.shape != shown.phase.shape
        if grown:
            self._at_new_shape(shown)
        for role, layer in self._layers.items():
            if layer not in self._viewer.layers:
                continue
            layer.metadata[canvas.KEY] = shown.of
            if role != canvas.REFINED:
                self._show_image(role, layer, shown)
            elif points or grown:
                spots.paint(layer, shown.spots, self.colour_by)
                self._points_due = time.monotonic() + POINTS_S

    def _show_image(self, role: str, layer: Layer, shown: Picture) -> None:
        data = _data(shown, role)
        if layer.data is not data:
            layer.data = data
            self._steady(role, layer, _limits(shown, role))
        name = f"{_name(role, shown)}{shown.powers}"
        if role == canvas.PROBE and layer.name != name:
            layer.name = name

    def recolour(self, by: str) -> str:
        """Colour the positions by something else; return what the colours mean, in words."""
        self.colour_by = by
        for layer in canvas.find(self._viewer.layers, (canvas.REFINED,)):
            held = canvas.held_by(layer)
            if isinstance(held, Reconstruction):
                spots.paint(layer, spots.spots(held), by)
        return self.legend()

    def legend(self) -> str:
        """Return what the colours of the positions mean, in words."""
        shown = self._picture
        return "" if shown is None else shown.spots.legend(self.colour_by, shown.of)

    def _at_new_shape(self, shown: Picture) -> None:
        """Put what has no place of its own where it belongs in an object of a new shape.

        The probe goes into the middle; the scan's positions go where the windows lay before they
        were refined.
        """
        probe = self._layers[canvas.PROBE]
        probe.metadata[canvas.OFFSET] = _middle(shown)
        given = spots.given_centres_of(shown.of)
        for layer in canvas.find(self._viewer.layers, (canvas.POSITIONS,)):
            if len(layer.data) == len(given):
                layer.data = given
        canvas.place(self._viewer)

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


def _name(role: str, shown: Picture) -> str:
    """Return the name of a layer; that of the probe goes on with the powers of its modes."""
    return f"{shown.of.name} · {canvas.POSITIONS if role == canvas.REFINED else role}"


def _limits(shown: Picture, role: str) -> Limits:
    if role == canvas.PROBE:
        return 0.0, max(float(shown.probe.max()), 1e-9)
    return shown.phase_limits if role == canvas.PHASE else shown.amplitude_limits
