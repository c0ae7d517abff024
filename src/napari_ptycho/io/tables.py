"""Tables of numbers in text files: CSV, columns with spaces, SPEC, logs of scanning stages."""

import re
import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.places import (
    MOST_VALUES,
    Places,
    by_frame,
    in_unit_of,
    measured,
    ordered,
    unit_in,
    without_unit,
)
from napari_ptycho.io.twins import best_twins
from napari_ptycho.model.arrays import Floats
from napari_ptycho.prepare.text import size as size_text

MOST_BYTES, MOST_LINES, LONGEST_LINE = 64 * 2**20, 2_000_000, 65_536
"""Of a file, and of a row of numbers: more is no list of positions."""
COMMENTS = ("#", "%", ";", "//")
INDEX = ("detector_count", "trigger", "index", "indexes", "frame", "datapoint")
"""Names of columns that number the frames, the best first."""
AGAINST = "st_fzp"
"""In the names of a stage that moves against the probe, in micrometres."""
VELOCIPROBE_COLUMNS = 8
SETTLED_S = 2.0
"""A file that nobody changed for so long has a whole last line."""


@dataclass(frozen=True)
class Table:
    """Rows of numbers and what stands above them."""

    values: Floats
    """(rows, columns)."""
    names: tuple[str, ...]
    """One for each column; empty where the file has none."""
    commas: bool
    """Whether commas part the columns."""


def read_table(path: Path, layout: Layout, n: int, growing: bool = False) -> Places:
    """Read the positions of n frames from a text file.

    Args:
        path: The file.
        layout: Columns, unit and order where the person says them.
        n: Number of frames.
        growing: Whether a last line without an end is still being written, and not read.

    Raises:
        FileError: It is no text, too large, or has a row that is cut short.
        ScanError: It has no two columns of numbers, or lacks a column that the person names.
    """
    table = _chosen(_tables(path, _lines(path, growing)), path, n)
    if layout.positions_y or layout.positions_x:
        return _named(table, layout, path)
    if table.names:
        found = _by_names(table, layout, path, n)
        if found is not None:
            return found
    if table.commas and table.values.shape[1] == VELOCIPROBE_COLUMNS and not table.names:
        return _velociprobe(table, layout, path, n)
    if table.values.shape[1] < 2:
        raise ScanError(f"{path.name}: has one column of numbers; positions need two, y and x")
    usual = "yx" if table.commas else "xy"
    places = measured(ordered(table.values[:, :3], usual, layout), "", layout, path.name)
    if layout.position_order == "auto":
        kind, first = ("commas", "y, then x") if table.commas else ("spaces", "x, then y")
        places.notes.append(
            f"{path.name} does not name its columns; parted by {kind}, they were taken as {first}. "
            "If that is wrong, set the order of the positions."
        )
    return places


def _lines(path: Path, growing: bool) -> list[str]:
    if path.stat().st_size > MOST_BYTES:
        raise FileError(
            f"{path.name}: a text file of {size_text(path.stat().st_size)}; positions need less "
            f"than {size_text(MOST_BYTES)}"
        )
    raw = path.read_bytes()
    if growing and time.time() - path.stat().st_mtime < SETTLED_S:
        raw = raw[: max(raw.rfind(b"\n"), raw.rfind(b"\r")) + 1]
    if b"\0" in raw:
        raise FileError(f"{path.name}: neither HDF5 nor NumPy nor text; no positions can be read")
    if raw.count(b"\n") + raw.count(b"\r") > MOST_LINES:
        raise FileError(f"{path.name}: has more than {MOST_LINES} lines; need positions alone")
    return re.split(r"\r\n?|\n", raw.decode("utf-8-sig", "replace"))


def _tables(path: Path, lines: list[str]) -> list[Table]:
    """Return the runs of rows of numbers; SPEC files have one for each scan."""
    rows = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    commas = any("," in line and _cells(line, True) is not None for _, line in rows)
    tables: list[Table] = []
    names: list[str] = []
    for kind, run in groupby(rows, lambda row: _kind(row[1], commas)):
        block = list(run)
        if kind == "numbers":
            tables.append(_table(path, block, names, commas))
        elif kind == "words":
            names = _split(block[-1][1], commas)
        else:
            labels = [line for _, line in block if line.startswith("#L ")]
            last = block[-1][1].lstrip("#%;/ ")
            names = re.split(r"\s{2,}", labels[-1][3:].strip()) if labels else _split(last, commas)
    return tables


