"""All commands in one table, and how their failures reach the user."""

from pathlib import Path
from typing import Annotated, Any

import typer

import napari_ptycho
from napari_ptycho.cli import flags, show
from napari_ptycho.cli.batch import BatchFlags, batch
from napari_ptycho.cli.bin import BinFlags, bin_scan
from napari_ptycho.cli.browse import BrowseFlags, browse
from napari_ptycho.cli.check import CheckFlags, check
from napari_ptycho.cli.denoise import DenoiseFlags, denoise
from napari_ptycho.cli.difference import DifferenceFlags, find_difference
from napari_ptycho.cli.export import ExportFlags, export, forms
from napari_ptycho.cli.finetune import FinetuneFlags, finetune
from napari_ptycho.cli.frc import FrcFlags, frc
from napari_ptycho.cli.info import InfoFlags, info
from napari_ptycho.cli.jobs import JobsFlags, jobs
from napari_ptycho.cli.listing import (
    EnginesFlags,
    FormatsFlags,
    NetworksFlags,
    PresetsFlags,
    engines,
    formats,
    networks,
    presets,
)
from napari_ptycho.cli.orient import OrientFlags, orient
from napari_ptycho.cli.predict import PredictFlags, predict
from napari_ptycho.cli.reconstruct import ReconstructFlags, named, reconstruct
from napari_ptycho.cli.resolution_map import ResolutionMapFlags, resolution_map
from napari_ptycho.cli.run import RunFlags, run_recipe
from napari_ptycho.cli.simulate import SimulateFlags, simulate
from napari_ptycho.cli.train import TrainFlags, train
from napari_ptycho.cli.watch import WatchFlags, watch
from napari_ptycho.cli.window import OpenFlags, open_window
from napari_ptycho.errors import PtychoError

USAGE_ERROR: Any = typer.BadParameter.__mro__[1]
"""What typer raises for anything wrong with the flags."""

app = typer.Typer(
    name="napari-ptycho",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
flags.add(app, "open", OpenFlags, open_window)
flags.add(app, "info", InfoFlags, info)
flags.add(app, "browse", BrowseFlags, browse)
flags.add(app, "bin", BinFlags, bin_scan)
flags.add(app, "export", ExportFlags, export, forms)
flags.add(app, "orient", OrientFlags, orient)
flags.add(app, "run", RunFlags, run_recipe)
flags.add(app, "reconstruct", ReconstructFlags, reconstruct, named)
flags.add(app, "batch", BatchFlags, batch)
flags.add(app, "watch", WatchFlags, watch, named)
flags.add(app, "denoise", DenoiseFlags, denoise)
flags.add(app, "train", TrainFlags, train)
flags.add(app, "predict", PredictFlags, predict)
flags.add(app, "finetune", FinetuneFlags, finetune)
flags.add(app, "frc", FrcFlags, frc)
flags.add(app, "difference", DifferenceFlags, find_difference)
flags.add(app, "resolution-map", ResolutionMapFlags, resolution_map)
flags.add(app, "check", CheckFlags, check)
flags.add(app, "jobs", JobsFlags, jobs)
flags.add(app, "engines", EnginesFlags, engines)
flags.add(app, "presets", PresetsFlags, presets)
flags.add(app, "networks", NetworksFlags, networks)
flags.add(app, "formats", FormatsFlags, formats)
flags.add(app, "simulate", SimulateFlags, simulate)


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    sample: Annotated[str, typer.Option(metavar="NAME", help="Open this sample.")] = "",
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Ptychography: scans, position binning, reconstruction.

    Without a command, or with a FILE in its place, napari opens with the docks.
    """
    if version:
        typer.echo(f"napari-ptycho {napari_ptycho.__version__}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        raise typer.Exit(open_window(OpenFlags(sample=sample)))


def run(words: list[str]) -> int:
    """Run a command line and return its exit code; a bad one is told in one sentence."""
    commands = [str(command.name) for command in app.registered_commands]
    if words and not words[0].startswith("-") and words[0] not in commands:
        if not Path(words[0]).exists():
            named = ", ".join(commands)
            show.error(f"'{words[0]}' is neither a file nor a command; commands are {named}")
            return 2
        words = ["open", *words]
    try:
        code = app(words, standalone_mode=False)
    except PtychoError as error:
        show.error(str(error))
        return 2
    except USAGE_ERROR as error:
        show.error(f"{error.format_message().rstrip('.')} (--help lists the flags)")
        return 2
    return int(code or 0)
