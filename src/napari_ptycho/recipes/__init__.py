"""Recipes: everything that is done to a scan in one TOML file, run by window, batch and cluster.

Importing this package imports no torch; running a recipe does.
"""

from napari_ptycho.recipes.files import carrying, checksum, dumps, loads, of, read, write
from napari_ptycho.recipes.recipe import (
    SAMPLE,
    AssessOptions,
    BinningOptions,
    DenoiseStep,
    NetworkStep,
    OutputOptions,
    Recipe,
    Source,
    Start,
)
from napari_ptycho.recipes.report import Report, read_report, report_path, write_report
from napari_ptycho.recipes.tasks import Event, Progress, Task, run_here, run_task

__all__ = [
    "SAMPLE",
    "AssessOptions",
    "BinningOptions",
    "DenoiseStep",
    "Event",
    "NetworkStep",
    "OutputOptions",
    "Progress",
    "Recipe",
    "Report",
    "Source",
    "Start",
    "Task",
    "carrying",
    "checksum",
    "dumps",
    "loads",
    "of",
    "read",
    "read_report",
    "report_path",
    "run_here",
    "run_task",
    "write",
    "write_report",
]
