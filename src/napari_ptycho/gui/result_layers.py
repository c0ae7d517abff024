"""The layers of a reconstruction: phase, amplitude, probe, and where its windows lie.

A layer that the user deletes during a run is left alone until the next start.
"""

import time
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from napari.layers import Layer, Points
from napari.viewer import Viewer

from napari_ptycho.gui import canvas, origins, spots
from napari_ptycho.gui.layers import ViewerLayers, spot_size
from napari_ptycho.gui.phase_colours import colour, remembered
from napari_ptycho.gui.views import Limits, Picture
from napari_ptycho.model import Reconstruction

MOVED = 0.25  # share of the contrast range by which limits must move before they are set again
POINTS_S = 1.0  # between two updates of the positions in a run
PLAIN = "#4fc3f7"  # positions of which nothing is known
COLOUR = "napari_ptycho_colour"
LOOKS: dict[str, dict[str, Any]] = {
    canvas.PHASE: {"colormap": "gray"},
    canvas.AMPLITUDE: {"colormap": "gray"},
    canvas.PROBE: {"colormap": "inferno"},
}


class ReconstructionLayers(ViewerLayers):
    """Phase, amplitude, probe and positions of the current run."""

    roles: ClassVar[Sequence[str]] = canvas.RECONSTRUCTION
    """What there is a layer for; phase and amplitude at least."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer)
        self.colour_by = spots.SHIFT
        self._limits: dict[str, Limits] = {}
        self._layers: dict[str, Layer] = {}
        self._picture: Picture | None = None
        self._points_due = 0.0

    def begin(self, shown: Picture, start: Reconstruction | None = None) -> None:
        """Make the layers of a run, or take over those of the same name.

        Args:
            shown: The first picture.
            start: What the run started from, if it may have layers.
        """
        before = {role: origins.showing(self._viewer.layers, start, role) for role in canvas.OBJECT}
        with canvas.showing(self._viewer, canvas.RECONSTRUCTION, shown.of):
            self._take(shown)
        for role in reversed(canvas.OBJECT):  # the newest is the phase
            origins.note(self._layers[role], before[role], again=start is not None)

    def _take(self, shown: Picture) -> None:
        """Find or make a layer for each role."""
        self._layers, self._limits, self._picture = {}, {}, None
        for role in self.roles:
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
            layer.size = spot_size(shown.spots.centres)
            return layer
        layer = self._add_image(
            _data(shown, role),
            canvas.metadata(role, shown.of),
            name=_name(role, shown),
            contrast_limits=_limits(shown, role),
            **LOOKS[role],
        )
        if role == canvas.PHASE:
            colour(layer, remembered())
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
                paint(layer, shown.spots, self.colour_by)
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
            held = canvas.shown_by(layer)
            if held is not None:
                paint(layer, spots.spots(held), by)
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
        if canvas.PROBE in self._layers:
            self._layers[canvas.PROBE].metadata[canvas.OFFSET] = _middle(shown)
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


def paint(layer: Points, shown: spots.Spots, wanted: str) -> None:
    """Bring a layer with as many points up to date: places, values, and the colour wanted."""
    if not np.array_equal(layer.data, shown.centres):
        layer.data = shown.centres
    layer.features = shown.features
    kind = shown.shown(wanted)
    if not kind:
        layer.face_color = PLAIN
        return
    limits, name = shown.limits(kind), spots.FEATURES[kind]
    if layer.face_color_mode != "colormap" or layer.metadata.get(COLOUR) != name:
        layer.face_color = name
        layer.face_colormap = spots.COLOURMAP
        layer.metadata[COLOUR] = name
    before = layer.face_contrast_limits
    if before is None or not np.allclose(before, limits, rtol=0.1):
        layer.face_contrast_limits = limits


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
