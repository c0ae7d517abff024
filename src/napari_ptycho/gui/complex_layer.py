"""Complex layers: object or probe as one RGB layer; hue is phase, brightness is amplitude.

They follow the layers that they are made of, which follow a run: never more often than these. An
amplitude of nothing is black, and what is white in the amplitude layer is in full colour here: an
RGB layer has no contrast of its own.
"""

from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.viewer import Viewer
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_ptycho.gui import canvas
from napari_ptycho.gui.hues import in_colour
from napari_ptycho.gui.names import name_on_top
from napari_ptycho.gui.pause import Pause
from napari_ptycho.gui.views import tiled
from napari_ptycho.model import Reconstruction

PARTS = (canvas.PHASE, canvas.AMPLITUDE)
FROM = (*PARTS, canvas.PROBE)
OF_PROBE = "napari_ptycho_of_probe"
"""Key of the metadata that says whether a complex layer shows the probe."""


class ComplexLayers(QObject):
    """Makes, follows and removes the complex layers of a viewer."""

    changed = Signal()
    """One has come or gone."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._followed: list[Layer] = []
        self._later = Pause(self, 0, self.refresh)  # once for all that has changed by then
        viewer.layers.events.inserted.connect(self._on_layers)
        viewer.layers.events.removed.connect(self._on_layers)
        self._on_layers()

    def layers(self) -> list[Layer]:
        """Return the complex layers there are."""
        return canvas.find(self._viewer.layers, (canvas.COMPLEX,))

    def source(self) -> Layer | None:
        """Return what a complex layer would be made from: selected, else shown; an object first."""
        layers = canvas.find(self._viewer.layers, FROM)
        layers = [one for one in layers if canvas.shown_by(one) is not None]
        selection = self._viewer.layers.selection
        hued = [one for one in self.layers() if one in selection]
        selected = [one for one in layers if one in selection or any(_same(h, one) for h in hued)]
        layers = [*canvas.find(layers, (canvas.PROBE,)), *canvas.find(layers, PARTS)]
        shown = [one for one in layers if one.visible]
        return next(iter((*selected, *shown[::-1], *layers[::-1])), None)

    def toggle(self) -> None:
        """Show what is selected in colour; or, where that is so already, take it away."""
        source = self.source()
        if source is None:
            return
        old = next((one for one in self.layers() if _same(one, source)), None)
        if old is not None:
            self._viewer.layers.remove(old)
        else:
            self._add(source)

    def made(self) -> bool:
        """Whether what is selected is shown in colour."""
        source = self.source()
        return source is not None and any(_same(one, source) for one in self.layers())

    def _add(self, source: Layer) -> None:
        of: Any = canvas.held_by(source)
        probe = source.metadata[canvas.ROLE] == canvas.PROBE
        meta = canvas.metadata(canvas.COMPLEX, of, offset=source.metadata[canvas.OFFSET])
        meta[OF_PROBE] = probe
        layer = Image(
            self._image(of, probe),
            rgb=True,
            multiscale=False,
            name=f"{of.name} · {f'{canvas.PROBE} ' if probe else ''}{canvas.COMPLEX}",
            axis_labels=("y", "x"),
            metadata=meta,
            **canvas.placing(self._viewer, meta, 2),
        )
        self._viewer.add_layer(layer)
        name_on_top(layer)
        layer.events.visible.connect(self._on_visible)
        canvas.refresh_scale_bar(self._viewer)

    def _image(self, of: Reconstruction, probe: bool) -> NDArray[np.uint8]:
        """Return a reconstruction in colour, as its layers show it now."""
        if probe:
            amplitude = tiled(np.abs(of.probe))
            bright = _brightest(self._part(of, canvas.PROBE), amplitude)
            return in_colour(tiled(np.angle(of.probe)), amplitude, bright)
        phase, shown = (self._part(of, role) for role in PARTS)
        if phase is None or shown is None:
            amplitude = np.abs(of.object)
            return in_colour(np.angle(of.object), amplitude, _brightest(shown, amplitude))
        return in_colour(phase.data, shown.data, _brightest(shown, shown.data))

    def _part(self, of: Reconstruction, role: str) -> Layer | None:
        return canvas.layer_of(self._viewer.layers, of, role)

    def refresh(self) -> None:
        """Bring the complex layers up to date."""
        for layer in self.layers():
            before: Any = canvas.held_by(layer)
            probe = layer.metadata[OF_PROBE]
            parts = canvas.find(self._viewer.layers, (canvas.PROBE,) if probe else PARTS)
            part = next((one for one in parts if _same(layer, one)), None)
            if part is None:
                continue
            of: Any = canvas.held_by(part)
            layer.metadata[canvas.KEY] = of
            moved = layer.metadata[canvas.OFFSET] != part.metadata[canvas.OFFSET]
            layer.metadata[canvas.OFFSET] = part.metadata[canvas.OFFSET]
            layer.data = self._image(of, probe)
            if moved or before.pixel_size_m != of.pixel_size_m:
                canvas.place(self._viewer)

    def _on_layers(self, event: Any = None) -> None:
        """Follow the layers that complex ones are made of, while there are any."""
        wanted = canvas.find(self._viewer.layers, FROM) if self.layers() else []
        for layer in self._followed:
            if layer not in wanted:
                for one in _events(layer):
                    one.disconnect(self._later.soon)
        for layer in wanted:
            if layer not in self._followed:
                for one in _events(layer):
                    one.connect(self._later.soon)
        self._followed = wanted
        self.changed.emit()

    def _on_visible(self, event: Any = None) -> None:
        canvas.refresh_scale_bar(self._viewer)


def _events(layer: Layer) -> tuple[Any, ...]:
    if layer.metadata[canvas.ROLE] == canvas.PHASE:
        return (layer.events.data,)
    return layer.events.data, layer.events.contrast_limits


def _brightest(shown: Layer | None, amplitude: NDArray[Any]) -> float:
    """Return which amplitude is in full colour: what is white in its own layer, if there is one."""
    return float(amplitude.max() if shown is None else shown.contrast_limits[1])


def _same(layer: Layer, source: Layer) -> bool:
    """Whether a complex layer shows what another layer shows a part of."""
    mine, other = canvas.shown_by(layer), canvas.shown_by(source)
    if mine is None or other is None:
        return False
    probe = source.metadata[canvas.ROLE] == canvas.PROBE
    return mine.name == other.name and layer.metadata[OF_PROBE] == probe
