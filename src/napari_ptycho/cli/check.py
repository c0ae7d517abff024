"""`napari-ptycho check`: which details of a denoised image do the measured photons support?"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import Device, Json, Overwrite, Threads, check_output, pairs
from napari_ptycho.cli.reading import ReadFlags, read_scan_of

if TYPE_CHECKING:  # --help must open at once
    from napari_ptycho.assess.plane import Plane
    from napari_ptycho.assess.verdict import Check
    from napari_ptycho.model import Reconstruction


@dataclass(frozen=True)
class CheckFlags(ReadFlags):
    """Check a denoised or predicted image for hallucinations, by the photons of its scan.

    Half of the photons are reconstructed and denoised as the whole was; the other half judges.
    The exit code is 0 whatever the verdict; it is in the first line and in the JSON.
    """

    file: Annotated[
        Path,
        typer.Argument(
            metavar="DENOISED", help="A denoised reconstruction, or an image (TIFF, NPY)."
        ),
    ]
    scan: Annotated[
        Path | None,
        typer.Option(metavar="SCAN", help="Its scan. Kept and binned here as it was."),
    ] = None
    original: Annotated[
        Path | None,
        typer.Option(metavar="RECON", help="The reconstruction before it was denoised."),
    ] = None
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="Report to write: .html or .json."),
    ] = None
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An option of the check (see docs)."),
    ] = None
    device: Device = "auto"
    threads: Threads = None
    overwrite: Overwrite = False
    json: Json = False


def check(flags: CheckFlags) -> int:
    """Do what the flags say and return the exit code."""
    from napari_ptycho import assess, device, io
    from napari_ptycho.assess.check_options import CheckOptions
    from napari_ptycho.assess.check_report import write_report

    options = CheckOptions.from_words(pairs(flags.set_ or (), "--set"))
    if flags.output is not None:
        sources = {"image": flags.file, "scan": flags.scan, "original": flags.original}
        check_output(flags.output, flags.overwrite, sources)
    original = None if flags.original is None else io.read_reconstruction(flags.original)
    denoised = _denoised(flags.file)
    scan = None
    if flags.scan is not None:
        of = original if original is not None else denoised
        scan = read_scan_of(of, flags.scan, flags)
    found: Check | None = None
    with device.threads(flags.threads), show.Bar("check", 100) as bar:
        for update in assess.check(denoised, original, scan, options, device=flags.device):
            found = update.result
            bar.show(update.done, found.doing)
    assert found is not None  # the last update is the whole check
    if flags.output is not None:
        write_report(found, flags.output)
    _say(flags, found)
    return 0


def _denoised(path: Path) -> "Reconstruction | Plane":
    from napari_ptycho import io
    from napari_ptycho.assess.plane import read_plane

    return read_plane(path) if io.is_image(path) else io.read_reconstruction(path)


def _say(flags: CheckFlags, found: "Check") -> None:
    lines = [found.sentence(), *(f"- {one.test}: {one.sentence}" for one in found.evidence)]
    lines += [f"- note: {note}" for note in found.notes]
    if flags.output is not None:
        lines.append(f"{flags.output} written.")
    show.lines(lines, flags.json)
    if flags.json:
        values: dict[str, Any] = {"file": str(flags.file), **found.as_dict()}
        show.as_json({**values, "report": None if flags.output is None else str(flags.output)})
