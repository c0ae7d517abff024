"""`napari-ptycho orient FILE`: how do the frames lie against the positions?"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import Device, File, Json, Overwrite, check_output, pairs
from napari_ptycho.cli.reading import GeometryFlags, geometry, read_scan
from napari_ptycho.errors import OptionsError

if TYPE_CHECKING:  # --help must open at once
    from napari_ptycho.engines.orientation import OrientationOptions
    from napari_ptycho.engines.ranking import OrientationRanking
    from napari_ptycho.model import Scan

UNDECIDED = 1


@dataclass(frozen=True)
class OrientFlags(GeometryFlags):
    """Find how the frames lie: short reconstructions of all 8 orientations, ranked by error.

    In the far field they come in pairs that cannot be told apart; -o then takes the one that turns
    less. Exit code 1: the errors do not decide, and nothing was written.
    """

    file: File
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Write the turned scan.")
    ] = None
    code: Annotated[
        int | None,
        typer.Option(help="Turn by this: 4 transpose + 2 flip up-down + 1 left-right."),
    ] = None
    set: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="patterns, first_epochs, epochs."),
    ] = None
    device: Device = "auto"
    overwrite: Overwrite = False
    json: Json = False


def orient(flags: OrientFlags) -> int:
    """Print the ranking, or JSON; write the turned scan."""
    from napari_ptycho.engines.orientation import OrientationOptions
    from napari_ptycho.prepare.orientation import check_code

    options = OrientationOptions.from_words(pairs(flags.set or (), "--set"))
    if flags.code is not None and flags.output is None:
        raise OptionsError("--code needs -o OUT: it says how the scan that is written is turned")
    if flags.code is not None:
        check_code(flags.code)
    if flags.output is not None:
        sources = {"scan": flags.file, "positions": flags.positions}
        check_output(flags.output, flags.overwrite, sources)
    with show.busy(f"reading {flags.file.name}"):
        scan = read_scan(flags.file, flags, geometry(flags))
    if flags.code is not None:
        return _write(flags, scan, flags.code, None)
    ranking = _found(scan, options, flags.device)
    show.lines(_table(ranking), flags.json)
    show.lines([ranking.sentence, ranking.ambiguity], flags.json)
    if not ranking.decided:
        if flags.output is not None:
            show.error(f"{flags.output} not written: nothing was decided; give --code to turn it")
        return _say(flags, scan, ranking, None) or UNDECIDED
    return _write(flags, scan, min(ranking.classes[0]), ranking)


def _found(scan: "Scan", options: "OrientationOptions", device: str) -> "OrientationRanking":
    from napari_ptycho.engines.orientation import find_orientation, steps

    with show.Bar("orientation", steps(scan, options)) as bar:
        for update in find_orientation(scan, options, device):
            bar.show(update.done, f"epoch {update.done:.0f}/{update.total:.0f}")
    return update.result


def _table(ranking: "OrientationRanking") -> list[str]:
    """Return a line for each orientation, an empty one between classes."""
    from napari_ptycho.prepare.orientation import CODES

    errors = dict(zip(ranking.codes, ranking.errors, strict=True))
    lines = []
    for group in ranking.classes:
        lines += [f"{code}  {errors[code]:.5f}  {CODES[code]}" for code in group]
        lines += [""] * (len(group) > 1)
    return lines


def _write(
    flags: OrientFlags, scan: "Scan", code: int, ranking: "OrientationRanking | None"
) -> int:
    """Write the turned scan where that is asked for."""
    if flags.output is not None:
        from napari_ptycho import prepare
        from napari_ptycho.io import write_scan

        with show.busy(f"turning {len(scan)} patterns"):
            scan = prepare.orient(scan, code)
            write_scan(scan, flags.output)
        show.lines([f"{flags.output} written, frames turned by {code}."], flags.json)
    return _say(flags, scan, ranking, code)


def _say(
    flags: OrientFlags, scan: "Scan", ranking: "OrientationRanking | None", code: int | None
) -> int:
    if flags.json:
        output = None if code is None or flags.output is None else str(flags.output)
        values: dict[str, Any] = {"file": str(flags.file), "output": output, "code": code}
        if ranking is not None:
            values |= {
                "codes": ranking.codes,
                "errors": ranking.errors,
                "classes": ranking.classes,
                "margin": ranking.margin,
                "decided": ranking.decided,
                "patterns": ranking.frames,
                "sentences": [ranking.sentence, ranking.ambiguity],
            }
        show.as_json({**values, "notes": list(scan.notes)})
    return 0
