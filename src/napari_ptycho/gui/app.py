"""napari with our docks: what the command `napari-ptycho` opens."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import napari
from napari.viewer import Viewer

PLUGIN = "napari-ptycho"
DOCKS = ("Scan", "Reconstruct")
WIDTH = 400


def open_docks(viewer: Viewer) -> tuple[Any, Any]:
    """Return the Scan and the Reconstruct dock of a viewer; open what is not open, in tabs."""
    widgets = []
    for name in DOCKS:
        _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
        widgets.append(widget)
    scan, reconstruct = widgets
    return scan, reconstruct


def open_window(paths: Sequence[str | Path] = (), sample: str | None = None) -> Viewer:
    """Open napari with both docks and start to load a file or a sample."""
    viewer = Viewer(title="Ptychography", show_welcome_screen=False)
    scan, _ = open_docks(viewer)
    if paths:
        scan.open_path(paths[0])
    elif sample is not None:
        scan.open_sample(sample)
    return viewer


def launch(paths: Sequence[str | Path] = (), sample: str | None = None) -> None:
    """Open napari with both docks, load a file or a sample, and stay until it is closed.

    Args:
        paths: Files to open; the first one is.
        sample: Key of `samples.SAMPLES`, if no file is given.
    """
    open_window(paths, sample)
    napari.run()
