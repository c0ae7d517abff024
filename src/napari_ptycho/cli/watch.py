"""`napari-ptycho watch PATH -o OUT.h5`: reconstruct a scan while it is being written."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import (
    Device,
    Json,
    Output,
    Overwrite,
    Threads,
    check_output,
    check_outputs,
)
from napari_ptycho.cli.interrupt import STOPPED
from napari_ptycho.cli.network import ProbeFrom, file_of, opened, probe_of
from napari_ptycho.cli.reading import geometry, how_read
from napari_ptycho.cli.stages import ChainFlags, changed, chosen
from napari_ptycho.errors import JobError, OptionsError
from napari_ptycho.live.options import WatchOptions
from napari_ptycho.networks import SHIPPED

if TYPE_CHECKING:  # --help must open at once
    from napari_ptycho.engines import EngineOptions
    from napari_ptycho.job import Update
    from napari_ptycho.live.watched import Watched
    from napari_ptycho.model import Reconstruction

PNG_S = 5.0
"""Between two pictures."""
LOG_S = 10.0
"""Between two lines of a log."""


@dataclass(frozen=True, kw_only=True)
class WatchFlags(ChainFlags):
    """Reconstruct a scan while it is being written; Ctrl-C keeps what was reached.

    The file or the folder need not be there yet. What has arrived is gone over again and again;
    when all frames are there, the engines go over all of them.
    """

    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file, or a folder of frames.")]
    output: Output
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NET", help=f"Also predict, at once: a file, or {', '.join(SHIPPED)}."
        ),
    ] = None
    prediction: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write what the network predicts.")
    ] = None
    only_predict: Annotated[
        bool, typer.Option("--only-predict", help="No engine: OUT is what the network predicts.")
    ] = False
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Epochs over all frames at the end, per stage; else what the stage asks for, "
            f"{WatchOptions.epochs} at most.",
        ),
    ] = None
    patience: Annotated[
        float,
        typer.Option(metavar="S", help="Seconds without a new frame that end the watch."),
    ] = WatchOptions.patience_s
    wait: Annotated[
        float, typer.Option(metavar="S", help="Seconds to wait for the first frame.")
    ] = WatchOptions.wait_s
    png: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="A picture of the phase, rewritten all the time."),
    ] = None
    probe_from: ProbeFrom = None
    device: Device = "auto"
    threads: Threads = None
    overwrite: Overwrite = False
    json: Json = False


def watch(flags: WatchFlags) -> int:
    """Do what the flags say and return the exit code."""
    stages = _stages(flags)
    epochs = flags.epochs or WatchOptions.epochs
    options = WatchOptions(patience_s=flags.patience, wait_s=flags.wait, epochs=epochs)
    _check_files(flags)
    network = None if flags.network is None else opened(flags.network)
    probe = probe_of(flags.probe_from)

    from napari_ptycho import device, io, live

    began = time.monotonic()
    growing = io.open_growing(flags.path, **how_read(flags, geometry(flags)))
    with device.threads(flags.threads):
        job = live.watch(growing, network, stages, options, flags.device, probe)
        last, stopped = _drive(job, flags)
    if last is None or _main(last.result, flags) is None:
        show.lines((f"- {note}" for note in (last.notes if last else ())), flags.json)
        raise JobError(f"{flags.path.name}: nothing was reached; nothing was written")
    _write(last.result, flags)
    _say(flags, last, time.monotonic() - began, stopped)
    return STOPPED if stopped else 0


def _stages(flags: WatchFlags) -> "tuple[EngineOptions, ...] | None":
    """Return the engines that are asked for.

    Raises:
        OptionsError: Flags contradict each other.
    """
    given = [
        name for name in ("engine", "preset", "chain", "options", "set") if getattr(flags, name)
    ]
    if flags.only_predict or flags.prediction is not None:
        what = "--only-predict" if flags.only_predict else "--prediction"
        if flags.network is None:
            raise OptionsError(f"{what} needs a network; name it by --network")
    if flags.only_predict:
        if given:
            raise OptionsError(f"--only-predict and --{given[0]} contradict each other")
        return None
    plan = chosen(flags)
    if plan is None:
        raise OptionsError(
            "--preset suggested looks at the whole scan, which is not there yet; name an engine"
        )
    return changed(plan.stages, flags)


def _check_files(flags: WatchFlags) -> None:
    sources = {"scan": flags.path, "chain": flags.chain, "options file": flags.options}
    sources["network"] = None if flags.network is None else file_of(flags.network)
    check_outputs((flags.output, flags.prediction), flags.overwrite, sources)
    if flags.png is not None:
        check_output(flags.png, True, sources)


def _drive(
    job: "Iterator[Update[Watched]]", flags: WatchFlags
) -> "tuple[Update[Watched] | None, bool]":
    """Run the job and tell how far it is; Ctrl-C ends it and keeps the last update."""
    last, stopped = None, False
    log = _every(LOG_S, lambda text: show.err().print(text, markup=False))
    draw = _every(PNG_S, lambda found: _draw(found, flags))
    with show.err().status("") as status:
        try:
            for last in job:
                text = _text(last)
                status.update(text)
                if not show.err().is_terminal:
                    log(text)
                draw(_main(last.result, flags))
        except KeyboardInterrupt:
            stopped = True
        finally:
            getattr(job, "close", lambda: None)()
    return last, stopped


def _every(seconds: float, do: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a function that does something at most once in so many seconds."""
    due = [0.0]

    def sometimes(value: Any) -> None:
        if time.monotonic() >= due[0]:
            do(value)
            due[0] = time.monotonic() + seconds

    return sometimes


def _text(update: "Update[Watched]") -> str:
    watched = update.result
    if watched.phase == "finishing":
        return f"{watched.text()}; the last {update.done:.0f} of {update.total:.0f} epochs"
    return watched.text()


def _main(watched: "Watched", flags: WatchFlags) -> "Reconstruction | None":
    """Return what goes to OUT."""
    if not flags.only_predict:
        return watched.reconstruction
    return None if watched.predicted is None else watched.predicted.reconstruction


def _draw(found: "Reconstruction | None", flags: WatchFlags) -> None:
    if flags.png is not None and found is not None:
        from napari_ptycho.assess.picture import write_thumbnail

        write_thumbnail(found, flags.png, side=1024)


def _write(watched: "Watched", flags: WatchFlags) -> None:
    from napari_ptycho import io

    found = _main(watched, flags)
    assert found is not None  # asked by the caller
    io.write_reconstruction(found, flags.output)
    if flags.prediction is not None and watched.predicted is not None:
        io.write_reconstruction(watched.predicted.reconstruction, flags.prediction)
    _draw(found, flags)


def _say(flags: WatchFlags, last: "Update[Watched]", seconds: float, stopped: bool) -> None:
    watched = last.result
    if stopped:
        show.error(f"stopped; what was reached is in {flags.output}")
    show.lines((f"- {note}" for note in last.notes), flags.json)
    show.lines([f"{flags.output} written: {watched.text()}, {seconds:.1f} s."], flags.json)
    if flags.json:
        show.as_json(
            {
                "path": str(flags.path),
                "output": str(flags.output),
                "prediction": None if flags.prediction is None else str(flags.prediction),
                "frames": watched.arrived,
                "expected": watched.expected,
                "scan_checksum": watched.checksum,
                "epochs": watched.epochs,
                "error": show.finite(watched.error),
                "seconds": seconds,
                "stopped": stopped,
                "notes": list(last.notes),
            }
        )
