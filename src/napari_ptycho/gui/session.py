"""What the docks of one viewer share: the current scan and the current reconstruction."""

from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_ptycho.gui.gl_programs import keep_programs

if TYPE_CHECKING:  # with them comes the whole core, which a dock that opens does not need
    from napari_ptycho.gui.recipe_source import Told
    from napari_ptycho.gui.views import ScanView
    from napari_ptycho.model import Reconstruction, Scan
    from napari_ptycho.recipes.recipe import BinningOptions, NetworkStep, Recipe

    Halves = tuple[Reconstruction, Reconstruction]


class Session(QObject):
    """The current scan and reconstruction of one viewer. It holds no viewer and no dock."""

    scan_changed = Signal()
    reconstruction_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.view: ScanView | None = None
        self.unbinned: ScanView | None = None
        self.reconstruction: Reconstruction | None = None
        self.halves: WeakKeyDictionary[Reconstruction, Halves] = WeakKeyDictionary()
        """Half-count reconstructions, by the whole one that they were made for."""
        self.predictions: WeakKeyDictionary[Reconstruction, NetworkStep] = WeakKeyDictionary()
        """How a network made them, by predicted object."""

    @cached_property
    def recipe(self) -> "Recipe":
        """The one that was opened or saved last: what no dock shows of it is kept."""
        from napari_ptycho.recipes.recipe import Recipe

        return Recipe()

    @property
    def scan(self) -> "Scan | None":
        """The scan that is shown and that a run starts with (binned, if it was binned)."""
        return None if self.view is None else self.view.scan

    @property
    def told(self) -> "tuple[Told, BinningOptions]":
        """How the scan is opened and binned again, or why no recipe can tell."""
        from napari_ptycho.gui.recipe_source import IN_MEMORY
        from napari_ptycho.recipes.recipe import BinningOptions

        view = self.view
        return (IN_MEMORY, BinningOptions()) if view is None else (view.told, view.bins)

    def show_scan(self, view: "ScanView", unbinned: "ScanView") -> None:
        """Make a scan the current one; `unbinned` is the scan it was binned from, or itself."""
        self.view, self.unbinned = view, unbinned
        self.scan_changed.emit()

    def show_reconstruction(self, reconstruction: "Reconstruction") -> None:
        """Make a reconstruction the current one: what Continue goes on from and Save writes."""
        self.reconstruction = reconstruction
        self.reconstruction_changed.emit()


_sessions: "WeakKeyDictionary[Viewer, Session]" = WeakKeyDictionary()


def real_viewer(viewer: Any) -> Viewer:
    """Return the viewer behind the proxy that napari hands to plugins."""
    return getattr(viewer, "__wrapped__", viewer)


def session_of(viewer: Any) -> Session:
    """Return the session of a viewer; every viewer has its own."""
    viewer = real_viewer(viewer)
    if viewer not in _sessions:
        keep_programs()
        _sessions[viewer] = Session()
    return _sessions[viewer]
