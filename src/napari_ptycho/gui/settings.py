"""What the user likes, kept by napari: Preferences > Ptychography, named in napari.yaml."""

from typing import Any

from napari.settings import get_plugin_settings

PLUGIN = "napari-ptycho"


def liked() -> Any:
    """Return how layers look, as the user left it.

    Returns:
        `phase_colours` ("grey", "perceptual", "cyclic"), `link_before_after`, `colour_bars` (bool);
        what is set is checked and written at once.
    """
    return get_plugin_settings(PLUGIN).looks
