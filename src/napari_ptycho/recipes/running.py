"""Running a recipe: its steps one after the other, telling how far they are."""

import logging
import math
import os
import platform
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from napari_ptycho.errors import OptionsError, PtychoError, ScanError
from napari_ptycho.recipes import checksums
from napari_ptycho.recipes.files import checksum, loads
from napari_ptycho.recipes.kept import Kept, Unusable
from napari_ptycho.recipes.outputs import Outputs
from napari_ptycho.recipes.reading import check_apart, read_scan
from napari_ptycho.recipes.recipe import Recipe
from napari_ptycho.recipes.report import Report, State, write_report
from napari_ptycho.recipes.steps import Telling, Work, assess, denoise, predict, reconstruct
from napari_ptycho.recipes.tasks import Progress, Stop, Task

log = logging.getLogger(__name__)


def run(task: Task, stop: Stop) -> Generator[Progress, None, Report]:
    """Do a task: a generator of how far it is, which returns how it ended.

    What goes wrong is the report's; closing the generator leaves the checkpoint, to go on from.
    """
    running = Running(task)
    try:
        report = yield from running.steps(stop)
    except PtychoError as error:
        report = running.report("failed", str(error))
    except Exception as error:
        log.exception("%s: the recipe failed", task.scan)
        report = running.report("failed", f"unexpected: {type(error).__name__}: {error}")
    if report.state == "failed":
        with suppress(PtychoError):  # the report itself says more than why it was not written
            write_report(report)
    return report


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe that does nothing.

    Raises:
        OptionsError: It has neither a network nor an engine.
    """
    if recipe.network is None and not recipe.stages:
        raise OptionsError(
            "the recipe reconstructs nothing: it has neither a [[stage]] nor a [network]"
        )


class Running:
    """One task under way, and what there is to report of it."""

    def __init__(self, task: Task) -> None:
        """Begin to count the seconds."""
        self.task = task
        self.began = time.monotonic()
        self.title = ""
        self.checksums = "", ""
        self.work: Work | None = None
        self.files: tuple[str, ...] = ()

    def steps(self, stop: Stop) -> Generator[Progress, None, Report]:
        """Do all of it and return the report.

        Raises:
            PtychoError: What goes wrong.
        """
        recipe = loads(self.task.recipe, "the recipe")
        self.title = recipe.title
        check_recipe(recipe)
        check_apart(self.task.scan, self.task.output)
        yield Progress(0.0, 1.0, f"reading {Path(self.task.scan).name}")
        self.checksums = checksum(recipe), checksums.of_scan(self.task.scan)
        scan = read_scan(recipe, self.task.scan)
        kept = Kept.of(self.task, recipe, self.checksums)
        try:
            work = self.work = Work(recipe, scan, kept, stop)
            yield from _all(work)
        except Unusable as error:
            kept.refuse(str(error))
            work = self.work = Work(recipe, scan, kept, stop)
            yield from _all(work)
        if work.result is None:
            return self.report("stopped", "stopped before anything was reached")
        yield Progress(1.0, 1.0, "writing")
        self.files = Outputs(Path(self.task.output), recipe).write(
            work.result, scan, self.task.scan, work.check
        )
        report = self.report("stopped" if work.stopped else "done", work.stopped)
        write_report(report)
        if not work.stopped:
            kept.discard()
        return report

    def report(self, state: State, message: str = "") -> Report:
        """Return what is known so far."""
        known = Report(
            scan=self.task.scan,
            output=self.task.output,
            state=state,
            message=message,
            scan_checksum=self.checksums[1],
            recipe_checksum=self.checksums[0],
            title=self.title,
            seconds=time.monotonic() - self.began,
            where=f"{platform.node()}, process {os.getpid()}",
        )
        return known if self.work is None else _told(known, self.work, self.files)


def _all(work: Work) -> Telling:
    """Do the steps, and say beforehand what is wrong with the scan."""
    from napari_ptycho.engines.suggest import warnings

    with suppress(ScanError):  # the engine tells
        work.warnings += warnings(work.scan)
    work.notes += [*work.scan.notes, *work.kept.notes]
    work.result = work.kept.middle
    recipe = work.recipe
    steps = (
        (predict, recipe.network is not None),
        (reconstruct, bool(recipe.stages)),
        (denoise, recipe.denoise is not None),
        (assess, recipe.assess.frc or recipe.assess.check),
    )
    for step, wanted in steps:
        if not wanted or work.stopped:
            continue
        if work.stop():
            work.stopped = f"stopped before it could {step.__name__}"
        else:
            yield from step(work)


def _told(report: Report, work: Work, files: tuple[str, ...]) -> Report:
    """Return a report with what the steps have reached."""
    result = work.result
    errors = () if result is None else result.errors
    device = "" if result is None else str(result.provenance.get("device", ""))
    metres, pixels = work.resolution
    return replace(
        report,
        epochs=len(errors),
        error=errors[-1] if errors and math.isfinite(errors[-1]) else None,
        resolution_m=metres,
        resolution_px=pixels,
        warnings=tuple(dict.fromkeys(work.warnings)),
        notes=tuple(dict.fromkeys(work.notes)),
        resumed_from=work.kept.resumed_from,
        where=f"{report.where}, {device}" if device else report.where,
        thumbnail=files[1] if files else "",
        files=files,
    )