def _kind(line: str, commas: bool) -> str:
    if line.startswith(COMMENTS):
        return "comment"
    return "words" if _cells(line, commas) is None else "numbers"


def _split(line: str, commas: bool) -> list[str]:
    return [cell.strip(" \"'") for cell in (line.split(",") if commas else line.split())]


def _cells(line: str, commas: bool) -> list[float] | None:
    """Return the numbers of a row, NaN for an empty cell; None if it is no row of numbers."""
    if len(line) > LONGEST_LINE:
        return None
    line = line.split("#")[0]
    cells = _split(line, commas)
    if not commas:
        cells = re.split(r"[\s;]+", line.strip(" ;\t"))
    if not any(cells):
        return None
    try:
        return [float(cell) if cell else np.nan for cell in cells]
    except ValueError:
        return None


def _table(path: Path, rows: list[tuple[int, str]], names: list[str], commas: bool) -> Table:
    values = [_cells(line, commas) or [] for _, line in rows]
    width = len(values[0])
    if width * len(values) > MOST_VALUES:
        raise FileError(f"{path.name}: has more than {MOST_VALUES} numbers; need positions alone")
    for (number, _), row in zip(rows, values, strict=True):
        if len(row) != width:
            raise FileError(
                f"{path.name}: line {number} has {len(row)} columns where those above have {width}"
            )
    return Table(np.array(values), tuple(names) if len(names) == width else (), commas)


def _chosen(tables: list[Table], path: Path, n: int) -> Table:
    """Return the one with as many rows as there are frames, else the longest."""
    if not tables:
        raise ScanError(f"{path.name}: holds no numbers; need the positions of {n} frames")
    fitting = [table for table in tables if len(table.values) == n]
    return fitting[-1] if fitting else max(tables, key=lambda table: len(table.values))


def _named(table: Table, layout: Layout, path: Path) -> Places:
    """Return the columns that the person names or numbers."""
    y, x = (_column(table, wanted, path) for wanted in (layout.positions_y, layout.positions_x))
    told = unit_in(table.names[y]) if table.names else ""
    what = f"{path.name} (columns {layout.positions_y} and {layout.positions_x})"
    return measured(table.values[:, [y, x]], told, layout, what)


def _column(table: Table, wanted: str, path: Path) -> int:
    if wanted in table.names:
        return table.names.index(wanted)
    count = table.values.shape[1]
    if wanted.strip().isdigit() and int(wanted) < count:
        return int(wanted)
    known = ", ".join(table.names) or f"0 to {count - 1}"
    raise ScanError(f"{path.name}: has no column '{wanted}'; it has {known}")


def _by_names(table: Table, layout: Layout, path: Path, n: int) -> Places | None:
    """Return the columns whose names differ by x and y alone, None if there are none."""
    plain = {without_unit(name): number for number, name in reversed([*enumerate(table.names)])}
    twins = best_twins(dict.fromkeys(plain, len(table.values)), len(table.values))
    if twins is None:
        return None
    y, x = (plain[name] for name in twins)
    pair = table.names[y], table.names[x]
    told, notes = unit_in(pair[0]), []
    values = table.values[:, [y, x]]
    if layout.position_unit == "auto":
        values[:, 1] = in_unit_of(values[:, 1], unit_in(pair[1]), told)
    if AGAINST in pair[0]:
        values, told = -values, "um"
        notes.append(
            f"{path.name} is of a stage st_fzp (LYNX, cSAXS): micrometres, and both signs were "
            "turned."
        )
    lower = [name.lower() for name in table.names]
    index = next((lower.index(name) for name in INDEX if name in lower), None)
    if index is not None:
        values, said = by_frame(values, table.values[:, index], n)
        notes += [f"{path.name}, column {table.names[index]}: {text}" for text in said]
    places = measured(values, told, layout, f"{path.name} (columns {pair[0]} and {pair[1]})")
    places.notes[:0] = notes
    return places


def _velociprobe(table: Table, layout: Layout, path: Path, n: int) -> Places:
    """Return what APS 33-ID writes: x, two encoders of y, and the trigger, in nanometres."""
    y = -table.values[:, 5] if np.ptp(table.values[:, 5]) else table.values[:, 2]
    values = np.stack([y, table.values[:, 1]], axis=1)
    values, notes = by_frame(values, table.values[:, 7], n)
    places = measured(values, "nm", layout, path.name)
    places.notes[:0] = [
        f"{path.name} has 8 columns without names, as APS Velociprobe writes them: x, y, and the "
        "trigger in nanometres. A turned stage (chi) is not accounted for.",
        *notes,
    ]
    return places
