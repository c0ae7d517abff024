"""Positions in HDF5 files at known places: which datasets, which unit, which sign."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.formats import stored
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.places import (
    Places,
    by_frame,
    first_that_moves,
    in_unit_of,
    measured,
    meshed,
    ordered,
    stacked,
    unit_in,
)

MOST_GROUPS = 10_000
"""Members of one group that a pattern is held against."""


@dataclass(frozen=True)
class Track:
    """A place where positions are."""

    y: str
    """Path, which may hold * in its parts; of one dataset with columns where there is no `x`."""
    x: str = ""
    """Path of the columns' positions."""
    unit: str = ""
    """Of numbers that say none themselves."""
    order: str = "yx"
    """Which of two columns comes first."""
    signs: tuple[float, float] = (1.0, 1.0)
    """Of (y, x), so that the probe's motion over the object comes out."""
    skip: int = 0
    """Columns of one dataset before those two, where it has so many more."""
    index: str = ""
    """Path of the frames' numbers."""
    note: str = ""
    """What is to be said about it."""


COMMON = (
    Track("probe_position_y_m", "probe_position_x_m", "m", index="probe_position_indexes"),
    Track("ppY", "ppX", "m"),
    Track("entry_1/data_1/translation", unit="m", order="xy"),
    Track("entry_1/sample_1/geometry_1/translation", unit="m", order="xy"),
    Track("entry_1/instrument_1/detector_1/translation", unit="m", order="xy"),
    Track("encoder", unit="m"),
    Track("positions_m", unit="m"),
    Track("positions_px", unit="px"),
    Track("positions"),
    Track("position"),
    Track("pos"),
    Track("scan"),
    Track(
        "points",
        unit="um",
        order="xy",
        note="`points` was read as x, then y, as ptycho_gui writes it; holoptycho has y first.",
    ),
)
"""Of programs; beamlines have theirs in their table."""


def expanded(file: h5py.Group, pattern: str) -> list[str]:
    """Return the paths that fit a pattern, in the order of names; the last may be a broken link."""
    paths = [""]
    for part in pattern.strip("/").split("/"):
        longer = []
        for path in paths:
            group = file.get(path) if path else file
            if isinstance(group, h5py.Group):
                longer += [f"{path}/{name}".strip("/") for name in _members(group, part)]
        paths = longer
    return paths


def _members(group: h5py.Group, part: str) -> list[str]:
    if not any(mark in part for mark in "*?["):
        return [part] if part in group else []
    if len(group) > MOST_GROUPS:
        return []
    return sorted(name for name in group if fnmatchcase(name, part))


@dataclass(frozen=True)
class Part:
    """One place on an axis that is neither scan nor frame: an energy, an angle."""

    shape: tuple[int, ...]
    """Of the scan axes and that one."""
    axis: int
    """Its number among them."""
    index: int
    """The place."""

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return what belongs to that place of numbers that have this axis; others as they are."""
        squeezed = values.reshape([length for length in values.shape if length != 1])
        if squeezed.shape == tuple(length for length in self.shape if length != 1):
            return np.take(values.reshape(self.shape), self.index, self.axis)
        return values


@dataclass(frozen=True)
class Wanted:
    """For which frames positions are looked for, and what the person says of them."""

    layout: Layout
    n: int
    """Number of frames."""
    grid: tuple[int, ...] = ()
    """Scan axes of the frames, where they are not flat."""
    label: str = "/"
    """In front of paths, as the person reads them: "second.h5:/"."""
    part: "Part | None" = None
    """Of positions for all energies or angles, those that are wanted."""


def places_of(file: h5py.File, tracks: Iterable[Track], wanted: Wanted) -> Places | None:
    """Return positions from the first track that is there and moves, None if none is there.

    Raises:
        ScanError: All that are there make no positions; the first says why.
        FileError: A link is broken, a filter or a virtual source is missing.
    """
    problems: list[ScanError] = []

    def readable() -> Iterator[Places]:
        for track in tracks:
            for y, x in _pairs(file, track):
                try:
                    found = _read(file, (y, x), track, wanted)
                except ScanError as problem:
                    problems.append(problem)
                    continue
                if found is not None:
                    yield found

    found = first_that_moves(readable())
    if found is None and problems:
        raise problems[0]
    return found


def _pairs(file: h5py.File, track: Track) -> list[tuple[str, str]]:
    ys = expanded(file, track.y)
    if not track.x:
        return [(y, "") for y in ys]
    return list(zip(ys, expanded(file, track.x), strict=False))


def _read(file: h5py.File, paths: tuple[str, str], track: Track, wanted: Wanted) -> Places | None:
    first = hdf5.find(file, paths[0])
    second = hdf5.find(file, paths[1]) if paths[1] else None
    if first is None or (paths[1] and second is None):
        return None
    what = f"{wanted.label}{paths[0]}"
    if second is None:
        columns = stacked(stored.numbers(first), wanted.n, what)
        skip = track.skip if columns.shape[1] > 2 else 0
        values = ordered(columns[:, skip:], track.order, wanted.layout)
    else:
        what += f" and {wanted.label}{paths[1]}"
        y, x = (_part(wanted, stored.numbers(dataset)) for dataset in (first, second))
        if wanted.layout.position_unit == "auto":
            x = in_unit_of(x, hdf5.unit(second), hdf5.unit(first))
        values = meshed(y, x, wanted.n, what, wanted.grid)
    values, notes = values * np.array(track.signs), [track.note] if track.note else []
    index = hdf5.find(file, track.index) if track.index else None
    if index is not None and index.size == len(values):
        values, said = by_frame(values, np.ravel(stored.numbers(index)), wanted.n)
        notes += said
    told = hdf5.unit(first) or unit_in(paths[0])
    if track.unit and not told and wanted.layout.position_unit == "auto":
        told = track.unit
        notes.append(f"{what} says no unit; {told} was taken, as such files have it.")
    places = measured(values, told, wanted.layout, what)
    places.notes[:0] = notes
    return places


def _part(wanted: Wanted, values: NDArray[Any]) -> NDArray[Any]:
    return values if wanted.part is None else wanted.part.of(values)
