"""`napari-ptycho finetune SCAN --checkpoint NET -o OUT`: teach a network one scan, by physics."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    progress,
)
from napari_ptycho.cli.predict import in_words, numbers
from napari_ptycho.cli.reading import ReadFlags, read_scan
from napari_ptycho.cli.resuming import AutosaveEvery, Restart, announced, autosave_of, left_behind
from napari_ptycho.networks.options import FinetuneOptions

if TYPE_CHECKING:  # --help must open at once
    from napari_ptycho.job import Update
    from napari_ptycho.networks.result import Tuned

CURVES = {"loss": "loss", "r_factor": "R", "held_out": "held out"}


@dataclass(frozen=True)
class FinetuneFlags(ReadFlags):
    """Teach a network the patterns of one scan, without labels, and predict its object.

    The probe must be known: from the scan, the network's training, or --probe-from. A falling R
    factor is not a better phase: patterns that are held out say when to stop. Ctrl-C keeps what
    was reached.
    """

    file: File
    checkpoint: Checkpoint
    output: Output
    save_network: Annotated[
        Path | None, typer.Option(metavar="NET2", help="Also write the network that was reached.")
    ] = None
    epochs: Annotated[int | None, typer.Option(help="Passes over all patterns, at most.")] = None
    probe_from: ProbeFrom = None
    set_: Set = None
    device: Device = "auto"
    threads: Threads = None
    autosave: AutosaveEvery = 60.0
    restart: Restart = False
    overwrite: Overwrite = False
    json: Json = False


def finetune(flags: FinetuneFlags) -> int:
    """Do what the flags say and return the exit code."""
    options = changed(FinetuneOptions(), {"epochs": flags.epochs}, flags.set_)
    sources = {"scan": flags.file, "network": file_of(flags.checkpoint), "probe": flags.probe_from}
    check_outputs((flags.output, flags.save_network), flags.overwrite, sources)
    network, probe = opened(flags.checkpoint), probe_of(flags.probe_from)

    from napari_ptycho import device, io, networks
    from napari_ptycho.io.autosave import beside

    resume = left_behind(beside(flags.output), flags.restart)
    scan = read_scan(flags.file, flags)
    began = time.monotonic()
    about = {"title": options.title, "scan": str(flags.file)}
    autosave = autosave_of(flags.output, flags.autosave, about)
    with device.threads(flags.threads):
        job = networks.finetune(
            scan, network, options, probe, flags.device, autosave=autosave, resume=resume
        )
        job = announced(job, resume, "epoch", flags.json)
        bar = show.Bar(options.title, options.epochs)
        last, stopped = driven(job, bar, lambda update: progress(update, CURVES))
    if last is None:
        return nothing_reached()
    io.write_reconstruction(last.result.predicted.reconstruction, flags.output)
    if flags.save_network is not None:
        networks.save(last.result.network, flags.save_network)
    beside(flags.output).unlink(missing_ok=True)
    _say(flags, last, time.monotonic() - began, stopped)
    return STOPPED if stopped else 0


def _say(flags: FinetuneFlags, last: "Update[Tuned]", seconds: float, stopped: bool) -> None:
    result = last.result
    if stopped:
        show.error(f"stopped; the best so far is in {flags.output}")
    show.lines((f"- {note}" for note in last.notes), flags.json)
    if flags.save_network is not None:
        show.lines([f"{flags.save_network} written."], flags.json)
    words = f"best at epoch {result.epoch} of {last.done:.4g}, {in_words(result.predicted)}"
    show.lines([f"{flags.output} written: {words}, {seconds:.1f} s."], flags.json)
    if flags.json:
        show.as_json(
            {
                "file": str(flags.file),
                "checkpoint": flags.checkpoint,
                "output": str(flags.output),
                "network": None if flags.save_network is None else str(flags.save_network),
                **numbers(result.predicted),
                "epochs": last.done,
                "best_epoch": result.epoch,
                "scale": show.finite(result.scale),
                "history": {n: [show.finite(v) for v in had] for n, had in last.history.items()},
                "seconds": seconds,
                "stopped": stopped,
                "notes": list(last.notes),
            }
        )
