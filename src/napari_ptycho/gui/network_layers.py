"""The layers of networks: samples of a training; a predicted object, its spread, its patches.

A layer that the user deletes during a run is left alone until the next start.
"""

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_ptycho.gui import canvas, origins
from napari_ptycho.gui.layers import ViewerLayers
from napari_ptycho.gui.network_jobs import Drawing, ObjectView, Sheet
from napari_ptycho.gui.result_layers import ReconstructionLayers
from napari_ptycho.model import Reconstruction, Scan

if TYPE_CHECKING:
    from napari_ptycho.networks.patches import PatchStack


class SampleLayer(ViewerLayers):
    """Windows as they should be (above) and as a network in training makes them (below)."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer)
        self._layer: Image | None = None

    def begin(self, shown: Sheet, scan: Scan | None, of: Reconstruction | None) -> None:
        """Make the layer, beside the phase that the network learns from; or take over the last.

        Args:
            shown: The first samples.
            scan: In whose pixels they are drawn.
            of: What the network learns from, if that can be shown.
        """
        for old in canvas.find(list(self._viewer.layers), (canvas.SAMPLES,)):
            self._viewer.layers.remove(old)
        with canvas.beside(self._viewer) as beside:
            phase = canvas.layer_of(self._viewer.layers, of, canvas.PHASE)
            self._layer = self._add_image(
                shown.image,
                canvas.metadata(canvas.SAMPLES, scan, offset=_middle(phase, shown)),
                name=f"{canvas.SAMPLES} (truth above)",
                colormap="gray",
                contrast_limits=shown.limits,
            )
            beside += [layer for layer in (phase, self._layer) if layer is not None]

    def show(self, shown: Sheet) -> None:
        """Bring the layer up to date."""
        layer = self._layer
        if layer is not None and layer in self._viewer.layers and layer.data is not shown.image:
            layer.data = shown.image


class PredictionLayers(ReconstructionLayers):
    """A predicted object, and where its patches disagree.

    Probe and positions were known before and get no layer of their own: napari may take half a
    second to make one.
    """

    roles = canvas.OBJECT

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer)
        self._spread: Image | None = None

    def begin_prediction(self, shown: Drawing) -> None:
        """Make the layers of a run, or take over those of the same name."""
        with canvas.beside(self._viewer) as beside:
            self._take(shown.picture)
            self._spread = self._spread_of(shown)
            self.show_prediction(shown, last=True)
            beside += self._main()
        for role in reversed(canvas.OBJECT):  # the newest is the phase
            origins.note(self._layers[role], None)

    def _spread_of(self, shown: Drawing) -> Image:
        of = shown.picture.of
        name = f"{of.name} · {canvas.SPREAD}"
        for layer in canvas.find(self._viewer.layers, (canvas.SPREAD,)):
            if layer.name == name:
                return layer
        return self._add_image(
            shown.spread,
            canvas.metadata(canvas.SPREAD, of),
            name=name,
            colormap="inferno",
            contrast_limits=shown.spread_limits,
        )

    def show_prediction(self, shown: Drawing, last: bool = False) -> None:
        """Bring the layers up to date.

        Args:
            shown: The newest drawing.
            last: No other will follow soon.
        """
        self.show(shown.picture, last)
        layer = self._spread
        if layer is None or layer not in self._viewer.layers:
            return
        layer.metadata[canvas.KEY] = shown.picture.of
        if layer.data is not shown.spread:
            layer.data = shown.spread
            self._steady(canvas.SPREAD, layer, shown.spread_limits)

    def show_patches(self, view: ObjectView) -> None:
        """Show what the network makes of each pattern, if that was asked for: a stack."""
        old = canvas.find(list(self._viewer.layers), (canvas.PATCHES,))
        if not old and view.patches is None:
            return
        with canvas.beside(self._viewer) as beside:
            beside += [layer for layer in self._main() if layer in self._viewer.layers]
            for layer in old:
                self._viewer.layers.remove(layer)
            if view.patches is not None:
                beside.append(self._patches(view.patches, view))

    def _main(self) -> list[Layer]:
        """Return what shows of a prediction."""
        spread = [] if self._spread is None else [self._spread]
        return [self._layers[canvas.PHASE], self._layers[canvas.AMPLITUDE], *spread]

    def _patches(self, stack: "PatchStack", view: ObjectView) -> Layer:
        offset = np.subtract(view.drawing.spread.shape, stack.shape[1:]) / 2
        return self._add_image(
            stack,
            canvas.metadata(canvas.PATCHES, view.request.scan, offset=offset),
            name=f"{view.reconstruction.name} · {canvas.PATCHES}",
            colormap="gray",
            contrast_limits=view.drawing.picture.phase_limits,
        )


def _middle(phase: Layer | None, shown: Sheet) -> tuple[float, ...]:
    """Where samples begin, in object pixels, so that they lie over the middle of the object."""
    if phase is None:
        return 0.0, 0.0
    return tuple(np.subtract(phase.data.shape, shown.image.shape) / 2)
