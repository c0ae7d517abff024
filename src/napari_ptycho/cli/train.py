"""`napari-ptycho train RECON... --scan SCAN -o NET`: teach a network what was reconstructed."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import (
    Device,
    Json,
    Output,
    Overwrite,
    Threads,
    check_output,
    pairs,
)
from napari_ptycho.cli.interrupt import STOPPED, driven, nothing_reached
from napari_ptycho.cli.network import (
    ProbeFrom,
    Set,
    changed,
    file_of,
    opened,
    probe_of,
    progress,
)
from napari_ptycho.cli.reading import ReadFlags, read_scan_of
from napari_ptycho.cli.resuming import AutosaveEvery, Restart, announced, autosave_of, left_behind
from napari_ptycho.errors import OptionsError
from napari_ptycho.networks.architectures import ARCHITECTURES, ArchitectureName
from napari_ptycho.networks.options import SimulationOptions, TrainOptions

if TYPE_CHECKING:  # --help must open at once
    from napari_ptycho.job import Update
    from napari_ptycho.networks.network import Network
    from napari_ptycho.networks.pairs import Pairs
    from napari_ptycho.networks.result import Trained

CURVES = {"loss": "loss", "validation": "validation", "correlation": "correlation"}


@dataclass(frozen=True)
class TrainFlags(ReadFlags):
    """Teach a network to lead from patterns to the object, by reconstructions or a simulation.

    Each reconstruction needs its scan: --scan once for each, in the same order. What validates is
    never what was learnt: whole scans, or the last lines of a single one. Ctrl-C keeps the best; a
    training that was killed goes on with the same command.
    """

    output: Output
    reconstructions: Annotated[
        list[Path] | None, typer.Argument(metavar="RECON...", help="Reconstructions.")
    ] = None
    scan: Annotated[
        list[Path] | None,
        typer.Option(metavar="SCAN", help="The scan of each. Binned here as it was there."),
    ] = None
    network: Annotated[
        ArchitectureName | None,
        typer.Option(help="; ".join(f"{name}: {a.title}" for name, a in ARCHITECTURES.items())),
    ] = None
    lines: Annotated[
        float,
        typer.Option(min=0.01, max=1, help="Share of each scan's lines to use, from the first on."),
    ] = 1.0
    validation: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the patterns that validate.")
    ] = 0.15
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Learn from simulated patterns; no RECON is needed.")
    ] = False
    sim_set: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="An option of the simulation (see docs/networks)."),
    ] = None
    image: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Make objects of this image (--image again for more)."),
    ] = None
    probe_from: ProbeFrom = None
    start: Annotated[str | None, typer.Option(metavar="NET", help="Go on from this network.")] = (
        None
    )
    epochs: Annotated[int | None, typer.Option(help="Passes over all pairs, at most.")] = None
    batch: Annotated[int | None, typer.Option(help="Patterns per step.")] = None
    set_: Set = None
    device: Device = "auto"
    threads: Threads = None
    autosave: AutosaveEvery = 60.0
    restart: Restart = False
    overwrite: Overwrite = False
    json: Json = False


def train(flags: TrainFlags) -> int:
    """Do what the flags say and return the exit code."""
    _check(flags)
    options = options_of(flags)
    _check_output(flags)
    start = None if flags.start is None else opened(flags.start)
    if start is not None:
        options = _as(start, flags)

    from napari_ptycho import device, networks
    from napari_ptycho.io.autosave import beside

    resume = left_behind(beside(flags.output), flags.restart)
    began = time.monotonic()
    autosave = autosave_of(flags.output, flags.autosave, {"title": options.title})
    with device.threads(flags.threads):
        known = pairs_of(flags)
        job = networks.train(known, options, start, flags.device, autosave=autosave, resume=resume)
        job = announced(job, resume, "epoch", flags.json)
        bar = show.Bar(options.title, options.epochs)
        last, stopped = driven(job, bar, lambda update: progress(update, CURVES))
    if last is None:
        return nothing_reached()
    networks.save(last.result.network, flags.output)
    beside(flags.output).unlink(missing_ok=True)
    _say(flags, last, time.monotonic() - began, stopped)
    return STOPPED if stopped else 0


def _check(flags: TrainFlags) -> None:
    known, scans = len(flags.reconstructions or ()), len(flags.scan or ())
    if flags.simulate:
        if known or scans:
            raise OptionsError("--simulate needs no reconstruction; leave out RECON and --scan")
        return
    for name in ("sim_set", "probe_from", "image"):
        if getattr(flags, name):
            raise OptionsError(f"--{name.replace('_', '-')} needs --simulate")
    if not known:
        raise OptionsError("there is nothing to learn from: give reconstructions, or --simulate")
    if known != scans:
        raise OptionsError(
            f"{known} reconstructions but {scans} scans: give --scan once for each, in their order"
        )


def _check_output(flags: TrainFlags) -> None:
    read: dict[str, Path | None] = {}
    for what, paths in (("reconstruction", flags.reconstructions), ("scan", flags.scan)):
        read |= {f"{what} {number}": path for number, path in enumerate(paths or (), 1)}
    if flags.start is not None:
        read["network"] = file_of(flags.start)
    check_output(flags.output, flags.overwrite, read)


def options_of(flags: TrainFlags) -> TrainOptions:
    """Return the options that the flags name.

    Raises:
        OptionsError: They contradict each other, or a value is not allowed.
    """
    if "architecture" in pairs(flags.set_ or (), "--set"):
        raise OptionsError("--set architecture: it has a flag of its own, --network")
    known = TrainOptions.of(flags.network or next(iter(ARCHITECTURES)))
    return changed(known, {"epochs": flags.epochs, "batch": flags.batch}, flags.set_)


def _as(start: "Network", flags: TrainFlags) -> TrainOptions:
    """Return the options that suit the network to start from."""
    if flags.network not in (None, start.architecture):
        raise OptionsError(
            f"--start {flags.start} is {start.kind.title}; leave out --network {flags.network}"
        )
    if "scaling" in pairs(flags.set_ or (), "--set"):
        raise OptionsError(f"--start {flags.start} has a scaling already; leave out --set scaling")
    return options_of(replace(flags, network=start.architecture))  # type: ignore[arg-type]


def pairs_of(flags: TrainFlags) -> "Pairs":
    """Return what the network learns from.

    Raises:
        FileError: A file cannot be read.
        ScanError: A reconstruction is not of its scan, or nothing is left to learn or validate.
        OptionsError: An option of the simulation is not allowed.
    """
    from napari_ptycho import io, networks
    from napari_ptycho.networks.images import read

    if flags.simulate:
        simulation = SimulationOptions.from_words(pairs(flags.sim_set or (), "--sim-set"))
        probe = probe_of(flags.probe_from)
        images = {path.stem: read(path) for path in flags.image or ()}
        with show.busy(f"simulating {simulation.patterns} patterns"):
            return networks.simulated_pairs(simulation, probe, images or None)
    known = []
    for file, of in zip(flags.reconstructions or (), flags.scan or (), strict=True):
        with show.busy(f"reading {of.name}"):
            reconstruction = io.read_reconstruction(file)
            known.append((read_scan_of(reconstruction, of, flags), reconstruction))
    return networks.pairs_of(known, flags.validation, flags.lines)


def _say(flags: TrainFlags, last: "Update[Trained]", seconds: float, stopped: bool) -> None:
    result, network = last.result, last.result.network
    if stopped:
        show.error(f"stopped; the best network so far is in {flags.output}")
    show.lines((f"- {note}" for note in last.notes), flags.json)
    parts = [f"{flags.output} written: {network.kind.title}, best at epoch {result.epoch:.4g}"]
    parts += [f"{name} {result.scores[name]:.4g}" for name in CURVES if name in result.scores]
    show.lines([", ".join([*parts, f"{seconds:.1f} s"]) + "."], flags.json)
    if flags.json:
        show.as_json(
            {
                "output": str(flags.output),
                "architecture": network.architecture,
                "parameters": network.kind.parameters,
                "epochs": last.done,
                "best_epoch": result.epoch,
                "scores": {name: show.finite(value) for name, value in result.scores.items()},
                "baseline": {name: show.finite(value) for name, value in result.baseline.items()},
                "history": {n: [show.finite(v) for v in had] for n, had in last.history.items()},
                "seconds": seconds,
                "stopped": stopped,
                "notes": list(last.notes),
            }
        )
