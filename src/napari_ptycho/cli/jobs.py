"""`napari-ptycho jobs`: the queue that the Jobs dock shows."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import Json
from napari_ptycho.errors import OptionsError

if TYPE_CHECKING:
    from napari_ptycho.jobs import Job, Store


@dataclass(frozen=True)
class JobsFlags:
    """List the queue of jobs, change it, or put scans into it; it runs on by itself."""

    scans: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCANS]...", help="With --add: files, or sample:KEY."),
    ] = None
    add: Annotated[
        Path | None, typer.Option(metavar="RECIPE", help="Put SCANS into the queue.")
    ] = None
    output_folder: Annotated[
        Path,
        typer.Option(
            "--output-folder", "-o", metavar="DIR", help="With --add: folder of the results."
        ),
    ] = Path()
    runs_on: Annotated[
        str,
        typer.Option(
            metavar="WHERE",
            help="With --add: the address of a Dask scheduler, tcp://host:8786.",
        ),
    ] = ""
    stop: Annotated[
        str, typer.Option(metavar="ID", help="Stop a job; what it reached is written.")
    ] = ""
    again: Annotated[
        str, typer.Option(metavar="ID", help="Queue a job once more; it goes on where it was.")
    ] = ""
    first: Annotated[str, typer.Option(metavar="ID", help="Run a job before the others.")] = ""
    remove: Annotated[
        str, typer.Option(metavar="ID", help="Take a job off the list; the result stays.")
    ] = ""
    json: Json = False


def jobs(flags: JobsFlags) -> int:
    """Do what the flags say, then print the queue, or JSON.

    Raises:
        OptionsError: Flags that need each other are not together.
        PtychoError: What is asked for cannot be done.
    """
    from napari_ptycho.jobs import Store, wake

    _check(flags)
    store = Store()
    _change(flags, store)
    if flags.add is not None:
        _add(flags, store)
    if flags.add is not None or flags.again:
        wake(store)
    _print(store, flags.json)
    return 0


def _check(flags: JobsFlags) -> None:
    if (flags.add is None) != (not flags.scans):
        raise OptionsError("--add RECIPE and SCANS go together; without both, the queue is listed")
    if flags.runs_on and flags.add is None:
        raise OptionsError("--runs-on is for --add; a job stays where it was queued for")


def _change(flags: JobsFlags, store: "Store") -> None:
    def first(ident: str) -> None:
        store.move(ident, -len(store.all()))

    asked = (
        (flags.stop, store.stop),
        (flags.again, store.again),
        (flags.first, first),
        (flags.remove, store.remove),
    )
    for ident, do in asked:
        if ident:
            do(ident)


def _add(flags: JobsFlags, store: "Store") -> None:
    from napari_ptycho.jobs import HERE
    from napari_ptycho.jobs.adding import add_scans

    assert flags.add is not None  # checked
    add_scans(store, flags.add, flags.scans or (), flags.output_folder, flags.runs_on or HERE)


def _print(store: "Store", as_json: bool) -> None:
    from rich.table import Table

    found = store.all()
    if as_json:
        show.as_json({"jobs": [asdict(job) for job in found], "damaged": list(store.damaged)})
        return
    table = Table(box=None, pad_edge=False)
    for column in ("id", "state", "time", "title", "runs on", ""):
        table.add_column(column, overflow="fold")
    for job in found:
        table.add_row(*_cells(job))
    if found:
        show.out().print(table)
    show.lines(["Nothing is queued."] if not found else [])
    show.lines(f"! {sentence}" for sentence in store.damaged)


def _cells(job: "Job") -> tuple[Any, ...]:
    from rich.text import Text

    percent = f" {100 * job.fraction:.0f} %" if job.state == "running" else ""
    seconds = job.seconds(time.time())
    took = f"{seconds / 60:.0f} min" if seconds >= 600 else f"{seconds:.0f} s" if seconds else ""
    words = (job.id, job.state + percent, took, job.title, job.where, job.message or job.text)
    return tuple(Text(word) for word in words)
