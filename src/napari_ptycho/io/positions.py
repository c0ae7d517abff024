"""Positions that do not lie with the frames: second files, rasters; and what a person corrects."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io import candidates, hdf5, places, tables
from napari_ptycho.io.archive import Archive, open_archive
from napari_ptycho.io.files import (
    BZ2,
    GZIP,
    HDF5,
    NPY,
    ZIP,
    existing,
    kind_of,
    read_head,
    stranger,
    translated,
)
from napari_ptycho.io.formats.beamline_table import BEAMLINES
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.places import Places
from napari_ptycho.io.tracks import COMMON, Track, Wanted, places_of
from napari_ptycho.io.tree import Walk
from napari_ptycho.io.twins import best_twins

SINGLE = {"positions_m": "m", "positions_px": "px", "positions": "", "scan": "", "position": ""}
"""Of NumPy archives: name -> unit."""
SURE = 0.3
"""Score of a candidate from which it is taken."""

__all__ = ["Places", "arranged", "raster", "read_positions"]


def read_positions(path: Path, layout: Layout, n: int, growing: bool = False) -> Places:
    """Read the positions of n frames from a file of their own: HDF5, CSV, TXT, NPY.

    Args:
        path: The file.
        layout: Paths or columns, unit and order where the person says them.
        n: Number of frames, by which (2, n) is told from (n, 2).
        growing: Whether the file may still be written: then only whole lines of text count.

    Raises:
        FileError: The file is absent, broken, or of no known kind.
        ScanError: It holds no positions.
    """
    path = existing(path)
    head = read_head(path)
    kind = kind_of(head)
    with translated(path):
        if kind == HDF5:
            with hdf5.open_file(path, growing) as file:
                return _in_hdf5(file, layout, n)
        if kind in (ZIP, NPY, BZ2, GZIP):
            with open_archive(path, str(kind)) as archive:
                return _in_arrays(archive, layout, n)
        what = f"a {kind} file" if kind else stranger(head)
        if what not in ("a text file", "of an unknown kind"):
            raise FileError(
                f"{path.name}: this is {what}; positions are read from HDF5, CSV, TXT, NPY and NPZ"
            )
        return tables.read_table(path, layout, n, growing)


def _in_hdf5(file: h5py.File, layout: Layout, n: int) -> Places:
    name = Path(file.filename).name
    wanted = Wanted(layout, n, label=f"{name}:/")
    # Names at the root are too common to be taken for those of a beamline.
    theirs = (track for line in BEAMLINES for track in line.tracks if "/" in track.y)
    tracks = _said(layout) or [*COMMON, *theirs]
    found = places_of(file, tracks, wanted)
    if found is None and not _said(layout):
        found = places_of(file, _likely(file, n), wanted)
    if found is None:
        asked = " or ".join(f"'{track.y}'" for track in _said(layout))
        raise ScanError(
            f"{name}: holds no {asked or f'positions of {n} frames that are known by their names'}"
            "; say which dataset (or which two, y and x) they are"
        )
    return found


def _said(layout: Layout) -> list[Track]:
    """Return what the person names: one dataset, or two."""
    if layout.positions:
        return [Track(layout.positions)]
    if layout.positions_y and layout.positions_x:
        return [Track(layout.positions_y, layout.positions_x)]
    return []


def _likely(file: h5py.File, n: int) -> list[Track]:
    """Return what its sizes and names make the positions of n frames, the best first."""
    walk = Walk(file)
    walk.run()
    ranked = candidates.positions(walk.nodes, (), n)
    paths = [candidate.paths for candidate in ranked if candidate.score >= SURE]
    return [Track(path[0], path[-1] if len(path) > 1 else "") for path in paths]


def _in_arrays(archive: Archive, layout: Layout, n: int) -> Places:
    """Return the positions in an .npy or .npz file."""
    name = archive.path.name
    if archive.is_bare:
        return _single(archive, "", name, layout, n)
    asked = [layout.positions_y, layout.positions_x]
    pair = tuple(asked) if all(asked) else None
    single = layout.positions or next((one for one in SINGLE if one in archive), "")
    if pair is None and not single:
        sizes = {one: int(np.prod(archive.header(one).shape)) for one in archive.names}
        pair = best_twins(sizes, n)
    lost = [one for one in (pair or (single,)) if one not in archive]
    if lost:
        raise ScanError(
            f"{name}: holds no positions{f' {lost[0]!r}' if lost[0] else ''}; it has "
            f"{', '.join(archive.names[:10])}"
        )
    if pair is None:
        return _single(archive, single, f"{name}:{single}", layout, n)
    what = f"{name}:{pair[0]} and {name}:{pair[1]}"
    values = places.meshed(archive.load(pair[0]), archive.load(pair[1]), n, what)
    return places.measured(values, places.unit_in(pair[0]), layout, what)


def _single(archive: Archive, name: str, what: str, layout: Layout, n: int) -> Places:
    values = places.ordered(places.stacked(archive.load(name), n, what), "yx", layout)
    return places.measured(values, places.unit_in(name) or SINGLE.get(name, ""), layout, what)


def raster(layout: Layout, n: int) -> Places:
    """Return the positions of a raster of n frames, row by row, by its steps.

    Raises:
        ScanError: Rows and columns do not make n frames, or no step is given.
    """
    rows = layout.raster_rows or -(-n // max(1, layout.raster_columns))
    columns = layout.raster_columns or -(-n // rows)
    if rows * columns < n:
        raise ScanError(f"a raster of {rows} x {columns} has no place for {n} frames")
    step = np.array([layout.step_y or layout.step_x, layout.step_x or layout.step_y])
    if not step.all():
        raise ScanError(f"a raster of {rows} x {columns} needs the step between its places")
    row, column = np.divmod(np.arange(n), columns)
    if layout.snake:
        column = np.where(row % 2, columns - 1 - column, column)
    unit = "px" if layout.position_unit == "auto" else layout.position_unit
    factor = 1.0 if unit == "px" else places.metres_per(unit) or 1.0
    path = "to and fro" if layout.snake else "row by row"
    notes = [
        f"The positions are a raster of {rows} x {columns}, {path}, in steps of {step} {unit}."
    ]
    if layout.position_unit == "auto":
        notes.append("Its steps have no unit and were taken as object pixels.")
    if rows * columns > n:
        notes.append(f"The raster has {rows * columns} places for {n} frames; its end is missing.")
    values = np.stack([row, column], axis=1) * step * factor
    return Places(values, "px" if unit == "px" else "m", "user", notes)


def arranged(found: Places, layout: Layout) -> Places:
    """Return positions with the corrections of a person: order, signs, rotation, scale."""
    values, done = found.values, []
    if layout.position_order == "xy":
        values = values[:, ::-1]
        done.append("the first column taken as x")
    signs = np.where([layout.flip_y, layout.flip_x], -1.0, 1.0)
    if (signs < 0).any():
        values = values * signs
        done.append(f"the signs multiplied by {signs} (y, x)")
    if layout.rotate_deg:
        angle = np.deg2rad(layout.rotate_deg)
        cos, sin = np.cos(angle), np.sin(angle)
        # Columns are (y, x): an angle from x towards y takes x to x cos and y sin.
        values = values @ np.array([[cos, -sin], [sin, cos]])
        done.append(f"turned by {layout.rotate_deg:g} degrees from x towards y")
    if layout.position_scale != 1:
        values = values * layout.position_scale
        done.append(f"multiplied by {layout.position_scale:g}")
    if not done:
        return found
    note = f"The positions were changed as asked: {', '.join(done)}."
    return replace(found, values=values, notes=[*found.notes, note])
