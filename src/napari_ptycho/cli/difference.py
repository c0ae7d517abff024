"""`napari-ptycho difference A B`: how far is an image from a reference, and where?"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import Image, Json, Overwrite, check_output, pairs
from napari_ptycho.errors import OptionsError

if TYPE_CHECKING:  # --help must open at once
    from napari_ptycho.assess.differences import Difference
    from napari_ptycho.assess.scores import Metrics

Map = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="MAP",
        help="Write the map: .png with scale bar and colour bar, .tif, .h5.",
    ),
]


@dataclass(frozen=True)
class DifferenceFlags:
    """What sets an image apart from a reference: difference, PSNR, SSIM, resolution and more.

    The image is brought onto the reference first; what was found is printed.
    """

    a: Image
    b: Annotated[Path, typer.Argument(metavar="B", help="The reference, of the same kind.")]
    channel: Annotated[
        Literal["phase", "amplitude", "complex"], typer.Option(help="Of reconstructions.")
    ] = "phase"
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="shift, phase, ramp, scale (yes or no: what is removed first), kind (absolute, "
            "relative, sigma), of, span, ssim_window, normalise.",
        ),
    ] = None
    half: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Given twice: halves of the reference's data; kind=sigma uses them.",
        ),
    ] = None
    output: Map = None
    overwrite: Overwrite = False
    json: Json = False


def find_difference(flags: DifferenceFlags) -> int:
    """Print the numbers and the alignment, or JSON; write the map of the difference."""
    from napari_ptycho.assess.differences import DifferenceOptions, difference
    from napari_ptycho.assess.plane import read_plane
    from napari_ptycho.assess.scores import MetricsOptions, metrics

    @dataclass(frozen=True)
    class BothOptions(DifferenceOptions, MetricsOptions):
        """Both at once."""

    options = BothOptions.from_words(pairs(flags.set_ or (), "--set"))
    files = [flags.a, flags.b, *(flags.half or [])]
    if len(files) not in (2, 4):
        raise OptionsError(f"--half is given {len(files) - 2} times; need two halves, or none")
    if flags.output is not None:
        named = {f"image {path.name}": path for path in files}
        check_output(flags.output, flags.overwrite, named)
    with show.busy(f"reading {flags.a.name}"):
        image, reference, *halves = (read_plane(path, flags.channel) for path in files)
        pair = (halves[0], halves[1]) if halves else None
        found = difference(image, reference, options, pair)
        waves = image.data.dtype.kind == "c"
        numbers = None if waves else metrics(image, reference, options)
    if flags.output is not None:
        _write(flags.output, found)
    _say(flags, found, numbers)
    return 0


def _write(path: Path, found: "Difference") -> None:
    from napari_ptycho.assess.differences import COLORMAP
    from napari_ptycho.assess.export import write_map

    write_map(
        path,
        found.data,
        pixel_m=found.pixel_m,
        title=found.name,
        unit=found.unit,
        limits=found.limits,
        colormap=COLORMAP,
        about=found.about(),
    )


def _say(flags: DifferenceFlags, found: "Difference", numbers: "Metrics | None") -> None:
    notes = [*found.notes, *(numbers.notes if numbers else ())]
    if flags.json:
        values: dict[str, Any] = {"a": str(flags.a), "b": str(flags.b), "channel": flags.channel}
        output = None if flags.output is None else str(flags.output)
        metrics = None if numbers is None else numbers.as_dict()
        show.as_json({**values, "output": output, **found.about(), "metrics": metrics})
        return
    if numbers is None:
        show.lines(["Waves have no PSNR or SSIM: take --channel phase or amplitude for numbers."])
    else:
        show.out().print(_table(numbers))
        show.lines(f"! {row.name}: {row.warning}" for row in numbers.rows if row.warning)
    show.lines([f"{found.name}, {found.options.kind}:"])
    show.lines(f"  {line}" for line in found.lines())
    show.lines(f"- {note}" for note in dict.fromkeys(notes))
    if flags.output is not None:
        show.lines([f"{flags.output} written."])


def _table(numbers: "Metrics") -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    for row in numbers.rows:
        table.add_row(row.name, row.text())
    return table
