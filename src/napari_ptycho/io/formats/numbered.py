"""Folders with one file per frame: which files belong together, in which order, with what table."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_ptycho.io.draft import Request

TABLES = (".csv", ".txt", ".dat")


def largest_set(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the largest set of files whose names differ by a number, in order; and the rest.

    The number is the longest run of digits that is not the same in all of the set.
    """
    sets: dict[str, list[Path]] = {}
    for path in paths:
        sets.setdefault(re.sub(r"\d+", "#", path.name), []).append(path)
    largest = max(sets.values(), key=len, default=[])
    others = sorted(set(paths) - set(largest))
    key = order(largest)
    return sorted(largest, key=lambda path: key(path.name)), others


def order(paths: Sequence[Path]) -> Callable[[str], tuple[int, ...]]:
    """Return the sort key of a set's names: the number of the frame, then all numbers in it."""
    runs = np.array([re.findall(r"\d+", path.name) for path in paths], dtype=object)
    if runs.size == 0:
        return lambda name: ()
    lengths = [max(map(len, column)) if len(set(column)) > 1 else 0 for column in runs.T.tolist()]
    first = int(np.argmax(lengths))

    def key(name: str) -> tuple[int, ...]:
        numbers = [int(run) for run in re.findall(r"\d+", name)]
        return (numbers[first], *numbers)

    return key


def with_table(folder: Path, request: Request, notes: list[str]) -> Request:
    """Return a request with the positions in the one table of a folder that is called positions*.

    Those that the caller names come first.
    """
    layout = request.layout
    if request.positions is not None or layout.raster_rows or layout.raster_columns:
        return request
    tables = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in TABLES and path.name.lower().startswith("positions")
    ]
    if len(tables) != 1:
        return request
    notes.append(f"The positions were read from {tables[0].name}, which lies with the frames.")
    return replace(request, positions=tables[0])
