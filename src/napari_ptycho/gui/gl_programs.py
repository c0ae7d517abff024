"""Keeps what draws shapes layers after they are gone.

napari frees the drawing programs of a layer that is removed. For shapes layers, Mesa's software
renderer (remote desktops, virtual machines, tests) then crashes the process within a few pictures:
napari 0.9.2, vispy 0.17, without this package too. Kept until the viewer goes, they do no harm.
"""

from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Shapes
from napari.viewer import Viewer

_kept: "WeakKeyDictionary[Viewer, list[Any]]" = WeakKeyDictionary()


def protect(viewer: Viewer) -> None:
    """Keep what draws the shapes layers of a viewer, from now on; again changes nothing."""
    if viewer in _kept:
        return
    kept = _kept[viewer] = []

    def keep(event: Any) -> None:
        layer = viewer.layers[event.index]
        if isinstance(layer, Shapes):
            kept.extend(_visuals(layer))

    viewer.layers.events.removing.connect(keep)


def _visuals(layer: Shapes) -> list[Any]:
    """Return what draws a layer; it listens to the layer by weak reference."""
    callbacks = [one for one in layer.events.set_data.callbacks if isinstance(one, tuple)]
    owners = [reference() for reference, _ in callbacks]
    return [owner.node for owner in owners if hasattr(owner, "node")]
