"""Going on with what an interrupted run of the same command has left beside its output."""

import platform
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer

from napari_ptycho.cli import show
from napari_ptycho.errors import FileError, OptionsError, PtychoError

if TYPE_CHECKING:
    from napari_ptycho.io.autosave import Autosave, Checkpoint
    from napari_ptycho.job import Update

Result = TypeVar("Result")
AutosaveEvery = Annotated[
    float,
    typer.Option(
        "--autosave",
        min=0,
        metavar="SECONDS",
        help="Shortest time between two checkpoints, from which a killed run goes on; 0: none.",
    ),
]
Restart = Annotated[
    bool, typer.Option("--restart", help="Begin anew, even where a killed run could go on.")
]
WAYS = "--restart begins anew, another output name keeps both"


def left_behind(path: Path, restart: bool) -> "Checkpoint | None":
    """Return the checkpoint that a killed run has left; None if there is none, or to begin anew.

    Args:
        path: Of the checkpoint.
        restart: Remove it instead.

    Raises:
        FileError: It cannot be read, or the process that writes it still runs.
    """
    from napari_ptycho.io.autosave import alive, read_checkpoint

    if not path.exists():
        return None
    if restart:
        path.unlink()
        return None
    try:
        found = read_checkpoint(path)
    except FileError as error:
        raise FileError(f"{error} ({WAYS})") from error
    if found.about.get("host") == platform.node() and alive(found.about):
        raise FileError(
            f"{path.name}: process {found.about['pid']} still works on this output; wait for it, "
            "or give another output name"
        )
    return found


def autosave_of(output: Path, every_s: float, about: Mapping[str, Any]) -> "Autosave | None":
    """Return where a command that writes `output` saves its state; None where it does not."""
    from napari_ptycho.io.autosave import Autosave, beside

    return Autosave(beside(output), every_s, about) if every_s else None


def announced(
    job: "Iterator[Update[Result]]", resume: "Checkpoint | None", unit: str, quiet: bool
) -> "Generator[Update[Result]]":
    """Say from where a job goes on; say what to do if it cannot.

    Args:
        job: The job, closed when this iterator is closed.
        resume: What it goes on from; None: it begins.
        unit: What `done` counts: "epoch".
        quiet: Say nothing: a machine listens.

    Raises:
        OptionsError: The checkpoint is of another run.
    """
    begun = False
    with closing(cast("Any", job)):
        try:
            for update in job:
                if resume is not None and not begun:
                    place = f"{unit} {resume.done:.4g} of {resume.total:.0f}"
                    show.lines([f"- goes on from {place} of an interrupted run"], quiet)
                begun = True
                yield update
        except PtychoError as error:
            if resume is None or begun:
                raise
            raise OptionsError(f"an interrupted run of this output: {error} ({WAYS})") from error
