"""`napari-ptycho simulate NAME -o OUT`: write a sample scan to a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import Json, Output, Overwrite, check_outputs, pairs, replaced
from napari_ptycho.errors import OptionsError


@dataclass(frozen=True)
class SimulateFlags:
    """Write a sample scan to a file: simulated ones, or the real ones that can be fetched."""

    name: Annotated[str, typer.Argument(metavar="NAME", help="A wrong name lists all.")]
    output: Output
    set: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Any option of the sample (docs: command line)."),
    ] = None
    truth: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what was simulated too, as a reconstruction."),
    ] = None
    overwrite: Overwrite = False
    json: Json = False


def simulate(flags: SimulateFlags) -> int:
    """Make the scan and write it.

    Raises:
        OptionsError: There is no such sample, or no truth of it is known.
        FileError: A file cannot be written, or exists.
    """
    check_outputs((flags.output, flags.truth), flags.overwrite, {})

    from napari_ptycho import samples
    from napari_ptycho.io import write_reconstruction, write_scan

    if flags.name not in samples.SAMPLES:
        named = "; ".join(f"{key} ({title})" for key, title in samples.SAMPLES.items())
        raise OptionsError(f"no sample '{flags.name}'; there is {named}")
    if flags.truth is not None and flags.name not in samples.PHANTOMS:
        raise OptionsError(f"{flags.name} was measured: its truth is unknown; leave --truth out")
    options = replaced(samples.options_of(flags.name), pairs(flags.set or (), "--set"))
    with show.busy(f"making {flags.name}"):
        scan = samples.open_sample(flags.name, options)
        write_scan(scan, flags.output)
        if flags.truth is not None:
            write_reconstruction(samples.simulated(flags.name, options)[1], flags.truth)
    show.lines([f"{flags.output} written, {len(scan)} patterns."], flags.json)
    if flags.json:
        shape = {"patterns": len(scan), "height": scan.frame_shape[0], "width": scan.frame_shape[1]}
        show.as_json({"name": flags.name, "output": str(flags.output), **shape})
    return 0
