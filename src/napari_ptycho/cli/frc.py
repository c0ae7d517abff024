"""`napari-ptycho frc`: up to which detail do two images agree, or the parts of one?"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import Channel, Image, Json, Overwrite, check_output, pairs

if TYPE_CHECKING:  # --help must open at once
    from napari_ptycho.assess.correlation import Frc


@dataclass(frozen=True)
class FrcFlags:
    """Fourier ring correlation of two independent images, or of the parts of one.

    Resolutions are given by several conventions, each by its name. Of an image that was denoised
    or filtered the parts of one image say nothing: compare two halves.
    """

    a: Image
    b: Annotated[
        Path | None,
        typer.Argument(metavar="[B]", help="A second image with noise of its own, same channel."),
    ] = None
    channel: Channel = "phase"
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="mode, window, threshold, convention, rings, smoothing, ignore, compensate, crop.",
        ),
    ] = None
    align: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="What of B is brought onto A: shift, phase, ramp, scale; as shift=no. All by "
            "default, in siFRC's mode nothing.",
        ),
    ] = None
    csv: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write the curve and its thresholds.")
    ] = None
    overwrite: Overwrite = False
    json: Json = False


def frc(flags: FrcFlags) -> int:
    """Print the crossings and resolutions, or JSON."""
    from napari_ptycho.assess.correlation import frc as correlate
    from napari_ptycho.assess.frc_options import FrcOptions
    from napari_ptycho.assess.plane import read_plane
    from napari_ptycho.assess.registration import AlignOptions

    options = FrcOptions.from_words(pairs(flags.set_ or (), "--set"))
    align = AlignOptions.from_words(pairs(flags.align, "--align")) if flags.align else None
    if flags.csv is not None:
        check_output(flags.csv, flags.overwrite, {"image": flags.a, "second image": flags.b})
    with show.busy(f"reading {flags.a.name}"):
        first = read_plane(flags.a, flags.channel)
        second = None if flags.b is None else read_plane(flags.b, flags.channel)
        found = correlate(first, second, options, align)
    if flags.csv is not None:
        from napari_ptycho.assess.export import write_curves

        write_curves(flags.csv, [found.curve])
    if flags.json:
        files = {"a": str(flags.a), "b": None if flags.b is None else str(flags.b)}
        show.as_json({**files, "channel": flags.channel, **found.as_dict()})
        return 0
    show.out().print(_table(found))
    best = found.resolution()
    show.lines([f"{found.label}: {found.crossing().words}."])
    if best.value is not None:
        show.lines([f"{best.name} ({best.formula}): {best.text()}; {best.help}."])
    show.lines([f"FRC at Nyquist: {found.at_nyquist:.3f}."])
    show.lines(f"! {text}" for text in found.warnings)
    show.lines(f"- {text}" for text in found.notes)
    if flags.csv is not None:
        show.lines([f"{flags.csv} written."])
    return 0


def _table(found: "Frc") -> Any:
    """Return a table with a row per threshold; the chosen one has a star."""
    from rich.table import Table

    rows = {name: found.resolutions(name) for name in found.crossings}
    chosen = rows[found.options.threshold]
    known = [i for i, one in enumerate(chosen) if _applies(found, one.formula)]
    lengths = f"lengths in {chosen[-1].unit}"
    table = Table(box=None, pad_edge=False, caption=lengths, caption_justify="left")
    table.add_column("threshold", no_wrap=True)
    for i in known:
        title = chosen[i].name.replace(" ", "\n").replace("/", "/\n")
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("last", justify="right", no_wrap=True)
    for name, row in rows.items():
        star = " *" if name == found.options.threshold else ""
        cells = [row[i].value for i in known] + [found.crossings[name].last]
        table.add_row(f"{name}{star}", *("–" if v is None else f"{v:.4g}" for v in cells))
    return table


def _applies(found: "Frc", formula: str) -> bool:
    """Whether a convention is for such a curve."""
    return found.single or formula != "for one image only"
