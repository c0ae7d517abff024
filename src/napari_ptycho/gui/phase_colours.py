"""Colours of a phase: grey, perceptual, or cyclic, in which -pi and pi are the same colour."""

from math import pi

from napari.layers import Image, Layer

from napari_ptycho.gui import canvas, origins
from napari_ptycho.gui.settings import liked
from napari_ptycho.gui.views import Limits

COLOURS = {"grey": "gray", "perceptual": "viridis", "cyclic": "twilight_shifted"}
"""What the user reads -> napari's colour map."""
CYCLIC = "cyclic"
WHOLE: Limits = (-pi, pi)
"""Limits of cyclic colours: with others the same phase would have two colours."""
FITTED = "napari_ptycho_limits"
"""Key of the metadata where a layer in cyclic colours keeps the limits that it had before."""


def is_phase(layer: Layer) -> bool:
    """Whether a layer shows the phase of an object of ours."""
    return isinstance(layer, Image) and not layer.rgb and origins.kind(layer) == canvas.PHASE


def colours_of(layer: Layer) -> str:
    """Return which of `COLOURS` a layer has; "" for others."""
    return next((word for word, name in COLOURS.items() if layer.colormap.name == name), "")


def is_cyclic(layer: Layer) -> bool:
    """Whether a layer shows a phase in cyclic colours."""
    return is_phase(layer) and colours_of(layer) == CYCLIC


def colour(layer: Image, word: str) -> None:
    """Give a phase these colours; a layer that is linked to it follows."""
    was_cyclic = is_cyclic(layer)
    if word == CYCLIC and not was_cyclic:
        layer.metadata[FITTED] = tuple(layer.contrast_limits)
    layer.colormap = COLOURS[word]
    if word == CYCLIC:
        set_limits(layer, WHOLE)
    elif FITTED in layer.metadata:
        limits = layer.metadata.pop(FITTED)
        if was_cyclic:
            set_limits(layer, limits)


def set_limits(layer: Image, limits: Limits) -> None:
    """Set the contrast, and let its slider reach that far."""
    low, high = layer.contrast_limits_range
    layer.contrast_limits_range = (min(low, limits[0]), max(high, limits[1]))
    layer.contrast_limits = limits


def remembered() -> str:
    """Return the colours that a new phase gets: those chosen last."""
    return str(liked().phase_colours)
