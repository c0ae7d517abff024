"""What lies in an HDF5 file, and which of it may be frames and positions."""

from dataclasses import dataclass
from pathlib import Path

from napari_ptycho.io.layout import Layout


@dataclass(frozen=True)
class Node:
    """A line of the tree."""

    path: str
    """From the root, without a leading slash."""
    kind: str
    """"group", "dataset", "missing" (a broken link, a missing filter or part)."""
    shape: tuple[int, ...] = ()
    dtype: str = ""
    chunks: tuple[int, ...] = ()
    """Empty: not chunked."""
    filters: tuple[str, ...] = ()
    """In words: "gzip 4", "bitshuffle-LZ4"."""
    link: str = ""
    """Where a soft or external link points to, or the files of a virtual dataset."""
    units: str = ""
    value: str = ""
    """Of a scalar or a short text, as a person reads it."""
    problem: str = ""
    """Why it cannot be read; empty if it can."""


@dataclass(frozen=True)
class Candidate:
    """One or two datasets that may be the frames or the positions."""

    paths: tuple[str, ...]
    """One, or (y, x)."""
    score: float
    """0 to 1; the list is in descending order."""
    why: str
    """What speaks for it, in words: "3 axes, whole numbers, called 'data'"."""


@dataclass(frozen=True)
class Contents:
    """What the browser shows of a file before anything is chosen."""

    file: Path
    nodes: tuple[Node, ...]
    """All of the tree, parents before children."""
    frames: tuple[Candidate, ...]
    positions: tuple[Candidate, ...]
    """For the best frames."""
    layout: Layout
    """What to begin with: the best of both, with units where the file says them."""


def contents(path: Path) -> Contents:
    """Look into an HDF5 file.

    Raises:
        FileError: It is absent, no HDF5, or damaged.
    """
    raise NotImplementedError


def positions_for(path: Path, frames: str) -> tuple[Candidate, ...]:
    """Return the candidates for positions of other frames than the best.

    Raises:
        FileError: It is absent, no HDF5, or damaged.
    """
    raise NotImplementedError
