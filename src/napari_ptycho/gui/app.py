"""napari with our docks: what the command `napari-ptycho` opens."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import napari
from napari.settings import get_settings
from napari.viewer import Viewer
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QApplication, QTabBar

PLUGIN = "napari-ptycho"
DOCKS = ("Scan", "Reconstruct", "Network", "Denoise", "Inspect", "Jobs")
FIRST = 2
"""So many docks are what `open_docks` returns; the last of them is in front."""
SHARE, LARGEST = 0.94, (1800, 1120)
"""Of the screen that a first window takes, and the most (width, height) in pixels."""


def open_docks(viewer: Viewer, count: int = len(DOCKS)) -> tuple[Any, Any]:
    """Return the Scan and the Reconstruct dock of a viewer; open what is not open, in tabs.

    Args:
        viewer: Whose.
        count: So many of `DOCKS` are open then, `FIRST` at least.
    """
    before = len(viewer.window.dock_widgets)
    docks = [_open(viewer, name) for name in DOCKS[:count]]
    if len(viewer.window.dock_widgets) > before:
        docks[FIRST - 1][0].raise_()
        _tighten(docks[0][0].parent())
    scan, reconstruct = (widget for _, widget in docks[:FIRST])
    return scan, reconstruct


def open_dock(viewer: Viewer, name: str) -> Any:
    """Return one of `DOCKS`, in front; open it if it is not open."""
    dock, widget = _open(viewer, name)
    dock.show()
    dock.raise_()
    return widget


def found_dock(viewer: Viewer, name: str) -> Any:
    """Return one of `DOCKS` if it is open, else None."""
    return viewer.window.dock_widgets.get(f"{name} ({PLUGIN})")


def _open(viewer: Viewer, name: str) -> tuple[Any, Any]:
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    dock.setWindowTitle(name)  # on its tab, where the name of the plugin leaves no room for it
    return dock, widget


def _tighten(window: QObject) -> None:
    """Let the tabs of the docks show their whole words, also where napari's padding is too wide."""
    for bar in window.findChildren(QTabBar):
        if DOCKS[0] in [bar.tabText(at) for at in range(bar.count())]:
            bar.setStyleSheet("QTabBar { font-size: 8pt } QTabBar::tab { padding: 3px 3px }")


def open_window(paths: Sequence[str | Path] = (), sample: str | None = None) -> Viewer:
    """Open napari with all docks and start to load files or a sample."""
    viewer = Viewer(title="Ptychography", show_welcome_screen=False)
    if get_settings().application.window_size is None:
        _use_screen(viewer)
    scan, _ = open_docks(viewer)
    if paths:
        scan.open_paths([Path(path) for path in paths])
    elif sample is not None:
        scan.open_sample(sample)
    return viewer


def _use_screen(viewer: Viewer) -> None:
    """Give the first window most of the screen; napari remembers the size of later ones."""
    screen = QApplication.primaryScreen().availableGeometry()
    sides = (screen.width(), screen.height())
    width, height = (min(round(SHARE * s), most) for s, most in zip(sides, LARGEST, strict=True))
    left, top = ((side - own) // 2 for side, own in zip(sides, (width, height), strict=True))
    viewer.window.set_geometry(screen.x() + left, screen.y() + top, width, height)


def launch(paths: Sequence[str | Path] = (), sample: str | None = None) -> None:
    """Open napari with all docks, load a file or a sample, and stay until it is closed.

    Args:
        paths: A scan, or a file of frames and one with their positions.
        sample: Key of `samples.SAMPLES`, if no file is given.
    """
    open_window(paths, sample)
    napari.run()
