"""`napari-ptycho reconstruct FILE -o OUT.h5`: bin, reconstruct, write, report."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_ptycho.cli import chainfile, outcome, show
from napari_ptycho.cli.carried import carrying
from napari_ptycho.cli.flags import (
    SIZE_HELP,
    Device,
    Every,
    File,
    Json,
    Memory,
    Neighbours,
    Output,
    Overwrite,
    Threads,
    check_outputs,
    pairs,
    parse_bytes,
)
from napari_ptycho.cli.interrupt import STOPPED, driven, nothing_reached
from napari_ptycho.cli.reading import geometry, read_scan
from napari_ptycho.cli.resuming import AutosaveEvery, Restart, announced, autosave_of, left_behind
from napari_ptycho.cli.stages import (
    SUGGESTED,
    ChainFlags,
    Chosen,
    changed,
    chosen,
    memory_lines,
    suggestion,
)
from napari_ptycho.errors import OptionsError, ScanError

if TYPE_CHECKING:  # imported when a command runs, so that --help is quick
    from napari_ptycho.engines import EngineOptions
    from napari_ptycho.model import Reconstruction, Scan


@dataclass(frozen=True)
class ReconstructFlags(ChainFlags):
    """Reconstruct object and probe of a scan; Ctrl-C keeps what was reached."""

    file: File
    output: Output
    save_chain: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Also write what runs for --chain.")
    ] = None
    bin: Annotated[str, typer.Option(metavar="SIZE", help=SIZE_HELP)] = "1"
    neighbours: Neighbours = "path"
    every: Every = 1
    device: Device = "auto"
    memory: Memory = None
    start: Annotated[
        Path | None, typer.Option(metavar="RECON.h5", help="Go on from this reconstruction.")
    ] = None
    probe: Annotated[
        Literal["auto", "file", "optics", "mean-pattern"],
        typer.Option(help="The first probe; auto: the file's, else from the mean pattern."),
    ] = "auto"
    optics: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Of --probe optics: {optics}."),
    ] = None
    threads: Threads = None
    report: Annotated[
        Path | None, typer.Option(metavar="OUT.png", help="Also draw the result.")
    ] = None
    autosave: AutosaveEvery = 60.0
    restart: Restart = False
    overwrite: Overwrite = False
    json: Json = False


def named() -> dict[str, str]:
    """Return the names that the help of the flags lists."""
    from napari_ptycho.engines import ENGINES, PRESETS
    from napari_ptycho.options import describe
    from napari_ptycho.prepare import Optics

    return {
        "engines": ", ".join(ENGINES),
        "presets": ", ".join(PRESETS),
        "optics": ", ".join(parameter.name for parameter in describe(Optics)),
    }


def reconstruct(flags: ReconstructFlags) -> int:
    """Do what the flags say and return the exit code."""
    from napari_ptycho.prepare.text import parse_size

    plan = chosen(flags)
    plan = plan and replace(plan, stages=changed(plan.stages, flags))
    size = parse_size(flags.bin)
    memory = None if flags.memory is None else parse_bytes(flags.memory, "--memory")
    _check_files(flags)
    _check_start(flags)

    from napari_ptycho import device, engines, io
    from napari_ptycho.io.autosave import beside

    resume = left_behind(beside(flags.output), flags.restart)
    scan, notes = _read(flags, size)
    plan, warnings = _settled(flags, scan, plan)
    stages = plan.stages
    _save_chain(flags, stages)
    start = first(flags, scan, stages[0])
    began = time.monotonic()
    about = {"title": plan.title, "scan": str(flags.file)}
    autosave = autosave_of(flags.output, flags.autosave, about)
    with device.threads(flags.threads):
        show.lines(memory_lines(scan, stages, flags.device, memory), flags.json)
        job = engines.reconstruct(
            scan, stages, start, flags.device, memory, autosave=autosave, resume=resume
        )
        job = announced(job, resume, "epoch", flags.json)
        bar = show.Bar(plan.title, sum(options.epochs for options in stages))
        last, stopped = driven(job, bar, lambda update: outcome.progress(update, stages))
    if last is None:
        return nothing_reached()
    result = carrying(last.result, flags, stages, geometry(flags))
    io.write_reconstruction(result, flags.output)
    beside(flags.output).unlink(missing_ok=True)
    if flags.report is not None:
        from napari_ptycho.assess.picture import write_picture

        write_picture(last.result, scan, flags.report)
    seconds = time.monotonic() - began
    outcome.say(flags, last, outcome.Facts(stages, seconds, stopped, notes, plan.reasons, warnings))
    return STOPPED if stopped else 0


def _read(flags: ReconstructFlags, size: int | tuple[int, int]) -> "tuple[Scan, tuple[str, ...]]":
    """Return the scan, thinned out and binned, and sentences about it, which are printed too."""
    from napari_ptycho import prepare

    whole = read_scan(flags.file, flags, geometry(flags))
    kept = prepare.keep_every(whole, flags.every)
    scan = prepare.bin_positions(kept, size, flags.neighbours)
    notes = list(scan.notes)
    if scan is not whole:
        report = prepare.sparse_report(whole, flags.every, size, flags.neighbours)
        show.lines(report.lines(), flags.json)
        notes += report.warnings
    show.lines((f"- {note}" for note in notes), flags.json)
    return scan, tuple(notes)


def _settled(
    flags: ReconstructFlags, scan: "Scan", plan: Chosen | None
) -> tuple[Chosen, tuple[str, ...]]:
    """Return what runs, and what is wrong with the scan; print both, and why it was chosen."""
    from napari_ptycho.engines.stages import in_words
    from napari_ptycho.engines.suggest import warnings as raster_warnings

    warnings: tuple[str, ...] = ()
    if plan is None:
        found = suggestion(scan, flags.device)
        plan = Chosen(SUGGESTED, changed(found.stages, flags), found.reasons)
        warnings = found.warnings
    else:
        with suppress(ScanError):  # --start may bring what the scan lacks; else the engine tells
            warnings = raster_warnings(scan)
    if len(plan.stages) > 1 or plan.reasons:
        lines = (f"{number}. {in_words(options)}" for number, options in enumerate(plan.stages, 1))
        show.lines([f"{plan.title}:", *lines], flags.json)
    show.lines((f"- {reason}" for reason in plan.reasons), flags.json)
    show.lines((f"! {warning}" for warning in warnings), flags.json)
    return plan, warnings


def _save_chain(flags: ReconstructFlags, stages: "Sequence[EngineOptions]") -> None:
    from napari_ptycho.io.atomic import written

    if flags.save_chain is not None:
        with written(flags.save_chain) as temporary:
            temporary.write_text(chainfile.dumps(stages), encoding="utf-8")


def first(
    flags: ReconstructFlags, scan: "Scan", options: "EngineOptions"
) -> "Reconstruction | None":
    """Return where to start; None leaves it to the engine.

    Raises:
        FileError: The reconstruction to go on from cannot be read.
    """
    from napari_ptycho import io, prepare

    if flags.start is not None:
        return io.read_reconstruction(flags.start)
    if flags.probe == "auto":
        return None
    optics = prepare.Optics.from_words(pairs(flags.optics or (), "--optics"))
    kind: Any = flags.probe.replace("-", " ")
    return prepare.first_guess(scan, options.modes, kind, optics)


def _check_start(flags: ReconstructFlags) -> None:
    if flags.start is not None and flags.probe != "auto":
        raise OptionsError("--start brings its own probe; leave out --probe")
    if flags.optics and flags.probe != "optics":
        raise OptionsError("--optics needs --probe optics")


def _check_files(flags: ReconstructFlags) -> None:
    sources = {"scan": flags.file, "start": flags.start}
    sources |= {"chain": flags.chain, "options file": flags.options}
    if flags.start is not None and flags.overwrite:
        sources.pop("start")  # going on and replacing is a fair wish: the start is in memory
    check_outputs((flags.output, flags.report, flags.save_chain), flags.overwrite, sources)
