"""Keeps OpenGL's drawing programs until their window goes.

vispy frees the program that drew a layer when the layer is removed. Mesa's software renderers
(remote desktops, virtual machines, tests) then crash the process within a few pictures: vispy 0.17,
napari 0.9.2, without this package too. Kept, programs take a few kilobytes each; images, textures
and buffers are freed as before, and everything goes with the window.
"""

from typing import Any

from vispy.gloo.glir import GlirProgram


def keep_programs() -> None:
    """From now on free no program before its window goes; again changes nothing."""
    GlirProgram.delete = _keep


def _keep(program: Any) -> None:
    """Stand for `GlirProgram.delete`."""
