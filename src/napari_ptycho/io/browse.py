"""What lies in an HDF5 file, and which of it may be frames and positions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from napari_ptycho.errors import FileError
from napari_ptycho.io import candidates, hdf5
from napari_ptycho.io.candidates import Candidate
from napari_ptycho.io.files import HDF5, existing, kind_of, read_head, translated
from napari_ptycho.io.guess import first_layout
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.tree import Node, Walk

__all__ = ["Candidate", "Contents", "Node", "contents", "positions_for"]

MOST_READ = 2_000_000
"""Numbers of a candidate that are looked at."""


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
    notes: tuple[str, ...] = ()
    """What is not listed, in sentences."""


def contents(path: Path) -> Contents:
    """Look into an HDF5 file.

    Raises:
        FileError: It is absent, no HDF5, or damaged.
    """
    path = Path(path)
    with _open(path) as file, translated(path):
        walk = Walk(file)
        walk.run()
        nodes = tuple(walk.nodes)
        found = candidates.frames(_without_doubles(walk))
        places = _places(file, walk, found[0].paths[0]) if found else ()
        layout = first_layout(nodes, found, places)
    return Contents(path, nodes, found, places, layout, tuple(walk.notes))


def positions_for(path: Path, frames: str) -> tuple[Candidate, ...]:
    """Return the candidates for positions of other frames than the best.

    Raises:
        FileError: It is absent, no HDF5, or damaged.
    """
    with _open(Path(path)) as file, translated(Path(path)):
        walk = Walk(file)
        walk.run()
        return _places(file, walk, frames.strip("/"))


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    kind = kind_of(read_head(existing(path)))
    if kind not in (HDF5, None):
        raise FileError(f"{path.name}: is a {kind} file; only HDF5 files have a tree to browse")
    with hdf5.open_file(path) as file:
        yield file


def _without_doubles(walk: Walk) -> list[Node]:
    """Return the datasets, of those that several links lead to the one that is no link."""
    best: dict[tuple[int, int], Node] = {}
    for node in walk.nodes:
        place = walk.places.get(node.path)
        if place is None:
            continue
        known = best.get(place)
        if known is None or (known.link and not node.link):
            best[place] = node
    return list(best.values())


def _places(file: h5py.File, walk: Walk, frames: str) -> tuple[Candidate, ...]:
    shape = next((node.shape for node in walk.nodes if node.path == frames), ())
    if len(shape) < 3:
        return ()
    others = [node for node in _without_doubles(walk) if node.path != frames]
    found: list[Candidate] = []
    for axes in ("last", "first"):
        scan = shape[:-2] if axes == "last" else shape[2:]
        for n in dict.fromkeys(candidates.counts_of(shape, axes)):
            if n > 1 and not (axes == "first" and found):
                found += candidates.positions(others, scan, n)
    return candidates.ranked(_seen(file, one) for one in found)


def _seen(file: h5py.File, candidate: Candidate) -> Candidate:
    """Return a candidate with less of a score if its numbers make no positions."""
    doubts = [doubt for path in candidate.paths if (doubt := _doubt(file, path))]
    if not doubts:
        return candidate
    score = round(candidate.score * 0.3, 3)
    return replace(candidate, score=score, why=f"{candidate.why}, but {doubts[0]}")


def _doubt(file: h5py.File, path: str) -> str:
    """Return why a dataset holds no positions, "" if nothing speaks against it."""
    try:
        with translated(Path(file.filename)):
            dataset = hdf5.find(file, path)
            if dataset is None or dataset.size > MOST_READ:
                return ""
            numbers = np.asarray(dataset[()], np.float64)
    except FileError:
        return "it cannot be read"
    numbers = numbers[np.isfinite(numbers)]
    if not numbers.size:
        return "it holds no finite number"
    return "it does not change" if np.ptp(numbers) == 0 else ""
