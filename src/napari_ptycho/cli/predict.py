"""`napari-ptycho predict SCAN --checkpoint NET -o OUT`: the object of a scan, by a network."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import (
    Device,
    File,
    Json,
    Output,
    Overwrite,
    Threads,
    check_outputs,
)
from napari_ptycho.cli.interrupt import STOPPED, driven, nothing_reached
from napari_ptycho.cli.network import (
    Checkpoint,
    ProbeFrom,
    Set,
    changed,
    file_of,
    opened,
    probe_of,
)
from napari_ptycho.cli.reading import ReadFlags, read_scan
from napari_ptycho.networks.options import PredictOptions

if TYPE_CHECKING:  # --help must open at once
    from napari_ptycho.job import Update
    from napari_ptycho.model import Scan
    from napari_ptycho.networks.result import Predicted


@dataclass(frozen=True)
class PredictFlags(ReadFlags):
    """Predict the object of a scan by a network, and stitch it.

    A prediction is a first guess: `reconstruct SCAN --start OUT` goes on from it, and
    `check OUT --scan SCAN` asks the photons about it.
    """

    file: File
    checkpoint: Checkpoint
    output: Output
    every: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="Use every K-th pattern only.")
    ] = None
    probe_from: ProbeFrom = None
    spread: Annotated[
        Path | None,
        typer.Option(metavar="FILE.tif", help="Also write where overlapping patches disagree."),
    ] = None
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw the result.")
    ] = None
    set_: Set = None
    device: Device = "auto"
    threads: Threads = None
    overwrite: Overwrite = False
    json: Json = False


def predict(flags: PredictFlags) -> int:
    """Do what the flags say and return the exit code."""
    options = changed(PredictOptions(), {"every": flags.every}, flags.set_)
    sources = {"scan": flags.file, "network": file_of(flags.checkpoint), "probe": flags.probe_from}
    check_outputs((flags.output, flags.spread, flags.report), flags.overwrite, sources)
    network, probe = opened(flags.checkpoint), probe_of(flags.probe_from)

    from napari_ptycho import device, networks

    scan = read_scan(flags.file, flags)
    began = time.monotonic()
    with device.threads(flags.threads):
        job = networks.predict(scan, network, options, probe, flags.device)
        bar = show.Bar(options.title, math.ceil(len(scan) / options.every))
        last, stopped = driven(job, bar, _progress)
    if last is None:
        return nothing_reached()
    seconds = time.monotonic() - began
    write(flags, last.result, scan)
    if stopped:
        show.error(f"stopped after {last.done:.0f} patterns; they are in {flags.output}")
    show.lines((f"- {note}" for note in last.notes), flags.json)
    _say(flags, last, seconds, stopped)
    return STOPPED if stopped else 0


def write(flags: PredictFlags, found: "Predicted", scan: "Scan") -> None:
    """Write the reconstruction, and what else is asked for.

    Raises:
        FileError: A file cannot be written.
    """
    from napari_ptycho import io

    io.write_reconstruction(found.reconstruction, flags.output)
    if flags.spread is not None:
        made = found.reconstruction.provenance
        about = {"spread": made["predicted"]["network"], "of": flags.file.name}
        io.write_image(found.spread, flags.spread, about)
    if flags.report is not None:
        from napari_ptycho.assess.picture import write_picture

        write_picture(found.reconstruction, scan, flags.report)


def _progress(update: "Update[Predicted]") -> str:
    return f"{update.done:.0f} of {update.total:.0f} patterns"


def numbers(found: "Predicted") -> dict[str, Any]:
    """Return what is known of a prediction, fit for JSON."""
    return {
        "patterns": len(found.frames),
        "r_factor": show.finite(found.r_factor),
        "r_flat": show.finite(found.r_flat),
    }


def in_words(found: "Predicted") -> str:
    """Return how well the patterns are explained, beside a flat object."""
    if not math.isfinite(found.r_factor):
        return f"{len(found.frames)} patterns"
    return (
        f"{len(found.frames)} patterns, R factor {found.r_factor:.4f} "
        f"(a flat object: {found.r_flat:.4f})"
    )


def _say(flags: PredictFlags, last: "Update[Predicted]", seconds: float, stopped: bool) -> None:
    beside = [path for path in (flags.spread, flags.report) if path is not None]
    show.lines((f"{path} written." for path in beside), flags.json)
    words = f"{flags.output} written: {in_words(last.result)}, {seconds:.1f} s."
    show.lines([words], flags.json)
    if flags.json:
        show.as_json(
            {
                "file": str(flags.file),
                "checkpoint": flags.checkpoint,
                "output": str(flags.output),
                "spread": None if flags.spread is None else str(flags.spread),
                "report": None if flags.report is None else str(flags.report),
                **numbers(last.result),
                "seconds": seconds,
                "stopped": stopped,
                "notes": list(last.notes),
            }
        )
