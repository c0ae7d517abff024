"""How our image layers look: colours of phases, complex layers, links of contrast, colour bars."""

from typing import Any

from napari.layers import Layer
from napari.viewer import Viewer

from napari_ptycho.gui import canvas, origins
from napari_ptycho.gui.canvas import LINKED
from napari_ptycho.gui.compare import Compare
from napari_ptycho.gui.complex_layer import ComplexLayers
from napari_ptycho.gui.layers import colour_bar
from napari_ptycho.gui.phase_colours import COLOURS, colour, colours_of, is_phase, remembered
from napari_ptycho.gui.settings import liked


class Looks:
    """Changes how layers of a viewer look; what is chosen is what later layers get."""

    def __init__(self, viewer: Viewer, compare: Compare) -> None:
        self.viewer, self._compare = viewer, compare
        self.complex = ComplexLayers(viewer)

    def phases(self) -> list[Layer]:
        """Return the phases that are meant: those that are selected, else all."""
        phases = [layer for layer in self.viewer.layers if is_phase(layer)]
        selected = [layer for layer in phases if layer in self.viewer.layers.selection]
        return selected or phases

    def phase_colours(self) -> str:
        """Return the colours of the phases that are meant, or of those to come."""
        words = [colours_of(layer) for layer in self.phases()]
        return words[0] if words else remembered()

    def colour_phases(self, word: str) -> None:
        """Give the phases that are meant these colours, and those to come."""
        self._compare.anew(lambda: self._colour(word))
        liked().phase_colours = word

    def _colour(self, word: str) -> None:
        for layer in self.phases():
            colour(layer, word)

    def next_colours(self) -> None:
        """Give the phases that are meant the next colours."""
        words = list(COLOURS)
        now = self.phase_colours()
        self.colour_phases(words[(words.index(now) + 1) % len(words) if now in words else 0])

    def link(self, on: bool) -> None:
        """Link the contrast of each denoised layer to that of its original; or of none."""
        liked().link_before_after = on
        self._compare.anew(lambda: self._link(on))

    def _link(self, on: bool) -> None:
        layers = self.viewer.layers
        for layer in list(layers):
            before = origins.made_from(layer)
            if canvas.MADE in layer.metadata and before is not None and before in layers:
                if on:
                    self._even(layer, before)
                    layers.link_layers([before, layer], LINKED)
                else:
                    layers.unlink_layers([before, layer], LINKED)

    def _even(self, layer: Any, before: Any) -> None:
        """Give a layer the contrast and the colours of what it was made from."""
        layer.contrast_limits_range = before.contrast_limits_range
        for name in LINKED:
            setattr(layer, name, getattr(before, name))

    def show_bars(self, on: bool) -> None:
        """Show a colour bar on each of our images, or on none."""
        liked().colour_bars = on
        for layer in self.viewer.layers:
            ours = canvas.ROLE in layer.metadata or canvas.MADE in layer.metadata
            if ours and hasattr(layer, "colorbar") and not getattr(layer, "rgb", False):
                colour_bar(layer)
