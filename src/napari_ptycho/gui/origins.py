"""Which layers are results, in which order they came, and what each was made from.

What was made from what cannot be read off the layers: a refined object and its start hold two
different reconstructions. So whoever makes a result says so here. Nothing here keeps a layer.
"""

from collections.abc import Iterable, Sequence
from itertools import count
from weakref import ReferenceType, WeakKeyDictionary, ref

import numpy as np
from napari.layers import Layer

from napari_ptycho.gui import canvas
from napari_ptycho.model import Reconstruction

_numbers = count()
_results: "WeakKeyDictionary[Layer, int]" = WeakKeyDictionary()
_before: "WeakKeyDictionary[Layer, ReferenceType[Layer]]" = WeakKeyDictionary()


def note(result: Layer, before: Layer | None, again: bool = False) -> None:
    """Say that a layer shows a new result.

    Args:
        result: The layer.
        before: What it was made from; None if no layer shows that.
        again: It went on from what it showed: what that was made from counts.
    """
    _results[result] = next(_numbers)
    if before is not None and before is not result:
        _before[result] = ref(before)
    elif not again:
        _before.pop(result, None)


def kind(layer: Layer) -> str:
    """Return "phase", "amplitude" or, of all that is not an object's, ""."""
    made = canvas.made_of(layer)
    shown = made.channel if made else layer.metadata.get(canvas.ROLE)
    return str(shown) if shown in canvas.OBJECT else ""


def made_from(layer: Layer) -> Layer | None:
    """Return what a layer was said to be made from, if that is still there."""
    found = _before.get(layer)
    return None if found is None else found()


def showing(layers: Iterable[Layer], start: Reconstruction | None, role: str) -> Layer | None:
    """Return the layer that shows phase or amplitude of this object, whatever it is called now."""
    if start is None:
        return None
    for layer in canvas.find(layers, (role,)):
        held = canvas.shown_by(layer)
        if held is not None and np.shares_memory(held.object, start.object):
            return layer
    return None


def meant(layers: Sequence[Layer], selected: Sequence[Layer]) -> list[Layer]:
    """Return what a user means by "compare": images, the earlier one first.

    Two or more that are selected; else the one that is selected with what it was made from, or
    with what was made from it; else the newest result with what it was made from; else what shows.

    Args:
        layers: The images of a viewer, in its order.
        selected: Those that are selected.
    """
    if len(selected) > 1:
        return list(selected)
    for layer in (*selected, *_newest(layers)):
        before = _made_from(layer, layers)
        if before is not None:
            return [before, layer]
        after = next((one for one in _newest(layers) if made_from(one) is layer), None)
        if after is not None:
            return [layer, after]
    shown = [layer for layer in layers if layer.visible]
    return shown if len(shown) > 1 else []


def _newest(layers: Sequence[Layer]) -> list[Layer]:
    """Return the results among layers, the newest first."""
    return sorted((one for one in layers if one in _results), key=_results.__getitem__)[::-1]


def _made_from(layer: Layer, layers: Sequence[Layer]) -> Layer | None:
    """Return what a result was made from; where that is unknown, the result before it."""
    if layer not in _results:
        return None
    before = made_from(layer)
    if before is not None and before in layers:
        return before
    mine, number = kind(layer), _results[layer]
    earlier = [one for one in _newest(layers) if _results[one] < number]
    return next((one for one in earlier if mine and kind(one) == mine), None)
