"""`napari-ptycho reconstruct FILE -o OUT.h5`: bin, reconstruct, write, report."""

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import (
    SIZE_HELP,
    File,
    Json,
    Neighbours,
    Output,
    Overwrite,
    check_output,
    pairs,
    parse_size,
)
from napari_ptycho.errors import FileError, OptionsError

if TYPE_CHECKING:  # imported when a command runs, so that --help is quick
    from napari_ptycho.engines import EngineOptions
    from napari_ptycho.job import Update
    from napari_ptycho.model import Reconstruction, Scan

GEOMETRY = ("energy_ev", "distance_m", "detector_pixel_m", "focus_to_sample_m")
Number = Annotated[float | None, typer.Option(help="Replaces what the file says.")]


@dataclass(frozen=True)
class ReconstructFlags:
    """Reconstruct object and probe of a scan; Ctrl-C keeps what was reached."""

    file: File
    output: Output
    engine: Annotated[str, typer.Option(help="Which algorithm: rpie or epie.")] = "rpie"
    epochs: Annotated[int | None, typer.Option(help="Passes over all positions [100].")] = None
    modes: Annotated[int | None, typer.Option(help="Probe modes [1].")] = None
    bin: Annotated[str, typer.Option(metavar="SIZE", help=SIZE_HELP)] = "1"
    neighbours: Neighbours = "path"
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto"
    set: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Any option of the engine.")
    ] = None
    options: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="The engine's options; flags win.")
    ] = None
    start: Annotated[
        Path | None, typer.Option(metavar="RECON.h5", help="Go on from this reconstruction.")
    ] = None
    probe: Annotated[
        Literal["auto", "file", "optics", "mean-pattern"],
        typer.Option(help="The first probe; auto: the file's, else from the mean pattern."),
    ] = "auto"
    optics: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Of --probe optics: diameter_um, outer_zone_nm, central_stop_um, defocus_mm.",
        ),
    ] = None
    energy_ev: Number = None
    distance_m: Number = None
    detector_pixel_m: Number = None
    focus_to_sample_m: Number = None
    near: Annotated[bool, typer.Option("--near", help="Near field (angular spectrum).")] = False
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads [all cores].")] = None
    report: Annotated[
        Path | None, typer.Option(metavar="OUT.png", help="Also draw the result.")
    ] = None
    overwrite: Overwrite = False
    json: Json = False


def reconstruct(flags: ReconstructFlags) -> int:
    """Do what the flags say and return the exit code."""
    options = engine_options(flags)
    size = parse_size(flags.bin)
    _check_files(flags)

    from napari_ptycho import device, engines, io, prepare

    scan = io.read_scan(flags.file, geometry(flags) or None)
    whole, scan = scan, prepare.bin_positions(scan, size, flags.neighbours)
    notes = list(scan.notes)
    if scan is not whole:
        report = prepare.binning_report(whole, size, flags.neighbours)
        show.lines(report.lines(), flags.json)
        notes += report.warnings
    show.lines((f"- {note}" for note in notes), flags.json)
    start = first(flags, scan, options)
    began = time.monotonic()
    with device.threads(flags.threads):
        job = engines.reconstruct(scan, options, start, flags.device)
        last, stopped = drive(job, options.epochs, options.title)
    if last is None:
        show.error("stopped before anything was reached; nothing was written")
        return 130
    io.write_reconstruction(last.result, flags.output)
    if flags.report is not None:
        from napari_ptycho.cli.report import write_report

        write_report(last.result, scan, flags.report)
    _say(flags, last, {"seconds": time.monotonic() - began, "stopped": stopped, "notes": notes})
    return 130 if stopped else 0


def drive(
    job: "Iterator[Update[Reconstruction]]", epochs: int, title: str
) -> "tuple[Update[Reconstruction] | None, bool]":
    """Run a job under a progress bar; Ctrl-C ends it and keeps the last update."""
    last, stopped = None, False
    with show.Bar(title, epochs) as bar:
        try:
            for last in job:
                bar.show(last.done, _progress(last))
        except KeyboardInterrupt:
            stopped = True
        finally:
            getattr(job, "close", lambda: None)()
    return last, stopped


