"""Commands of napari.yaml that keys and the command palette run; each is one thing a button does.

They take the viewer: a key gives the one it was pressed in, the palette the current one.
"""

from napari.utils.notifications import show_info
from napari.viewer import Viewer
from qtpy.QtWidgets import QPushButton

from napari_ptycho.gui.app import DOCKS, found_dock, open_dock
from napari_ptycho.gui.compare import BLINK, CURTAIN, GRID
from napari_ptycho.gui.session import real_viewer
from napari_ptycho.gui.tools import tools_of


def curtain(viewer: Viewer) -> None:
    """Begin or end the curtain."""
    tools_of(viewer).compare.toggle(CURTAIN)


def blink(viewer: Viewer) -> None:
    """Begin or end blinking."""
    tools_of(viewer).compare.toggle(BLINK)


def grid(viewer: Viewer) -> None:
    """Begin or end the linked grid."""
    tools_of(viewer).compare.toggle(GRID)


def phase_colours(viewer: Viewer) -> None:
    """Give phases the next colours."""
    tools_of(viewer).looks.next_colours()


def complex_colours(viewer: Viewer) -> None:
    """Show the object or the probe in colour, or no more."""
    tools_of(viewer).looks.complex.toggle()


def _show(name: str, viewer: Viewer) -> None:
    open_dock(real_viewer(viewer), name)


def show_scan(viewer: Viewer) -> None:
    """Bring the Scan dock to the front."""
    _show("Scan", viewer)


def show_reconstruct(viewer: Viewer) -> None:
    """Bring the Reconstruct dock to the front."""
    _show("Reconstruct", viewer)


def show_network(viewer: Viewer) -> None:
    """Bring the Network dock to the front."""
    _show("Network", viewer)


def show_denoise(viewer: Viewer) -> None:
    """Bring the Denoise dock to the front."""
    _show("Denoise", viewer)


def show_inspect(viewer: Viewer) -> None:
    """Bring the Inspect dock to the front."""
    _show("Inspect", viewer)


def show_jobs(viewer: Viewer) -> None:
    """Bring the Jobs dock to the front."""
    _show("Jobs", viewer)


def start(viewer: Viewer) -> None:
    """Press the button that starts the run of the dock in front."""
    _press(viewer, "start")


def stop(viewer: Viewer) -> None:
    """Press Stop in the dock in front."""
    _press(viewer, "stop")


def _press(viewer: Viewer, what: str) -> None:
    """Press a button at the foot of the dock in front, if there is one that can be pressed."""
    docks = [found_dock(real_viewer(viewer), name) for name in DOCKS]
    for dock in docks:
        button = getattr(getattr(dock, "box", None), f"{what}_button", None)
        front = dock is not None and not dock.visibleRegion().isEmpty()
        if front and isinstance(button, QPushButton) and button.isEnabled():
            button.click()
            return
    show_info(f"There is nothing to {what} in the dock that is in front.")
