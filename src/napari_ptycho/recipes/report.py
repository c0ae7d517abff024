"""What a run of a recipe tells: a few plain values, written as JSON beside the result."""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from napari_ptycho.errors import FileError
from napari_ptycho.io.atomic import written
from napari_ptycho.io.files import existing, translated

State = Literal["done", "failed", "stopped"]
ENDING = ".report.json"


@dataclass(frozen=True)
class Report:
    """How one scan ended; fit for JSON, small enough to travel between machines."""

    scan: str
    """Path of the scan, or "sample:" and a name."""
    output: str
    """Path of the result."""
    state: State
    message: str = ""
    """Why it failed or where it stopped; empty if it is done."""
    scan_checksum: str = ""
    """Of the files that were read, see `checksums.of_scan`."""
    recipe_checksum: str = ""
    """Of the recipe and the files that it names, see `files.checksum`."""
    title: str = ""
    """Of the recipe."""
    epochs: int = 0
    """Of all engines together, over the result's whole history."""
    error: float | None = None
    """Of the last epoch, see `Reconstruction.errors`."""
    resolution_m: float | None = None
    """By the single-image FRC (full period, half-bit); None: not asked for, or unknown. Noise that
    the parts of the image share makes it finer: it sorts scans, it is not for print."""
    resolution_px: float | None = None
    """The same in object pixels."""
    warnings: tuple[str, ...] = ()
    """What may be wrong with the result, a sentence each."""
    notes: tuple[str, ...] = ()
    """What was done on the way, a sentence each."""
    seconds: float = 0.0
    """That this run took."""
    resumed_from: float = 0.0
    """Epochs that an earlier, interrupted run had already done."""
    where: str = ""
    """Host, process and device that computed it."""
    thumbnail: str = ""
    """File name of a small picture of the phase (PNG) beside the result; empty if there is none."""
    files: tuple[str, ...] = ()
    """File names of all that was written, beside the result."""


def report_path(output: str | os.PathLike[str]) -> Path:
    """Return where the report on a result lies."""
    output = Path(output)
    return output.with_name(output.name + ENDING)


def write_report(report: Report) -> None:
    """Write a report beside its result, whole or not at all.

    Raises:
        FileError: The folder is missing or the disk is full.
    """
    text = json.dumps(asdict(report), indent=1, allow_nan=False)
    with written(report_path(report.output)) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_report(output: str | os.PathLike[str]) -> Report:
    """Read the report on a result.

    Args:
        output: The file of the result (not that of the report).

    Raises:
        FileError: There is none, or it is damaged.
    """
    path = existing(report_path(output))
    with translated(path):
        values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise FileError(f"{path.name}: no report of napari-ptycho")
    lost = [name for name in ("scan", "output", "state") if not isinstance(values.get(name), str)]
    if lost:
        raise FileError(f"{path.name}: no report of napari-ptycho, its '{lost[0]}' is missing")
    known = {field.name for field in fields(Report)}
    return Report(**{name: _frozen(value) for name, value in values.items() if name in known})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
