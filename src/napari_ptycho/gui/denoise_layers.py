"""The layers of a denoising: beside their source, in its place, scale, colours and contrast.

A layer that the user deletes during a run is left alone until the next start.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_ptycho.gui import canvas, origins
from napari_ptycho.gui.canvas import LINKED, MADE
from napari_ptycho.gui.denoise_jobs import HalvesView, Request
from napari_ptycho.gui.denoise_views import DenoiseView
from napari_ptycho.gui.layers import ViewerLayers, colour_bar
from napari_ptycho.gui.names import name_on_top
from napari_ptycho.gui.settings import liked
from napari_ptycho.gui.views import Limits, contrast, spread_limits
from napari_ptycho.model import Reconstruction

SPREAD = canvas.SPREAD


class DenoisedLayers(ViewerLayers):
    """The denoised images of the current run, and the spread of an ensemble."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer)
        self._layers: dict[str, Image] = {}
        self._source: Layer | None = None
        self._request: Request | None = None
        self._base = ""

    def begin(
        self, source: Layer, others: Sequence[Layer], request: Request, view: DenoiseView
    ) -> None:
        """Make the layers of a run, or take over those of an earlier one by the same method.

        Args:
            source: The layer that is denoised.
            others: What else is shown beside: the reference.
            request: What was asked for.
            view: The first result.
        """
        of = request.reconstruction
        self._source, self._request = source, request
        self._base = source.name if of is None else of.name
        self._layers = {}
        with canvas.beside(self._viewer) as shown:
            for channel, data in view.pictures.items():
                layer = self._old(channel)
                if layer is None:
                    layer = self._add(channel, data, view.limits)
                self._layers[channel] = layer
            sources = [self._like(channel) for channel in self._layers]
            beside = [layer for layer in (*sources, *others) if layer in self._viewer.layers]
            shown += [*beside, *self._layers.values()]
            for layer in shown:
                name_on_top(layer)
        for channel, layer in reversed(self._layers.items()):  # the newest is the first channel
            origins.note(layer, self._like(channel))
        self.show(view.pictures, view, "")

    def show(self, pictures: Mapping[str, Any], view: DenoiseView, state: str) -> None:
        """Show images; layers that the user has deleted are left alone.

        Args:
            pictures: Channel -> (H, W).
            view: What they are of.
            state: What the names say beside the method, as " it 1424".
        """
        for channel, data in pictures.items():
            layer = self._layers.get(channel)
            if layer is None or layer not in self._viewer.layers:
                continue
            if layer.data is not data:
                layer.data = data
            name = f"{self._name(channel)}{state}"
            if layer.name != name:
                layer.name = name
        self.point_at(view.reconstruction or view.subject.of)

    def show_spread(self, view: DenoiseView) -> None:
        """Show the spread of an ensemble."""
        if view.spread is None:
            return
        limits = spread_limits(view.spread)
        layer = self._old(SPREAD)
        if layer is None:
            layer = self._add(SPREAD, view.spread, limits)
        layer.data, layer.contrast_limits = view.spread, limits
        self._layers[SPREAD] = layer
        self.point_at(view.reconstruction)

    def point_at(self, reconstruction: Reconstruction | None) -> None:
        """Make the layers point at a reconstruction: what another dock starts from."""
        if reconstruction is not None:
            for layer in self._layers.values():
                layer.metadata[canvas.KEY] = reconstruction

    def discard(self) -> None:
        """Remove the layers of the run."""
        for layer in self._layers.values():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._layers = {}

    def show_halves(self, view: HalvesView) -> None:
        """Show the phases of both half reconstructions, hidden at first."""
        like = canvas.layer_of(self._viewer.layers, view.of, canvas.PHASE)
        for half, phase in zip(view.halves, view.pictures, strict=True):
            name = f"{half.name} · {canvas.PHASE}"
            for old in [layer for layer in self._viewer.layers if layer.name == name]:
                self._viewer.layers.remove(old)
            limits = contrast(phase) if like is None else like.contrast_limits
            colormap = "gray" if like is None else like.colormap
            self._add_image(
                phase,
                canvas.metadata(canvas.PHASE, half),
                name=name,
                visible=False,
                contrast_limits=limits,
                colormap=colormap,
            )

    # -- one layer

    def _key(self, channel: str) -> canvas.Made:
        assert self._request is not None  # a run has begun
        return canvas.Made(self._base, channel, self._request.label)

    def _name(self, channel: str) -> str:
        base, _, label = self._key(channel)
        plain = self._request is not None and self._request.reconstruction is None
        return f"{base} · {label}" if plain else f"{base} · {channel} · {label}"

    def _old(self, channel: str) -> Image | None:
        """Return the layer of an earlier run that this one can take over: not a renamed one."""
        key, name = self._key(channel), self._name(channel)
        ours = (one for one in self._viewer.layers if one.metadata.get(MADE) == key)
        return next((one for one in ours if one.name.startswith(name)), None)

    def _like(self, channel: str) -> Layer | None:
        """Return the layer that shows a channel before it is denoised."""
        source = self._source
        if source is None or self._request is None or self._request.reconstruction is None:
            return source
        if source.metadata.get(canvas.ROLE) == channel:
            return source
        return canvas.layer_of(self._viewer.layers, canvas.held_by(source), channel)

    def _add(self, channel: str, data: Any, limits: Limits) -> Image:
        assert self._request is not None  # a run has begun
        of = self._request.reconstruction
        kind = f" · {SPREAD}" if channel == SPREAD and of is None else ""
        look = {
            "name": f"{self._name(channel)}{kind}",
            "colormap": "inferno" if channel == SPREAD else "gray",
            "contrast_limits": limits,
        }
        if of is not None:
            role = SPREAD if channel == SPREAD else canvas.DENOISED
            layer = self._add_image(data, canvas.metadata(role, of), **look)
        else:
            layer = self._add_plain(data, look)
        layer.metadata[MADE] = self._key(channel)
        if channel != SPREAD:
            self._link(self._like(channel), layer)
        return layer

    def _add_plain(self, data: Any, look: dict[str, Any]) -> Image:
        """Add a layer that lies where its source does."""
        source = self._source
        place = {} if source is None else canvas.place_of(source)
        layer = Image(data, multiscale=False, rgb=False, **place, **look)
        colour_bar(layer)
        return self._ready(self._viewer.add_layer(layer))

    def _link(self, source: Layer | None, layer: Image) -> None:
        """Give a layer the colours and the contrast of its source, from now on too."""
        if source is None or source not in self._viewer.layers or not _limited(source):
            return
        layer.contrast_limits_range = source.contrast_limits_range
        for name in LINKED:
            setattr(layer, name, getattr(source, name))
        if liked().link_before_after:
            self._viewer.layers.link_layers([source, layer], LINKED)


def _limited(layer: Layer) -> bool:
    """Whether a layer has contrast limits that are numbers."""
    return isinstance(layer, Image) and bool(np.isfinite(layer.contrast_limits).all())
