"""Which datasets of a tree may be frames, and which may be positions for them, best first."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from napari_ptycho.io.hdf5 import LENGTHS
from napari_ptycho.io.tree import Node

FRAME_NAMES = {
    "data",
    "frames",
    "dp",
    "patterns",
    "diffamp",
    "reciprocal",
    "ptychogram",
    "det_data",
    "det_images",
    "diff",
    "image_img",
    "datacube",
}
NOT_FRAMES = (
    "mask",
    "dark",
    "flat",
    "probe",
    "object",
    "backg",
    "gain",
    "weight",
    "illum",
    "error",
)
PLACE_WORDS = ("pos", "scan", "trans", "motor", "sample", "points", "encoder", "stage", "coord")
SMALLEST_SIDE, USUAL_SIDE = 8, 32
MOST = 20
"""Candidates that are kept."""


@dataclass(frozen=True)
class Candidate:
    """One or two datasets that may be the frames or the positions."""

    paths: tuple[str, ...]
    """One, or (y, x)."""
    score: float
    """0 to 1; the list is in descending order."""
    why: str
    """What speaks for it, in words: "3 axes, whole numbers, called 'data'"."""
    count: int = 0
    """Of positions: of how many frames."""


def is_numeric(node: Node) -> bool:
    """Whether a node is a dataset of real numbers that can be read."""
    kind = np.dtype(node.dtype).kind if _plain(node.dtype) else ""
    return node.kind == "dataset" and kind in ("u", "i", "f") and 0 not in node.shape


def _plain(dtype: str) -> bool:
    return dtype.lstrip("<>=|").startswith(("int", "uint", "float", "i", "u", "f"))


def name_of(path: str) -> str:
    """Return the last part of a path, in lower case."""
    return path.rpartition("/")[2].lower()


def ranked(found: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return candidates in descending order, the first of those with the same paths."""
    best: dict[tuple[str, ...], Candidate] = {}
    for candidate in sorted(found, key=lambda one: -one.score):
        best.setdefault(candidate.paths, candidate)
    return tuple(best.values())[:MOST]


def frames(nodes: Sequence[Node]) -> tuple[Candidate, ...]:
    """Return what may be frames: real numbers, three axes or more, frames of 8 pixels or more."""
    fit = [node for node in nodes if is_numeric(node) and _has_frames(node)]
    largest = max((math.prod(node.shape) for node in fit), default=1)
    return ranked(_as_frames(node, largest) for node in fit)


def _has_frames(node: Node) -> bool:
    shape = node.shape
    ends = min(shape[-2:]) if len(shape) > 2 else 0
    starts = min(shape[:2]) if len(shape) > 2 else 0
    return max(ends, starts) >= SMALLEST_SIDE


def _as_frames(node: Node, largest: int) -> Candidate:
    name = name_of(node.path)
    if name == "data" and "/" in node.path:
        name = f"{name_of(node.path.rpartition('/')[0])}/data"
    whole = np.dtype(node.dtype).kind in "ui"
    points = [(0.15, f"{len(node.shape)} axes")]
    if min(node.shape[-2:]) >= USUAL_SIDE:
        points.append((0.25, f"frames of {node.shape[-2]} x {node.shape[-1]} pixels"))
    if math.prod(node.shape) == largest:
        points.append((0.2, "the largest"))
    if whole:
        points.append((0.15, "whole numbers"))
    if name.rpartition("/")[2] in FRAME_NAMES:
        points.append((0.25, f"called '{node.path.rpartition('/')[2]}'"))
    if any(word in name for word in NOT_FRAMES):
        points.append((-0.4, f"but called '{name}'"))
    if math.prod(node.shape[:-2]) == 1:
        points.append((-0.2, "but a single frame"))
    return _summed((node.path,), points)


def _summed(
    paths: tuple[str, ...], points: Sequence[tuple[float, str]], count: int = 0
) -> Candidate:
    score = min(1.0, max(0.0, sum(value for value, _ in points)))
    why = ", ".join(word for _, word in points if word)
    return Candidate(paths, round(score, 3), why, count)


