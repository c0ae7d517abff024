"""`napari-ptycho bin FILE --size 2x2 -o OUT`: position binning."""

from dataclasses import dataclass
from typing import Annotated

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import (
    SIZE_HELP,
    Every,
    File,
    Json,
    Neighbours,
    Output,
    Overwrite,
    check_output,
)
from napari_ptycho.cli.reading import ReadFlags, read_scan


@dataclass(frozen=True)
class BinFlags(ReadFlags):
    """Sum the patterns of neighbouring positions and write the binned scan."""

    file: File
    size: Annotated[str, typer.Option(help=SIZE_HELP)]
    output: Output
    neighbours: Neighbours = "path"
    every: Every = 1
    overwrite: Overwrite = False
    json: Json = False


def bin_scan(flags: BinFlags) -> int:
    """Print the report and write the binned scan."""
    from napari_ptycho.prepare.text import parse_size

    size = parse_size(flags.size)
    check_output(flags.output, flags.overwrite, {"scan": flags.file, "positions": flags.positions})

    from napari_ptycho.io import write_scan
    from napari_ptycho.prepare import bin_positions, keep_every, sparse_report

    with show.busy(f"reading {flags.file.name}"):
        scan = read_scan(flags.file, flags)
        report = sparse_report(scan, flags.every, size, flags.neighbours)
    show.lines(report.lines(), flags.json)
    show.lines((f"! {warning}" for warning in report.warnings), flags.json)
    with show.busy(f"binning {len(scan)} patterns"):
        binned = bin_positions(keep_every(scan, flags.every), size, flags.neighbours)
        write_scan(binned, flags.output)
    show.lines([f"{flags.output} written, {len(binned)} patterns."], flags.json)
    if flags.json:
        values = {"file": str(flags.file), "output": str(flags.output)}
        show.as_json({**values, "notes": list(binned.notes), "report": report.as_dict()})
    return 0
