"""Many scans through one recipe: what there is to do, what was done before, what came of it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_ptycho.errors import FileError
from napari_ptycho.io.files import translated
from napari_ptycho.io.forms.table import named
from napari_ptycho.recipes.batch_files import Manifest, name_results, scans_of, stamps
from napari_ptycho.recipes.files import checksum, dumps
from napari_ptycho.recipes.recipe import Recipe
from napari_ptycho.recipes.report import Report, read_report
from napari_ptycho.recipes.summary import write_summary
from napari_ptycho.recipes.tasks import Event, Task


@dataclass(frozen=True, eq=False)
class Batch:
    """Scans, and what has become of them."""

    manifest: Manifest
    title: str
    tasks: tuple[Task, ...]
    """All of them."""
    reports: dict[str, Report] = field(default_factory=dict)
    """By scan; before the start those that were done before and are unchanged."""
    parts: dict[str, list[list[Any]]] = field(default_factory=dict)
    """Of scans that are to be done: their files as they were before the start."""

    @property
    def folder(self) -> Path:
        """Where the results are."""
        return self.manifest.folder

    @property
    def todo(self) -> tuple[Task, ...]:
        """The tasks that are not done yet."""
        return tuple(task for task in self.tasks if task.scan not in self.reports)


def plan(
    recipe: Recipe,
    patterns: Sequence[str],
    folder: Path,
    device: str = "auto",
    memory_bytes: int | None = None,
    again: bool = False,
) -> Batch:
    """Find scans, and which of them are done already.

    A scan is done if its report in the folder says so, the result is there, and neither the recipe
    nor the files of the scan have changed since.

    Args:
        recipe: What is done to every scan.
        patterns: See `batch_files.scans_of`.
        folder: Of the results; made if it is not there.
        device: For every task.
        memory_bytes: For every task.
        again: Do all of them again.

    Raises:
        FileError: A pattern names no file, or the folder cannot be made or read.
        OptionsError: The recipe does nothing, or writes an unknown form.
    """
    from napari_ptycho.recipes.running import check_recipe

    check_recipe(recipe)
    suffix = named("reconstruction", recipe.output.form).suffix
    folder = folder.expanduser().absolute()
    with translated(folder, "make"):
        folder.mkdir(parents=True, exist_ok=True)
    manifest = Manifest.of(folder)
    scans = scans_of(patterns, manifest)
    name_results(scans, manifest, suffix)
    text, digest = dumps(recipe), checksum(recipe)
    outputs = {scan: str(folder / manifest.names[scan]) for scan in scans}
    tasks = tuple(Task(text, scan, outputs[scan], device, memory_bytes) for scan in scans)
    batch = Batch(manifest, recipe.title, tasks)
    for task in tasks:
        report = None if again else _done(task, digest, manifest)
        if report is not None:
            batch.reports[task.scan] = report
            continue
        with suppress(FileError):  # the task will find the same, and its report tells
            batch.parts[task.scan] = stamps(task.scan)
    manifest.write()
    write_summary(batch.folder, batch.title, batch.tasks, batch.reports)
    return batch


def _done(task: Task, recipe_checksum: str, manifest: Manifest) -> Report | None:
    """Return the report of a task that was done before and would be done in the same way again."""
    if not Path(task.output).is_file():
        return None
    try:
        report = read_report(task.output)
        same = (report.state, report.recipe_checksum) == ("done", recipe_checksum)
        same = same and report.scan_checksum == manifest.checksum(task.scan)
    except FileError:
        return None  # no report, or a scan that cannot be read: the task will tell
    return report if same else None


def followed(batch: Batch, events: Iterator[Event]) -> Iterator[Event]:
    """Pass events on, keeping the reports of a batch and its summary up to date.

    Raises:
        FileError: The summary cannot be written.
    """
    for event in events:
        if event.report is not None:
            _keep(batch, event.task.scan, event.report)
        yield event


def _keep(batch: Batch, scan: str, report: Report) -> None:
    batch.reports[scan] = report
    if report.state == "done" and scan in batch.parts:
        batch.manifest.seen[scan] = {
            "checksum": report.scan_checksum,
            "parts": batch.parts[scan],
        }
        batch.manifest.write()
    write_summary(batch.folder, batch.title, batch.tasks, batch.reports)
