"""The tree of an HDF5 file: every name in it, links and broken parts included."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_ptycho.errors import FileError
from napari_ptycho.io import hdf5
from napari_ptycho.io.files import translated

MOST_NODES, MOST_MEMBERS, DEEPEST = 5000, 1000, 60
"""Of the whole tree, of one group, and levels: what is beyond is not listed, and that is said."""
LONGEST_TEXT = 200
FILTERS = {
    1: "gzip",
    2: "shuffle",
    3: "fletcher32",
    4: "szip",
    5: "nbit",
    6: "scale-offset",
    32000: "lzf",
    32001: "Blosc",
    32004: "LZ4",
    32008: "bitshuffle",
    32013: "zfp",
    32015: "Zstd",
    32026: "Blosc2",
}
"""Number that the HDF Group registered -> name."""
INSIDE_BITSHUFFLE = {2: "-LZ4", 3: "-Zstd"}


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
    """Why it cannot be read; empty if it can. Of a group: which part of it is not listed."""


@dataclass
class Walk:
    """A tree as far as it was walked, every group once."""

    file: h5py.File
    nodes: list[Node] = field(default_factory=list)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Path of each dataset -> (file, address) it lies at: links to one dataset share it."""
    notes: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Go through the file level by level, so that a cut tree lacks its depths only.

        Nodes are then in the order of a listing: parents before children, members by their names.
        """
        seen = {_place(self.file)}
        waiting = deque([self._members(self.file, "")])
        while waiting:
            for node in waiting.popleft():
                if len(self.nodes) == MOST_NODES:
                    self.notes.append(f"Only {MOST_NODES} entries of the file are listed.")
                    waiting.clear()
                    break
                below: list[Iterator[Node]] = []
                try:
                    with translated(self.path):
                        if node.kind == "group":
                            node, below = self._entered(node, seen)
                except FileError as error:
                    node = replace(node, kind="missing", problem=self._told(error))
                waiting += below
                self.nodes.append(node)
        self.nodes.sort(key=lambda node: node.path.split("/"))

    def _entered(self, node: Node, seen: set[tuple[int, int]]) -> tuple[Node, list[Iterator[Node]]]:
        """Return the line of a group, and its members unless they are listed elsewhere."""
        group = self.file[node.path]
        place = _place(group)
        if place in seen:
            return replace(node, link=node.link or "listed elsewhere"), []
        if isinstance(self.file.get(node.path, getlink=True), h5py.SoftLink):
            return node, []  # what it points to is listed where it lies
        seen.add(place)
        if node.path.count("/") >= DEEPEST - 1:
            return replace(node, problem=f"deeper than {DEEPEST} levels; not listed"), []
        if len(group) > MOST_MEMBERS:
            cut = f"has {len(group)} entries; the first {MOST_MEMBERS} are listed"
            node = replace(node, problem=cut)
        return node, [self._members(group, f"{node.path}/")]

    def _members(self, group: h5py.Group, above: str) -> Iterator[Node]:
        try:
            with translated(self.path):
                names = list(islice(group, MOST_MEMBERS))
        except FileError as error:
            self.notes.append(f"'{above or '/'}' is damaged: {self._told(error)}")
            return
        for name in names:
            yield self._node(group, name, above + name)

    def _told(self, error: FileError) -> str:
        """Return an error without the name of the file, which all of the tree shares."""
        return str(error).removeprefix(f"{self.path.name}: ")

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.file.filename)

    def _node(self, group: h5py.Group, name: str, path: str) -> Node:
        link = ""
        try:
            with translated(self.path):
                link = _link(group.get(name, getlink=True))
                found = group.get(name)
                if isinstance(found, h5py.Dataset):
                    self.places[path] = _place(found)
                    return self._dataset(found, path, link)
                if found is None:
                    hdf5.find(self.file, path)  # says what is broken
                    return Node(path, "missing", link=link, problem="cannot be opened")
                if isinstance(found, h5py.Group):
                    return Node(path, "group", link=link)
                return Node(path, "dataset", dtype="a named type", link=link)
        except FileError as error:
            return Node(path, "missing", link=link, problem=self._told(error))

    def _dataset(self, dataset: h5py.Dataset, path: str, link: str) -> Node:
        node = Node(
            path,
            "dataset",
            shape=tuple(int(length) for length in dataset.shape or ()),
            dtype=_dtype(dataset.dtype),
            chunks=tuple(dataset.chunks or ()),
            filters=_filters(dataset),
            link=link or _sources(dataset),
            units=hdf5.unit(dataset),
        )
        try:
            with translated(self.path):
                if node.filters or dataset.is_virtual:
                    hdf5.find(self.file, path)  # says what is missing
                return replace(node, value=_value(dataset))
        except FileError as error:
            return replace(node, kind="missing", problem=self._told(error))


def _place(thing: Any) -> tuple[int, int]:
    info = h5py.h5o.get_info(thing.id)
    return int(info.fileno), int(info.addr)


def _link(link: Any) -> str:
    if isinstance(link, h5py.ExternalLink):
        return f"{link.filename}:{link.path}"
    return str(link.path) if isinstance(link, h5py.SoftLink) else ""


def _dtype(dtype: np.dtype[Any]) -> str:
    if h5py.check_string_dtype(dtype) is not None:
        return "text"
    if dtype.names:
        return f"compound ({', '.join(dtype.names)})"
    return str(dtype)


def _filters(dataset: h5py.Dataset) -> tuple[str, ...]:
    properties = dataset.id.get_create_plist()
    words = []
    for index in range(properties.get_nfilters()):
        code, _, values, _ = properties.get_filter(index)
        name = FILTERS.get(code, f"filter {code}")
        if code == 1 and values:
            name += f" {values[0]}"
        if code == 32008 and len(values) > 4:
            name += INSIDE_BITSHUFFLE.get(values[4], "")
        words.append(name)
    return tuple(words)


def _sources(dataset: h5py.Dataset) -> str:
    if not dataset.is_virtual:
        return ""
    names = dict.fromkeys(
        f"{'' if source.file_name == '.' else source.file_name}:{source.dset_name}"
        for source in dataset.virtual_sources()
    )
    more = f", and {len(names) - 3} more" if len(names) > 3 else ""
    return f"virtual, of {', '.join(list(names)[:3])}{more}"


def _value(dataset: h5py.Dataset) -> str:
    """Return what a scalar holds, or an array of one number."""
    if dataset.shape is None:
        return "nothing"
    small = dataset.dtype.itemsize <= 4096
    if dataset.size != 1 or not small or dataset.dtype.kind not in "uifbcOS":
        return ""
    value = np.ravel(dataset[()])[0]
    if isinstance(value, bytes | str):
        text = hdf5.text(value)
        return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."
    return "" if dataset.dtype.kind == "O" else str(value)
