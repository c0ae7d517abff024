"""How a reconstruction came about, as the JSON text that our files carry."""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_ptycho import __version__
from napari_ptycho.errors import ScanError
from napari_ptycho.io.draft import GEOMETRY
from napari_ptycho.model import Geometry, Reconstruction

PROGRAM = "napari-ptycho"
CREATOR = f"{PROGRAM} {__version__}"


def as_json(reconstruction: Reconstruction, **more: Any) -> str:
    """Return name, geometry and provenance as JSON.

    Args:
        reconstruction: Whose they are.
        more: What else to say, plain values.

    Raises:
        ScanError: The provenance holds what JSON cannot.
    """
    geometry = {name: getattr(reconstruction.geometry, name) for name in GEOMETRY}
    provenance = dict(reconstruction.provenance)
    said = {"name": reconstruction.name, "geometry": geometry, "provenance": provenance, **more}
    try:
        return json.dumps(said, default=_plain)
    except (TypeError, ValueError) as error:
        raise ScanError(
            f"{reconstruction.name}: its provenance cannot be written as JSON: {error}"
        ) from error


def geometry_in(said: Mapping[str, Any]) -> Geometry:
    """Return the geometry of what `as_json` said.

    Raises:
        ScanError: It holds what is no geometry.
    """
    known = {name: value for name, value in said["geometry"].items() if name in GEOMETRY}
    return Geometry(**known)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} is a {type(value).__name__}")
