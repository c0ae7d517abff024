"""`napari-ptycho resolution-map A [B] -o OUT`: resolution from place to place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import Channel, Image, Json, Overwrite, check_output, pairs


@dataclass(frozen=True)
class ResolutionMapFlags:
    """Map the resolution: Fourier ring correlation in a window that moves over two halves.

    Of one image its quarters are compared; that says nothing of an image that was denoised or
    filtered.
    """

    a: Image
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="File to write: .png with scale bar and colour bar, .tif, .h5.",
        ),
    ]
    b: Annotated[Path | None, typer.Argument(metavar="[B]", help="The other half of the data.")] = (
        None
    )
    channel: Channel = "phase"
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="block, step, threshold, window, smoothing, period, register.",
        ),
    ] = None
    overwrite: Overwrite = False
    json: Json = False


def resolution_map(flags: ResolutionMapFlags) -> int:
    """Write the map and print what it says."""
    from napari_ptycho.assess.export import write_map
    from napari_ptycho.assess.plane import read_plane
    from napari_ptycho.assess.rolling import COLORMAP, MapOptions
    from napari_ptycho.assess.rolling import resolution_map as mapped

    options = MapOptions.from_words(pairs(flags.set_ or (), "--set"))
    check_output(flags.output, flags.overwrite, {"image": flags.a, "second image": flags.b})
    with show.busy(f"reading {flags.a.name}"):
        first = read_plane(flags.a, flags.channel)
        second = None if flags.b is None else read_plane(flags.b, flags.channel)
        found = mapped(first, second, options)
    title = f"{found.name} ({options.period} period, {options.threshold})"
    write_map(
        flags.output,
        found.data,
        pixel_m=found.pixel_m,
        title=title,
        unit=found.unit,
        limits=found.limits,
        colormap=COLORMAP,
        about=found.about(),
    )
    if flags.json:
        values = {"a": str(flags.a), "b": None if flags.b is None else str(flags.b)}
        output = {"output": str(flags.output), "unit": found.unit}
        show.as_json({**values, **output, **found.about()})
        return 0
    show.lines([f"{title}:"])
    show.lines(f"  {line}" for line in found.lines())
    show.lines(f"! {text}" for text in found.warnings)
    show.lines(f"- {note}" for note in found.notes)
    show.lines([f"{flags.output} written."])
    return 0
