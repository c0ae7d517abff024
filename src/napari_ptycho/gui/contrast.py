"""One contrast for several images."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from napari.experimental import layers_linked
from napari.layers import Image, Layer

from napari_ptycho.gui.canvas import LINKED
from napari_ptycho.gui.phase_colours import WHOLE, is_cyclic, is_phase, set_limits
from napari_ptycho.gui.planes import area_of, whole_of
from napari_ptycho.gui.views import Limits

PERCENT = (0.5, 99.5)
KEPT = ("contrast_limits_range", *LINKED)
"""What `link` changes, in an order in which it can be put back."""
MOST_PIXELS = 65536
"""Of each image; more would not change its percentiles, but cost time in the window."""


def common_limits(layers: Iterable[Layer]) -> Limits:
    """Return contrast limits that hold the percentiles of every one of these images.

    Of a reconstruction, those of the area that is lit. Of phases, if the first one has cyclic
    colours, a whole turn.
    """
    layers, ends = list(layers), []
    if is_cyclic(layers[0]) and all(map(is_phase, layers)):
        return WHOLE
    for layer in layers:
        data, held = np.asarray(layer.data), whole_of(layer)
        data = data.ravel() if held is None else data[area_of(held)]
        data = data[:: max(1, -(-data.size // MOST_PIXELS))]
        data = data[np.isfinite(data)]
        if data.size:
            ends.append(np.percentile(data, PERCENT))
    if not ends:
        return 0.0, 1.0
    low, high = float(np.min(ends)), float(np.max(ends))
    return (low, high) if high > low else (low, low + 1.0)


def look_of(layer: Layer) -> dict[str, Any]:
    """Return the colours of a layer."""
    return {"colormap": layer.colormap, "gamma": layer.gamma}


def link(layers: Sequence[Layer]) -> ExitStack:
    """Give layers one contrast and the colours of the first; what they were linked to they stay.

    Layers in true colours (RGB) have none of these, and stay as they are.

    Returns:
        Close it to let each have its own again.
    """
    layers, links = [one for one in layers if isinstance(one, Image) and not one.rgb], ExitStack()
    if len(layers) < 2:
        return links
    limits = common_limits(layers)
    for layer in layers:
        set_limits(layer, limits)
        for name, value in look_of(layers[0]).items():
            setattr(layer, name, value)
    links.enter_context(layers_linked(layers, LINKED))
    return links
