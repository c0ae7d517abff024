"""The keys of the plugin, as napari.yaml names them.

npe2 reads `keybindings` of a manifest; napari 0.9 does nothing with them. So they are bound here,
and what is bound is what the manifest says: the key, the command, its title.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari.viewer import Viewer
from npe2 import PluginManager

from napari_ptycho.gui.settings import PLUGIN

SYSTEMS = {"darwin": "mac", "linux": "linux", "win32": "win"}


@dataclass(frozen=True)
class Key:
    """A key of the plugin."""

    key: str
    """As napari writes it: "Ctrl+1"."""
    command: str
    """Its id."""
    title: str
    """What the command does."""


def bindings() -> list[Key]:
    """Return the keys of the plugin on this system, in the order of the manifest."""
    manifest = PluginManager.instance().get_manifest(PLUGIN)
    titles = {command.id: command.title for command in manifest.contributions.commands or ()}
    system = SYSTEMS.get(sys.platform, "linux")
    return [
        Key(getattr(one, system) or one.key, one.command, titles[one.command])
        for one in manifest.contributions.keybindings or ()
    ]


def key_of(name: str) -> str:
    """Return the key of the command called "napari-ptycho.NAME"."""
    return next(one.key for one in bindings() if one.command == f"{PLUGIN}.{name}")


def bind(viewer: Viewer, owned: Any) -> None:
    """Bind the keys in a viewer.

    Args:
        viewer: The viewer.
        owned: What must live as long as they do.
    """
    for one in bindings():
        viewer.bind_key(one.key, _pressed(one.command, owned), overwrite=True)


def _pressed(command: str, owned: Any) -> Callable[[Any], None]:
    def pressed(viewer: Any, owned: Any = owned) -> None:
        PluginManager.instance().commands.execute(command, args=(viewer,))

    return pressed
