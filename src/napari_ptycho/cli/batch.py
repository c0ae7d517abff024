"""`napari-ptycho batch RECIPE.toml SCANS... -o DIR`: many scans, here or on a cluster."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import Json, parse_bytes
from napari_ptycho.cli.interrupt import STOPPED, interruptible
from napari_ptycho.cli.scan_bars import ScanBars, in_words

if TYPE_CHECKING:  # imported when the command runs, so that --help is quick
    from napari_ptycho.recipes.batch import Batch

SOME_FAILED = 1


@dataclass(frozen=True)
class BatchFlags:
    """Run a recipe over many scans; the same command again goes on with what is not done.

    The exit code is 0 if all are done, 1 if some have failed, 130 after Ctrl-C.
    """

    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.toml", help="What is done to each.")]
    scans: Annotated[
        list[str],
        typer.Argument(metavar="SCANS...", help="Files, folders, or names like 'run7/**/*.h5'."),
    ]
    output_folder: Annotated[
        Path,
        typer.Option("--output-folder", "-o", metavar="DIR", help="Folder of results and summary."),
    ]
    runs_on: Annotated[
        str,
        typer.Option(
            metavar="WHERE",
            help="local: this computer; or the address of a Dask scheduler: tcp://host:8786.",
        ),
    ] = "local"
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Of --runs-on local; else one per GPU, or two or more."),
    ] = None
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps: on each worker.")] = "auto"
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Most that each scan may take, like 2GB."),
    ] = None
    retries: Annotated[
        int, typer.Option(min=0, help="How often a scan whose worker was lost is begun again.")
    ] = 2
    again: Annotated[bool, typer.Option("--again", help="Also do what is done already.")] = False
    json: Json = False


def batch(flags: BatchFlags) -> int:
    """Do what the flags say and return the exit code."""
    memory = None if flags.memory is None else parse_bytes(flags.memory, "--memory")

    from napari_ptycho import recipes
    from napari_ptycho.recipes.batch import plan

    recipe = recipes.read(flags.recipe)
    began = time.monotonic()
    with show.busy("looking for what is done already"):
        found = plan(recipe, flags.scans, flags.output_folder, flags.device, memory, flags.again)
    kept = frozenset(found.reports)
    show.lines([f"{len(found.tasks)} scans, {len(kept)} of them done before."], flags.json)
    with interruptible() as stop:
        _do(flags, found, stop)
    _say(flags, found, kept, time.monotonic() - began)
    states = {report.state for report in found.reports.values()}
    if "stopped" in states:
        return STOPPED
    return SOME_FAILED if "failed" in states else 0


def _do(flags: BatchFlags, found: "Batch", stop: Callable[[], bool]) -> None:
    """Do what there is to do, and show how far it is."""
    from napari_ptycho.cluster import run_there
    from napari_ptycho.recipes.batch import followed

    with ScanBars(len(found.tasks), len(found.reports)) as bars:
        there = run_there(found.todo, flags.runs_on, stop, flags.workers, flags.retries, bars.say)
        with closing(there) as events:
            for event in followed(found, events):
                bars.show(event)


def _say(flags: BatchFlags, found: "Batch", kept: frozenset[str], seconds: float) -> None:
    """Say what came out, and where it is."""
    from napari_ptycho.recipes.batch_files import CSV, PAGE

    ends = found.reports.values()
    counts = dict.fromkeys(("done", "failed", "stopped"), 0)
    counts |= Counter(end.state for scan, end in found.reports.items() if scan not in kept)
    for end in ends:
        if end.state == "done" and not Path(end.output).exists():
            show.error(f"{end.output} is done but not to be seen here; was it written elsewhere?")
    page = found.folder / PAGE
    if flags.json:
        rows = [{**asdict(end), "skipped": scan in kept} for scan, end in found.reports.items()]
        files: dict[str, Any] = {"page": str(page), "table": str(found.folder / CSV)}
        show.as_json({"skipped": len(kept), **counts, "seconds": seconds, **files, "scans": rows})
        return
    show.lines(in_words(end) for end in ends if end.state == "failed")
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    told = ", ".join(part for part in (f"{len(kept)} skipped" if kept else "", told) if part)
    show.lines([f"{told}, {seconds:.1f} s. {page} sums it up."])
    if counts["stopped"] or counts["failed"]:
        show.lines(["The same command again goes on with what is not done."])