def counts_of(shape: Sequence[int], frame_axes: str = "last") -> tuple[int, ...]:
    """Return how many positions frames of this shape may have: all, without axis 1, without 2."""
    scan = tuple(shape[2:] if frame_axes == "first" else shape[:-2])
    found = [math.prod(scan)]
    if len(scan) > 1:
        found += [math.prod(scan[1:]), math.prod((scan[0], *scan[2:]))]
    return tuple(found)


def positions(nodes: Sequence[Node], shape: Sequence[int], n: int) -> tuple[Candidate, ...]:
    """Return what may be the positions of n frames: one dataset, or one for y and one for x.

    Args:
        nodes: The tree.
        shape: (ny, nx) or more, the axes of the scan, for positions of its rows and columns.
        n: Number of frames.
    """
    plain = [node for node in nodes if is_numeric(node) and 0 < len(node.shape) < 10]
    found = [_one(node, n) for node in plain if _as_pairs(node.shape, n)]
    for y, x in _couples([node for node in plain if max(node.shape) > 1]):
        if points := _of_couple(y, x, shape, n):
            found.append(_summed((y.path, x.path), points + _named((y, x)), n))
    return ranked(found)


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(length for length in shape if length > 1)


def _as_pairs(shape: Sequence[int], n: int) -> str:
    """Return how (n, 2), (2, n), (n, 3) or (3, n) are stored; "" if the shape is none of them."""
    shape = _squeezed(shape)
    if len(shape) < 2:
        return ""
    if shape[-1] in (2, 3) and math.prod(shape[:-1]) == n:
        return f"{n} x {shape[-1]} numbers"
    if shape[0] in (2, 3) and math.prod(shape[1:]) == n:
        return f"{shape[0]} x {n} numbers"
    return ""


def _one(node: Node, n: int) -> Candidate:
    points = [(0.45, f"{_as_pairs(node.shape, n)} for {n} frames"), *_named((node,))]
    return _summed((node.path,), points, n)


def _named(nodes: Sequence[Node]) -> list[tuple[float, str]]:
    points = []
    if all(np.dtype(node.dtype).kind == "f" for node in nodes):
        points.append((0.05, ""))
    unit = nodes[0].units
    if unit.lower() in LENGTHS:
        points.append((0.2, f"in {unit}"))
    words = [word for word in PLACE_WORDS if all(word in node.path.lower() for node in nodes)]
    if words:
        points.append((0.2, f"called '{name_of(nodes[0].path)}'"))
    return points


def _of_couple(y: Node, x: Node, shape: Sequence[int], n: int) -> list[tuple[float, str]]:
    """Return what speaks for two datasets as y and x, nothing if their sizes do not fit."""
    size_y, size_x = math.prod(y.shape), math.prod(x.shape)
    one_line = len(_squeezed(y.shape)) == len(_squeezed(x.shape)) == 1
    if size_y == size_x == n:
        return [(0.5, f"two of {n} numbers for {n} frames")]
    if one_line and size_y * size_x == n:
        rows = tuple(_squeezed(shape)) == (size_y, size_x)
        return [(0.5 if rows else 0.3, f"{size_y} rows x {size_x} columns = {n} frames")]
    off = abs(size_y - n)
    if size_y == size_x and one_line and off <= max(3, n // 50):
        return [(0.2, f"two of {size_y} numbers, but {n} frames")]
    if size_y == size_x and n > 8 and size_y > n and size_y % n == 0 and size_y // n <= 100:
        return [(0.15, f"two of {size_y} numbers, {size_y // n} for each of {n} frames")]
    return []


def _couples(nodes: Sequence[Node]) -> list[tuple[Node, Node]]:
    """Return pairs whose paths differ only in y (or z) here and x there."""
    alike: dict[str, list[Node]] = {}
    for node in nodes:
        key = "".join("?" if letter in "xyz" else letter for letter in node.path.lower())
        alike.setdefault(key, []).append(node)
    pairs = []
    for group in alike.values():
        for one, other in combinations(group[:50], 2):
            for first, second in ((one, other), (other, one)):
                if _differ(first.path.lower(), second.path.lower()):
                    pairs.append((first, second))
    return pairs


def _differ(y: str, x: str) -> bool:
    differing = {pair for pair in zip(y, x, strict=True) if pair[0] != pair[1]}
    return differing in ({("y", "x")}, {("z", "x")})
