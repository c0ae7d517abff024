"""Is this detail real? Resolution, differences, profiles, and what the photons say of a denoiser.

Importing this package imports neither torch nor scipy; calling something of it does.
"""

from typing import Any

NAMES = {
    "Plane": "plane",
    "plane_of": "plane",
    "read_plane": "plane",
}
"""Public name -> the module that has it."""
__all__ = list(NAMES)


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{NAMES[name]}"), name)
