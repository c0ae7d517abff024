"""What is to be opened, and how the person said it is to be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_ptycho.io.layout import Layout
from napari_ptycho.prepare.detector import DetectorOptions

TOML = ".toml"
"""What the names of recipes end in."""


@dataclass(frozen=True)
class Opening:
    """A file (or a folder of frames), and how it is read; the defaults leave all to its format."""

    path: Path
    positions: Path | None = None
    """A second file, with the positions."""
    layout: Layout | None = None
    """None leaves it to a saved layout that fits, else to the format."""
    detector: DetectorOptions | None = None
    geometry: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `Geometry` that the person typed."""


@dataclass(frozen=True)
class Wanting:
    """A file that cannot be opened before the person says more about it."""

    opening: Opening
    sentence: str
    """What is missing."""
