"""What was found, as files for others: tables and curves as CSV, maps as pictures and data."""

import csv
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from napari_ptycho import io
from napari_ptycho.assess.plane import Pair
from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.model import Curve

PNG, TIFF, HDF5 = (".png",), (".tif", ".tiff"), (".h5", ".hdf5")
MAP_FILTER = "Picture (*.png);;TIFF (*.tif);;HDF5 (*.h5)"
"""For the dialog that asks where to write a map."""
CSV_FILTER = "CSV (*.csv)"
DIGITS = 10


def write_table(
    path: str | os.PathLike[str], columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> None:
    """Write a table as CSV (UTF-8); None and NaN are empty cells.

    Args:
        path: The file to write.
        columns: One title per column, with its unit.
        rows: One value per column each.

    Raises:
        OptionsError: A row has not as many values as there are columns.
        FileError: The folder is missing or the disk is full.
    """
    for number, row in enumerate(rows, 1):
        if len(row) != len(columns):
            raise OptionsError(
                f"row {number} has {len(row)} values; need {len(columns)}, one per column"
            )
    from napari_ptycho.io.atomic import written  # brings h5py

    with written(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([_cell(value) for value in row] for row in rows)


def write_curves(path: str | os.PathLike[str], curves: Sequence[Curve]) -> None:
    """Write curves as CSV: the columns of each beside those of the one before.

    A curve has a column for x, unless it has the x of the curve before it, one for y and one for
    each of its thresholds. Shorter ones end in empty cells.

    Args:
        path: The file to write.
        curves: At least one.

    Raises:
        OptionsError: There is no curve.
        FileError: The folder is missing or the disk is full.
    """
    if not curves:
        raise OptionsError("there is no curve to write; need at least one")
    titles: list[str] = []
    columns: list[NDArray[np.float64]] = []
    before: Curve | None = None
    for number, curve in enumerate(curves, 1):
        name = curve.label or f"curve {number}"
        if before is None or not _same_x(before, curve):
            titles.append(_title(name, "x", curve.x_unit))
            columns.append(curve.x)
        titles.append(_title(name, "y", curve.y_unit))
        columns.append(curve.y)
        for key, values in curve.thresholds.items():
            titles.append(f"{name}: threshold {key}")
            columns.append(values)
        before = curve
    most = max(len(column) for column in columns)
    rows = [[column[i] if i < len(column) else None for column in columns] for i in range(most)]
    write_table(path, titles, rows)


class MapFields(TypedDict):
    """What is said of a map beside its values."""

    pixel_m: Pair | None
    """Pixel (height, width) in metres, None where unknown."""
    title: str
    """What it shows."""
    unit: str
    """Of its values."""
    limits: Pair
    """Values at the ends of the colour bar; for the picture."""
    colormap: str
    """A name that matplotlib knows; for the picture."""
    about: Mapping[str, Any]
    """How it came about: plain values."""


def write_map(
    path: str | os.PathLike[str], image: NDArray[Any], **fields: Unpack[MapFields]
) -> None:
    """Write a map; the ending of the path says how.

    ".png" is a picture with title, scale bar and colour bar. ".tif" holds the values in single
    precision, pixel, unit and `about` in its description. ".h5" holds them with attributes.

    Args:
        path: The file to write.
        image: (H, W) real; NaN where it means nothing.
        **fields: All of `MapFields`.

    Raises:
        FileError: The ending is another, the folder is missing, or the disk is full.
        OptionsError: There is no such colormap.
    """
    pixel_m, about = fields["pixel_m"], fields["about"]
    title, unit = fields["title"], fields["unit"]
    name = Path(path)
    ending = name.suffix.lower()
    if ending in PNG:
        from napari_ptycho.assess.figure import map_figure
        from napari_ptycho.io.atomic import written

        figure = map_figure(image, pixel_m, title, unit, fields["limits"], fields["colormap"])
        with written(path) as temporary:
            figure.savefig(temporary, format="png", facecolor=figure.get_facecolor())
    elif ending in TIFF:
        pixel = None if pixel_m is None else list(pixel_m)
        io.write_image(image, path, {"title": title, "unit": unit, "pixel_size_m": pixel, **about})
    elif ending in HDF5:
        from napari_ptycho.io import maps

        maps.write_map(image, path, pixel_m=pixel_m, title=title, unit=unit, about=about)
    else:
        known = ", ".join((*PNG, *TIFF, *HDF5))
        raise FileError(f"{name.name}: maps are written to {known}; the name must end so")


def _title(name: str, axis: str, unit: str) -> str:
    return f"{name}: {axis} ({unit})" if unit else f"{name}: {axis}"


def _same_x(one: Curve, two: Curve) -> bool:
    return one.x_unit == two.x_unit and np.array_equal(one.x, two.x)


def _cell(value: object) -> object:
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return ""
    if isinstance(value, float | np.floating):
        return f"{value:.{DIGITS}g}"
    return value
