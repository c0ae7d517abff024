"""`napari-ptycho run recipe.toml FILES...`: all that a recipe says, to one scan or to several."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import Device, Json, Memory, Threads, check_output, parse_bytes
from napari_ptycho.cli.interrupt import STOPPED, interruptible
from napari_ptycho.cli.resuming import AutosaveEvery, Restart, left_behind
from napari_ptycho.errors import FileError, OptionsError

if TYPE_CHECKING:  # --help must open at once
    from napari_ptycho.recipes import Progress, Recipe, Report, Task


@dataclass(frozen=True)
class RunFlags:
    """Do all that a recipe says to its scan, or to other scans; Ctrl-C keeps what was reached.

    A run that was killed is gone on with: the same command finds its checkpoint beside OUT.
    """

    recipe: Annotated[
        Path,
        typer.Argument(metavar="RECIPE.toml", help="A recipe, or a result that carries one."),
    ]
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILES]...", help="Scans, or sample:NAME; else the recipe's own."),
    ] = None
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="File to write, for one scan."),
    ] = None
    output_folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write to, for any scans.")
    ] = None
    device: Device = "auto"
    memory: Memory = None
    threads: Threads = None
    check: Annotated[
        bool, typer.Option("--check", help="Only look whether it could run, and say its steps.")
    ] = False
    autosave: AutosaveEvery = 60.0
    restart: Restart = False
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results.")] = False
    json: Json = False


def run_recipe(flags: RunFlags) -> int:
    """Do what the flags say and return the exit code: 1 if some of several scans failed."""
    from napari_ptycho import recipes

    recipe = recipes.read(flags.recipe)
    scans = _scans(flags, recipe)
    _check_files(recipe, scans)
    if flags.check:
        return _say_steps(flags, recipe)
    tasks = _tasks(flags, recipe, scans)
    for task in tasks:
        _look_behind(flags, task)
    reports = list(_reports(flags, tasks))
    if flags.json:
        show.as_json({"recipe": str(flags.recipe), "reports": [asdict(one) for one in reports]})
    states = [report.state for report in reports]
    if "stopped" in states:
        return STOPPED
    if "failed" in states:
        return 2 if len(states) == 1 else 1
    return 0


def _scans(flags: RunFlags, recipe: "Recipe") -> list[str]:
    """Return the scans to run: absolute paths, or samples.

    Raises:
        OptionsError: Nobody names one.
    """
    from napari_ptycho.recipes import SAMPLE

    given = flags.files or [recipe.scan.file]
    if not given[0]:
        raise OptionsError(f"{flags.recipe.name}: names no scan; add the FILES to run it on")
    return [
        name if name.startswith(SAMPLE) else str(Path(name).expanduser().absolute())
        for name in given
    ]


def _check_files(recipe: "Recipe", scans: list[str]) -> None:
    """Refuse before any work what cannot run.

    Raises:
        FileError: A scan, the positions or the network is not there.
        OptionsError: The recipe does nothing.
    """
    from napari_ptycho.networks import SHIPPED
    from napari_ptycho.recipes import SAMPLE
    from napari_ptycho.recipes.running import check_recipe

    check_recipe(recipe)
    needed = [name for name in scans if not name.startswith(SAMPLE)]
    needed += [recipe.scan.positions] if recipe.scan.positions else []
    if recipe.network is not None and recipe.network.file not in SHIPPED:
        needed.append(recipe.network.file)
    lost = [name for name in needed if not Path(name).exists()]
    if lost:
        raise FileError(f"{lost[0]}: no such file")


def _tasks(flags: RunFlags, recipe: "Recipe", scans: list[str]) -> "list[Task]":
    """Return what is to be done, each with a file of its own to write.

    Raises:
        OptionsError: The flags do not say where to write.
        FileError: A result cannot or should not be written.
    """
    from napari_ptycho import recipes

    sources: dict[str, Path | None] = {"recipe": flags.recipe}
    if recipe.network is not None:
        sources["network"] = Path(recipe.network.file)
    memory = None if flags.memory is None else parse_bytes(flags.memory, "--memory")
    text, tasks = recipes.dumps(recipe), []
    for scan, output in _outputs(flags, recipe, scans).items():
        check_output(output, flags.overwrite, {"scan": Path(scan), **sources})
        output, every_s = output.absolute(), flags.autosave or math.inf
        tasks.append(recipes.Task(text, scan, str(output), flags.device, memory, every_s))
    return tasks


def _look_behind(flags: RunFlags, task: "Task") -> None:
    """Remove what a killed run has left, with --restart; else make sure that it was killed.

    Raises:
        FileError: It still runs, or its checkpoint is damaged.
    """
    from napari_ptycho.io.autosave import beside
    from napari_ptycho.recipes.kept import forget

    left_behind(beside(task.output), flags.restart)
    if flags.restart:
        forget(task.output)


def _outputs(flags: RunFlags, recipe: "Recipe", scans: list[str]) -> dict[str, Path]:
    from napari_ptycho.io.files import name_of, translated
    from napari_ptycho.io.forms.table import named
    from napari_ptycho.recipes import SAMPLE

    if (flags.output is None) == (flags.output_folder is None) or (flags.output and len(scans) > 1):
        raise OptionsError(
            "say where to write: -o OUT for one scan, or --output-folder DIR for any"
        )
    if flags.output_folder is None:
        return {scans[0]: Path(flags.output or "")}
    with translated(flags.output_folder, "make"):
        flags.output_folder.mkdir(parents=True, exist_ok=True)
    suffix = named("reconstruction", recipe.output.form).suffix
    found: dict[str, Path] = {}
    for scan in scans:
        output = flags.output_folder / (name_of(Path(scan.removeprefix(SAMPLE))) + suffix)
        if output in found.values():
            raise FileError(f"{output}: two scans are called so; 'batch' gives each its own name")
        found[scan] = output
    return found


def _reports(flags: RunFlags, tasks: "list[Task]") -> "Iterator[Report]":
    """Do the tasks, telling how far they are and how they ended."""
    from napari_ptycho import device
    from napari_ptycho.recipes import run_here

    with device.threads(flags.threads), interruptible() as stop, closing(_Bars()) as bars:
        for event in run_here(tasks, stop):
            if event.progress is not None:
                bars.show(event.progress, Path(event.task.scan).name)
            if event.report is not None:
                bars.close()
                _say(flags, event.report)
                yield event.report


class _Bars:
    """A progress bar for each part of a task, which has steps of its own."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._bar: show.Bar | None = None
        self._done = 0.0

    def show(self, progress: "Progress", title: str) -> None:
        """Move the bar of the part under way."""
        known = self._bar is not None and self._bar.total == progress.total
        if self._bar is None or not known or progress.done < self._done:
            self._open.close()
            self._bar = self._open.enter_context(show.Bar(title, progress.total))
        self._done = progress.done
        self._bar.show(progress.done, progress.text)

    def close(self) -> None:
        """Take the bar away."""
        self._open.close()
        self._bar = None


