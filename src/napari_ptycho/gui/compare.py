"""One comparison at a time, of one viewer: curtain, blinking or grid, begun and ended anywhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal
from weakref import WeakSet

from napari.layers import Image, Layer
from napari.utils.notifications import show_info
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_ptycho.gui import canvas, origins
from napari_ptycho.gui.canvas import is_plane
from napari_ptycho.gui.pause import Pause
from napari_ptycho.options import Options, Range

CURTAIN, BLINK, GRID = "Curtain", "Blink", "Grid"
TIPS = {
    CURTAIN: "One image on this side of a line, the other beyond it. Drag the line.",
    BLINK: "The images in turn at the same place: what differs jumps.",
    GRID: "The images beside each other, with one camera.",
}
PAUSE_MS = 50
NOTHING = "There is nothing to compare: select two images in the list of layers."


@dataclass(frozen=True)
class CompareOptions(Options):
    """How layers are shown against each other."""

    title: ClassVar[str] = "Compare"

    link_contrast: Annotated[
        bool, "One contrast, gamma and colour map for all: differences are differences of values."
    ] = True
    blink_pause_ms: Annotated[
        int, Range(100, 3000, 50), "How long each image shows while they blink."
    ] = 400
    curtain_line: Annotated[
        Literal["upright", "flat"], "Whether the line of the curtain moves sideways or up and down."
    ] = "upright"


class Compare(QObject):
    """Shows layers of a viewer against each other."""

    changed = Signal()
    """Something else is, or would be, compared; at most every 50 ms while layers change."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.options = CompareOptions()
        self.offered: Callable[[], list[Layer]] | None = None
        """What a page that shows offers to compare, instead of what is selected."""
        self.shown: list[Layer] = []
        """What is, or was last, compared."""
        self._name = ""
        self._seen: WeakSet[QWidget] = WeakSet()  # where a comparison can be ended
        self._pause = Pause(self, PAUSE_MS, self.changed)
        layers = viewer.layers
        for events in (layers.events.inserted, layers.events.removed, layers.selection.events):
            getattr(events, "changed", events).connect(self._pause.soon)

    @cached_property
    def tools(self) -> dict[str, Any]:
        """Curtain, Blink and Grid, made when they are first wanted."""
        from napari_ptycho.gui.blink import Blink
        from napari_ptycho.gui.curtain import Curtain
        from napari_ptycho.gui.linked_grid import LinkedGrid

        tools: dict[str, Any] = {
            CURTAIN: Curtain(self.viewer),
            BLINK: Blink(self.viewer),
            GRID: LinkedGrid(self.viewer),
        }
        for tool in tools.values():
            tool.ended.connect(self.changed)
        return tools

    @property
    def active(self) -> str:
        """Which tool is on; "" while none is."""
        if not self._name:
            return ""
        return next((name for name, tool in self.tools.items() if tool.active), "")

    def meant(self, name: str = BLINK) -> list[Layer]:
        """Return what would be compared, see `origins.meant`; for a curtain two layers."""
        accepts = is_plane if name == CURTAIN else is_image
        if self.offered is not None:
            layers = self.offered()
        else:
            images = [layer for layer in self.viewer.layers if accepts(layer)]
            selected = [layer for layer in images if layer in self.viewer.layers.selection]
            layers = origins.meant(images, selected)
        return layers[:2] if name == CURTAIN else layers

    def toggle(self, name: str, layers: Sequence[Layer] = ()) -> None:
        """Begin "Curtain", "Blink" or "Grid", or end it.

        Args:
            name: Which.
            layers: What is compared; none: what is meant now.
        """
        active = self.active
        self.end()
        if name != active:
            layers = layers or self.meant(name)
            self._begin(name, layers[:2] if name == CURTAIN else layers)
            if len(layers) < 2:
                show_info(NOTHING)
        self.changed.emit()

    def end(self) -> None:
        """Show what was shown before."""
        if self._name:
            for tool in self.tools.values():
                tool.end()

    def _begin(self, name: str, layers: Sequence[Layer]) -> None:
        if len(layers) < 2:
            return
        self._name, self.shown = name, list(layers)
        options, tool = self.options, self.tools[name]
        if name == CURTAIN:
            down = options.curtain_line == "flat"
            tool.begin(layers[0], layers[1], down, options.link_contrast)
        else:
            if name == BLINK:
                tool.set_pause(options.blink_pause_ms)
            tool.begin(layers, options.link_contrast)

    def set_options(self, options: CompareOptions) -> None:
        """Show what is shown in another way."""
        before, self.options = self.options, options
        active = self.active
        if active == BLINK:
            self.tools[BLINK].set_pause(options.blink_pause_ms)
        turned = active == CURTAIN and options.curtain_line != before.curtain_line
        if turned or options.link_contrast != before.link_contrast:
            self.anew()
        self.changed.emit()

    def anew(self, change: Callable[[], None] = lambda: None) -> None:
        """Change how layers look to stay so: while a comparison is not on, which then goes on."""
        active, shown = self.active, self.shown
        self.end()
        change()
        self._begin(active, [one for one in shown if active and one in self.viewer.layers])
        self.changed.emit()

    def offer(self, offered: Callable[[], list[Layer]] | None) -> None:
        """Compare what a page offers, as long as it shows; None: what is selected again."""
        self.offered = offered
        self._pause.soon()  # the rows of all docks follow: another one may show next

    # -- where it can be ended

    def watch(self, widget: QWidget) -> None:
        """Remember a widget with buttons: with the last of them a comparison ends."""
        self._seen.add(widget)

    def unwatch(self, widget: QWidget) -> None:
        """Forget it if it was closed, and did not just go behind another tab."""
        if isinstance(widget.window(), QMainWindow | QDockWidget):
            return
        self._seen.discard(widget)
        if not self._seen:
            self.end()


def is_image(layer: Layer) -> bool:
    """Whether a layer shows one image, in grey or in colour, and to stay."""
    hued = isinstance(layer, Image) and layer.rgb and layer.ndim == 2
    return is_plane(layer) or (hued and canvas.PASSING not in layer.metadata)
