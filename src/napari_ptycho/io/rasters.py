"""Frames without positions that came row by row: which rasters fit, and what to ask for."""

from dataclasses import replace

import numpy as np

from napari_ptycho.errors import NeedsPositions
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Floats

MOST_SHOWN = 3
LONGEST = 8
"""Of sides (long / short) of a raster that is proposed."""


def fitting(n: int) -> list[tuple[int, int]]:
    """Return the (rows, columns) that make n frames, the squarest first."""
    rows = np.arange(1, int(n**0.5) + 1)
    rows = rows[n % rows == 0][::-1]
    found = [(int(row), n // int(row)) for row in rows if n // row <= LONGEST * row]
    return [pair for short, long in found for pair in {(short, long): 0, (long, short): 0}]


def scan(
    draft: Draft,
    request: Request,
    what: str = "",
    shape: tuple[int, int] | None = None,
) -> Scan:
    """Return the Scan of a draft that may lack positions.

    Args:
        draft: What the format found.
        request: What the caller wants. Where it has steps but no rows, `shape` are the rows.
        what: What the file holds, for the sentence: "an array of shape (9, 9, 64, 64)".
        shape: (rows, columns) of the scan, if the file says them.

    Raises:
        NeedsPositions: There are none; the sentence names the raster that fits.
        ScanError: What was found makes no scan.
    """
    layout = request.layout
    asked = layout.raster_rows or layout.raster_columns
    if shape is not None and (layout.step_y or layout.step_x) and not asked:
        layout = replace(layout, raster_rows=shape[0], raster_columns=shape[1])
        request = replace(request, layout=layout)
    try:
        return draft.scan(request)
    except NeedsPositions as error:
        held = what or f"{draft.patterns.shape[0]} frames"
        raise NeedsPositions(
            f"{draft.file.name}: holds {held} but no positions; give a second file with them "
            f"(HDF5, CSV, TXT, NPY), or the steps of a raster{_of(draft, shape)}"
        ) from error


def _of(draft: Draft, shape: tuple[int, int] | None) -> str:
    if shape is not None:
        return f" of {shape[0]} x {shape[1]}, as the file has it (rows x columns)"
    fit = [f"{rows} x {columns}" for rows, columns in fitting(draft.patterns.shape[0])]
    if not fit:
        return " with its rows and columns"
    return f"; rows x columns that fit: {', '.join(fit[:MOST_SHOWN])}"


def grid(shape: tuple[int, int], steps: tuple[float, float]) -> Floats:
    """Return the (rows * columns, 2) places (y, x) of a raster, row by row.

    Args:
        shape: (rows, columns).
        steps: Between rows, and between columns; the unit of the result.
    """
    rows, columns = np.indices(shape, dtype=np.float64)
    return np.stack([rows.ravel() * steps[0], columns.ravel() * steps[1]], axis=1)
