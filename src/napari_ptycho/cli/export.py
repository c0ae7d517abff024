"""`napari-ptycho export FILE -o OUT`: a scan or a reconstruction in another format."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import Json, Output, Overwrite, check_output
from napari_ptycho.cli.reading import ReadFlags, read_scan
from napari_ptycho.errors import FileError

if TYPE_CHECKING:
    from napari_ptycho.model import Reconstruction, Scan

FORMAT_HELP = "Format of OUT, where its ending does not say which. {forms}"


@dataclass(frozen=True)
class ExportFlags(ReadFlags):
    """Write a scan or a reconstruction in another format, for other programs."""

    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A scan or a reconstruction of any known format.")
    ]
    output: Output
    format: Annotated[str, typer.Option(metavar="KEY", help=FORMAT_HELP)] = ""
    overwrite: Overwrite = False
    json: Json = False


def forms() -> dict[str, str]:
    """Return the text that lists the formats, by the word it replaces in the help."""
    from napari_ptycho import io

    lists = []
    for kind in ("scan", "reconstruction"):
        named = [f"{writer.key} ({writer.suffix}, {writer.title})" for writer in io.writers(kind)]
        lists.append(f"Of a {kind}: {'; '.join(named)}.")
    return {"forms": " ".join(lists)}


def export(flags: ExportFlags) -> int:
    """Read the file and write it."""
    sources = {"file": flags.file, "positions": flags.positions}
    check_output(flags.output, flags.overwrite, sources)

    from napari_ptycho.io.forms import table as writing

    with show.busy(f"reading {flags.file.name}"):
        thing = _read(flags)
    kind = writing.kind_of(thing)
    if flags.format:
        writer = writing.named(kind, flags.format)
    else:
        writer = writing.by_name(kind, flags.output)
    with show.busy(f"writing {flags.output.name}"):
        writer.write(thing, flags.output)
    show.lines([f"{flags.output} written: {kind} {thing.name} as {writer.title}."], flags.json)
    if flags.json:
        said = {"file": str(flags.file), "output": str(flags.output)}
        show.as_json({**said, "kind": kind, "name": thing.name, "format": writer.key})
    return 0


def _read(flags: ExportFlags) -> "Scan | Reconstruction":
    """Return what the file holds; where no format knows it, the flags or a saved layout may."""
    from napari_ptycho import io
    from napari_ptycho.io.opened import opened

    try:
        with opened(flags.file) as (form, _):
            is_scan = form.read_scan is not None
    except FileError:
        is_scan = True
    return read_scan(flags.file, flags) if is_scan else io.read_reconstruction(flags.file)
