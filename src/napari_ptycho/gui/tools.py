"""What is there once for each viewer, whichever docks are open: comparisons, looks, keys.

The keys hold on to it, and the viewer to its keys; it goes when the viewer goes.
"""

from functools import cached_property
from typing import TYPE_CHECKING
from weakref import ReferenceType, WeakKeyDictionary, ref

from napari.viewer import Viewer

from napari_ptycho.gui import keys
from napari_ptycho.gui.names import Names
from napari_ptycho.gui.session import real_viewer

if TYPE_CHECKING:
    from napari_ptycho.gui.compare import Compare
    from napari_ptycho.gui.looks import Looks


class Tools:
    """Made when they are first wanted; only names on the canvas are fitted from the start."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.names = Names(viewer)

    @cached_property
    def compare(self) -> "Compare":
        """Curtain, blinking and grid."""
        from napari_ptycho.gui.compare import Compare

        return Compare(self.viewer)

    @cached_property
    def looks(self) -> "Looks":
        """Colours of phases, complex layers, links, colour bars."""
        from napari_ptycho.gui.looks import Looks

        return Looks(self.viewer, self.compare)


_tools: "WeakKeyDictionary[Viewer, ReferenceType[Tools]]" = WeakKeyDictionary()


def tools_of(viewer: Viewer) -> Tools:
    """Return the tools of a viewer; the first time, bind our keys."""
    viewer = real_viewer(viewer)
    known = _tools.get(viewer)
    tools = None if known is None else known()
    if tools is None:
        tools = Tools(viewer)
        _tools[viewer] = ref(tools)
        keys.bind(viewer, tools)
    return tools
