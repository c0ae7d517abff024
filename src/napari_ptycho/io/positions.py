"""Positions that do not lie with the frames: second files, rasters; and what a person corrects."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from napari_ptycho.errors import ScanError
from napari_ptycho.io.layout import Layout
from napari_ptycho.model.arrays import Floats


@dataclass(frozen=True)
class Places:
    """Probe positions as they were found."""

    values: Floats
    """(n, 2) (y, x) in `unit`."""
    unit: str
    """m or px."""
    source: str = ""
    """Where they came from: "file: ..." or "user"; empty where the draft knows."""
    notes: list[str] = field(default_factory=list)


def read_positions(path: Path, layout: Layout, n: int) -> Places:
    """Read the positions of n frames from a file of their own: HDF5, CSV, TXT, NPY.

    Args:
        path: The file.
        layout: Paths or columns, unit and order where the person says them.
        n: Number of frames, by which (2, n) is told from (n, 2).

    Raises:
        FileError: The file is absent, broken, or of no known kind.
        ScanError: It holds no positions.
    """
    raise NotImplementedError


def raster(layout: Layout, n: int) -> Places:
    """Return the positions of a raster of n frames, row by row, by its steps.

    Raises:
        ScanError: Rows and columns do not make n frames, or no step is given.
    """
    rows = layout.raster_rows
    columns = layout.raster_columns or -(-n // rows)
    if rows * columns < n:
        raise ScanError(f"a raster of {rows} x {columns} has no place for {n} frames")
    row, column = np.divmod(np.arange(n), columns)
    if layout.snake:
        column = np.where(row % 2, columns - 1 - column, column)
    step = np.array([layout.step_y, layout.step_x or layout.step_y])
    return Places(np.stack([row, column], axis=1) * step, "px", "user")


def arranged(places: Places, layout: Layout) -> Places:
    """Return positions with the corrections of a person: order, signs, rotation, scale."""
    values = places.values
    if layout.flip_y or layout.flip_x:
        values = values * np.where([layout.flip_y, layout.flip_x], -1.0, 1.0)
    return replace(places, values=values)
