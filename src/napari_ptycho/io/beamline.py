"""What a row of the beamlines' table holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_ptycho.io.tracks import Track


@dataclass(frozen=True)
class Value:
    """A number of the experiment at a known place."""

    path: str
    """Path, which may hold * in its parts; "path@name" is an attribute of it."""
    unit: str = ""
    """Of a number that says none itself; empty: by its size."""


@dataclass(frozen=True)
class Beamline:
    """Where one kind of file keeps what a scan needs; paths may hold * in their parts."""

    title: str
    """As the person reads it."""
    frames: tuple[str, ...]
    """Paths of frames, the best first."""
    needs: tuple[str, ...] = ()
    """Paths that tell such files from others; every one must be there."""
    tracks: tuple[Track, ...] = ()
    """Positions, the best first."""
    apart: str = ""
    """Where the positions are if not in the file, for the sentence that asks for them."""
    beside: str = ""
    """Name of the file with the positions in the same folder; {index} is the angle or energy."""
    energy: tuple[Value, ...] = ()
    """Photon energy or wavelength, the best first."""
    distance: tuple[Value, ...] = ()
    """Sample to detector, the best first."""
    pixel: tuple[Value, ...] = ()
    """Detector pixel: one, or height and width."""
    centre: tuple[Value, ...] = ()
    """Where the beam hits: row and column in pixels."""
    mask: str = ""
    """Path of the mask."""
    mask_means: str = "1 good"
    """What its numbers say; see `Layout.mask_means`."""
    monitor: str = ""
    """Path of the flux per frame."""
    stacked: tuple[str, ...] = ()
    """Paths of energies or angles: as many as the first axis is long, if it is none of the scan."""
    joined: bool = False
    """Whether the frames lie in several datasets, one after the other."""
    reversed_axes: bool = False
    """Whether rows and columns are the last axis and the last but one, as MATLAB writes them."""
    layout: Mapping[str, Any] = field(default_factory=dict)
    """How such frames are read, where the person does not say it."""
    notes: tuple[str, ...] = ()
    """What is to be said about every such file."""