def _say(flags: RunFlags, report: "Report") -> None:
    """Print how a task ended."""
    name = Path(report.scan).name
    if report.state == "failed":
        show.error(report.message if name in report.message else f"{name}: {report.message}")
        return
    if report.state == "stopped":
        kept = f"; what was reached is in {report.output}" if report.files else ""
        show.error(f"{name}: {report.message}{kept}")
    if report.resumed_from:
        done = f"{report.resumed_from:.4g} epochs"
        show.lines([f"- went on from {done} of an interrupted run"], flags.json)
    show.lines((f"! {warning}" for warning in report.warnings), flags.json)
    show.lines((f"- {note}" for note in report.notes), flags.json)
    if report.files:
        show.lines([f"{report.output} written: {_numbers(report)}."], flags.json)


def _numbers(report: "Report") -> str:
    from napari_ptycho.prepare import text

    parts = [f"{report.epochs} epochs"] if report.epochs else []
    parts += [] if report.error is None else [f"error {report.error:.5f}"]
    if report.resolution_m is not None:
        parts.append(f"resolution {text.length(report.resolution_m, 'm')}")
    elif report.resolution_px is not None:
        parts.append(f"resolution {text.length(report.resolution_px, 'px')}")
    return ", ".join([*parts, f"{report.seconds:.1f} s"])


def _say_steps(flags: RunFlags, recipe: "Recipe") -> int:
    from napari_ptycho.recipes.tables import as_tables
    from napari_ptycho.recipes.words import in_words

    title = recipe.title or flags.recipe.name
    steps = (f"{number}. {step}" for number, step in enumerate(in_words(recipe), 1))
    show.lines([f"{title}:", *steps], flags.json)
    if flags.json:
        show.as_json({"recipe": str(flags.recipe), **as_tables(recipe)})
    return 0
