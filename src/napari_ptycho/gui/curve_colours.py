"""The colours of curves that are drawn together, in a plot, on the canvas and in a table."""

from napari.utils.theme import get_theme
from napari.viewer import Viewer

COLOURS = {
    "dark": ("#4fc3f7", "#ffb74d", "#81c784", "#f06292", "#ba68c8", "#fff176", "#a1887f"),
    "light": ("#1f77b4", "#d9730d", "#2e7d32", "#c2185b", "#7b1fa2", "#8a7a00", "#6d4c41"),
}
"""One after the other; after the last comes the first again."""


def colour(i: int, viewer: Viewer) -> str:
    """Return the colour of the i-th curve, as "#4fc3f7", in the viewer's theme."""
    colours = COLOURS[get_theme(viewer.theme).type]
    return colours[i % len(colours)]
