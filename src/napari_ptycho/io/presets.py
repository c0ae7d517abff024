"""Named presets: how files with certain paths are read, kept as TOML in the user's folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_ptycho.io.layout import Layout
from napari_ptycho.prepare.detector import DetectorOptions


@dataclass(frozen=True)
class Preset:
    """How one kind of file is read."""

    name: str
    needs: tuple[str, ...]
    """Paths that a file must have for the preset to open it."""
    layout: Layout
    detector: DetectorOptions = field(default_factory=DetectorOptions)
    geometry: Mapping[str, Any] = field(default_factory=dict)
    """Values of `Geometry` that the person typed, by field."""
