"""Is this detail real? Resolution, differences, profiles, and what the photons say of a denoiser.

Importing this package imports neither torch nor scipy; calling something of it does.
"""

from typing import Any

NAMES = {
    "AlignOptions": "registration",
    "Check": "verdict",
    "CheckOptions": "check_options",
    "Difference": "differences",
    "DifferenceOptions": "differences",
    "Frc": "correlation",
    "FrcOptions": "frc_options",
    "Honest": "two_halves",
    "HonestOptions": "frc_options",
    "MapOptions": "rolling",
    "Metrics": "scores",
    "MetricsOptions": "scores",
    "Plane": "plane",
    "Profile": "profile",
    "ProfileOptions": "profile",
    "Pty2023": "published",
    "Registered": "registration",
    "ResolutionMap": "rolling",
    "check": "hallucination",
    "difference": "differences",
    "frc": "correlation",
    "honest": "two_halves",
    "line_profile": "profile",
    "metrics": "scores",
    "plane_of": "plane",
    "pty2023": "published",
    "radial_profile": "profile",
    "read_plane": "plane",
    "registered": "registration",
    "resolution_map": "rolling",
}
"""Public name -> the module that has it."""
__all__ = list(NAMES)


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{NAMES[name]}"), name)
