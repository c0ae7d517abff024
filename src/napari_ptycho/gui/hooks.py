"""What napari calls: readers and samples (npe2). The docks themselves are named in napari.yaml.

Reading takes seconds, and napari calls a reader in the window's thread. So where there is a window
the Scan dock is opened and told to load, and napari is given no layer (readers) or an empty one
(samples, of which napari expects at least one layer); the dock replaces it when the scan is there.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np

from napari_ptycho.errors import FileError
from napari_ptycho.gui import canvas, loading
from napari_ptycho.gui.app import FIRST, open_dock, open_docks
from napari_ptycho.gui.opening import Wanting
from napari_ptycho.gui.sniffing import is_ours
from napari_ptycho.gui.views import Picture
from napari_ptycho.phantoms import noisy
from napari_ptycho.samples import SAMPLES

LayerData = tuple[Any, ...]
Reader = Callable[[Any], list[LayerData]]
NO_LAYER: LayerData = (None,)


def get_reader(path: str | list[str]) -> Reader | None:
    """Return a reader if the files may be ours, by their first bytes; images are napari's."""
    return read if is_ours(_paths(path)) else None


def read(path: str | list[str]) -> list[LayerData]:
    """Open files in the Scan dock; without a window, return their layers.

    Raises:
        PtychoError: There is no window, and they cannot be opened.
    """
    paths, viewer = _paths(path), napari.current_viewer()
    if viewer is None:
        return _layers(loading.open_paths(paths))
    open_docks(viewer, FIRST)[0].open_paths(paths)
    return [NO_LAYER]


def _paths(path: str | list[str]) -> list[Path]:
    return [Path(one) for one in ([path] if isinstance(path, str) else path)]


def siemens_real() -> list[LayerData]:
    """Open the measured Siemens star."""
    return _sample("siemens-real")


def siemens_star() -> list[LayerData]:
    """Open the simulated Siemens star."""
    return _sample("siemens-star")


def fibres() -> list[LayerData]:
    """Open the simulated fibres."""
    return _sample("fibres")


def star_64() -> list[LayerData]:
    """Open the simulated star that the plugin's networks fit."""
    return _sample("star-64")


def fibres_noisy() -> list[LayerData]:
    """Return the noisy fibres, and the clean ones to compare with."""
    return _phantom("fibres")


def star_noisy() -> list[LayerData]:
    """Return the noisy star, and the clean one to compare with."""
    return _phantom("star")


def _phantom(name: str) -> list[LayerData]:
    """Return two plain images, and bring the Denoise dock to the front if there is a window."""
    viewer = napari.current_viewer()
    if viewer is not None:
        open_dock(viewer, "Denoise")
    with_noise, clean = (image.astype(np.float32) for image in noisy(name))
    return [
        (with_noise, {"name": f"{name} · noisy", "colormap": "gray"}, "image"),
        (clean, {"name": f"{name} · clean", "colormap": "gray", "visible": False}, "image"),
    ]


def _sample(key: str) -> list[LayerData]:
    viewer = napari.current_viewer()
    if viewer is None:
        return _layers(loading.open_sample(key))
    open_docks(viewer, FIRST)[0].open_sample(key)
    placeholder = {
        "name": f"opening {SAMPLES[key]}",
        "metadata": canvas.metadata(canvas.POSITIONS, None),
    }
    return [(np.empty((0, 2)), placeholder, "points")]


def _layers(shown: loading.Opened) -> list[LayerData]:
    """Return plain layer tuples, for napari without a window."""
    if isinstance(shown, Wanting):
        raise FileError(shown.sentence)
    if isinstance(shown, Picture):
        name, held = shown.of.name, {canvas.KEY: shown.of}
        return [
            (data, {"name": f"{name} · {role}", "metadata": held}, "image")
            for role, data in ((canvas.PHASE, shown.phase), (canvas.AMPLITUDE, shown.amplitude))
        ]
    view = shown[0]
    limits = (0.0, max(view.brightest, 0.1))
    look = {"contrast_limits": limits, "metadata": {canvas.KEY: view.scan}}
    return [
        (view.patterns, {"name": canvas.PATTERNS, **look}, "image"),
        (view.mean, {"name": canvas.MEAN, **look}, "image"),
    ]