def engine_options(flags: ReconstructFlags) -> "EngineOptions":
    """Return the options: defaults, then the TOML file, then flags, then --set.

    Raises:
        FileError: The TOML file cannot be read.
        OptionsError: An engine or option is unknown, or a value is out of its range.
    """
    from napari_ptycho.engines import ENGINES

    if flags.engine not in ENGINES:
        raise OptionsError(f"no engine '{flags.engine}'; there is {', '.join(ENGINES)}")
    kind = ENGINES[flags.engine]
    options = kind()
    if flags.options is not None:
        try:
            options = kind.from_toml(flags.options.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise FileError(f"{flags.options}: cannot be read ({error})") from error
    named = {"epochs": flags.epochs, "modes": flags.modes}
    changes: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    words = pairs(flags.set or (), "--set")
    parsed = kind.from_words(words)
    changes.update({name: getattr(parsed, name) for name in words})
    return dataclasses.replace(options, **changes)


def geometry(flags: ReconstructFlags) -> dict[str, Any]:
    """Return the fields of the geometry that the flags replace."""
    given = {name: getattr(flags, name) for name in GEOMETRY}
    fields: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if flags.detector_pixel_m is not None:
        fields["detector_pixel_m"] = (flags.detector_pixel_m, flags.detector_pixel_m)
    if flags.near:
        fields["propagation"] = "near"
    return fields


def first(
    flags: ReconstructFlags, scan: "Scan", options: "EngineOptions"
) -> "Reconstruction | None":
    """Return where to start; None leaves it to the engine.

    Raises:
        FileError: The reconstruction to go on from cannot be read.
        OptionsError: Flags contradict each other.
    """
    from napari_ptycho import io, prepare

    if flags.start is not None:
        if flags.probe != "auto":
            raise OptionsError("--start brings its own probe; leave out --probe")
        return io.read_reconstruction(flags.start)
    if flags.optics and flags.probe != "optics":
        raise OptionsError("--optics needs --probe optics")
    if flags.probe == "auto":
        return None
    optics = prepare.Optics.from_words(pairs(flags.optics or (), "--optics"))
    kind: Any = flags.probe.replace("-", " ")
    return prepare.first_guess(scan, options.modes, kind, optics)


def _check_files(flags: ReconstructFlags) -> None:
    sources = {"scan": flags.file, "start": flags.start}
    if flags.start is not None and flags.overwrite:
        sources.pop("start")  # going on and replacing is a fair wish: the start is in memory
    check_output(flags.output, flags.overwrite, sources)
    if flags.report is not None:
        check_output(flags.report, flags.overwrite, sources)


def _progress(update: "Update[Reconstruction]") -> str:
    errors = update.history.get("error", ())
    error = f", error {errors[-1]:.4f}" if errors else ""
    return f"epoch {int(update.done)}/{int(update.total)}{error}"


def _say(flags: ReconstructFlags, last: "Update[Reconstruction]", facts: dict[str, Any]) -> None:
    result = last.result
    seconds, stopped = facts["seconds"], facts["stopped"]
    epochs = f"{last.done:.4g} of {last.total:.0f} epochs"
    error = f", error {result.errors[-1]:.5f}" if result.errors else ""
    if stopped:
        show.error(f"stopped after {epochs}; what was reached is in {flags.output}")
    show.lines(last.notes, flags.json)
    show.lines([f"{flags.output} written: {epochs} in {seconds:.1f} s{error}."], flags.json)
    if flags.report is not None:
        show.lines([f"{flags.report} written."], flags.json)
    if flags.json:
        show.as_json(
            {
                "file": str(flags.file),
                "output": str(flags.output),
                "report": None if flags.report is None else str(flags.report),
                "patterns": len(result.positions_px),
                "epochs": last.done,
                "error": result.errors[-1] if result.errors else None,
                "errors": list(result.errors),
                "pixel_size_m": result.pixel_size_m,
                "seconds": seconds,
                "stopped": stopped,
                "notes": [*facts["notes"], *last.notes],
            }
        )
