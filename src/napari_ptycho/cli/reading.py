"""The flags that say how a scan is read, and the one way in which commands read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptycho.cli.flags import pairs

if TYPE_CHECKING:  # imported when a command runs, so that --help is quick
    from napari_ptycho.io.layout import Layout
    from napari_ptycho.io.saved_layouts import SavedLayout
    from napari_ptycho.model import Scan

PANEL = "How the scan is read"
GEOMETRY = ("energy_ev", "distance_m", "detector_pixel_m", "focus_to_sample_m")
Number = Annotated[float | None, typer.Option(help="Replaces what the file says.")]


@dataclass(frozen=True, kw_only=True)
class ReadFlags:
    """How a scan is read; the base of every command that reads one."""

    layout: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="What is what in the file, as 'browse' shows it: frames=/entry/data.",
            rich_help_panel=PANEL,
        ),
    ] = None
    positions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A second file with the positions.", rich_help_panel=PANEL
        ),
    ] = None
    detector: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Cut, rebin or mask the frames: size=256, centre=auto, hot=20.",
            rich_help_panel=PANEL,
        ),
    ] = None
    saved_layout: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Saved by 'browse --save-layout'; without it, one that fits the file is taken.",
            rich_help_panel=PANEL,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class GeometryFlags(ReadFlags):
    """What replaces the geometry that a file says."""

    energy_ev: Number = None
    distance_m: Number = None
    detector_pixel_m: Number = None
    focus_to_sample_m: Number = None
    near: Annotated[bool, typer.Option("--near", help="Near field (angular spectrum).")] = False


def geometry(flags: GeometryFlags) -> dict[str, Any]:
    """Return the fields of the geometry that the flags of a command replace."""
    given = {name: getattr(flags, name) for name in GEOMETRY}
    fields: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if flags.detector_pixel_m is not None:
        fields["detector_pixel_m"] = (flags.detector_pixel_m, flags.detector_pixel_m)
    if flags.near:
        fields["propagation"] = "near"
    return fields


def read_scan(path: Path, flags: ReadFlags, geometry: Mapping[str, Any] | None = None) -> "Scan":
    """Read a scan as the flags say.

    Args:
        path: The scan.
        flags: Of any command.
        geometry: Fields of `Geometry` that replace those of the file and of the saved layout.

    Raises:
        OptionsError: A flag names no such option or saved layout.
        FileError: The file is absent, broken, or of no known format.
        ScanError: It lacks what a scan needs.
    """
    from napari_ptycho import io

    return io.read_scan(path, **how_read(flags, geometry))


def read_scan_of(made: object, path: Path, flags: ReadFlags) -> "Scan":
    """Read the scan of which something was made, kept and binned as it was then.

    Args:
        made: A reconstruction, or what else has a provenance; without one, the scan as it is.
        path: The scan, whole or as it was then.
        flags: Of any command.

    Raises:
        OptionsError: As `read_scan`.
        FileError: As `read_scan`.
        ScanError: It lacks what a scan needs, or is no raster that could be binned so.
    """
    from napari_ptycho.prepare.repeat import sampled_as

    sources = getattr(made, "provenance", {}).get("scan_sources", {})
    return sampled_as(read_scan(path, flags), sources)


def how_read(flags: ReadFlags, geometry: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what the flags say of reading, as `io.read_scan` and `io.open_growing` take it.

    Args:
        flags: Of any command.
        geometry: Fields of `Geometry` that replace those of the file and of the saved layout.

    Raises:
        OptionsError: A flag names no such option or saved layout.
    """
    from napari_ptycho.io import saved_layouts
    from napari_ptycho.prepare.detector import DetectorOptions

    saved = None if flags.saved_layout is None else saved_layouts.named(flags.saved_layout)
    detector = None if saved is None else saved.detector
    if flags.detector:
        detector = DetectorOptions.from_words(pairs(flags.detector, "--detector"))
    if saved is not None:
        geometry = {**saved.geometry, **(geometry or {})}
    return {
        "geometry": geometry or None,
        "layout": layout_of(flags, saved),
        "positions": flags.positions,
        "detector": detector,
    }


def layout_of(flags: ReadFlags, saved: "SavedLayout | None" = None) -> "Layout | None":
    """Return the layout of the saved layout with what --layout says; None if neither is there.

    Raises:
        OptionsError: A word names no field of a layout, or no value of it.
    """
    from napari_ptycho.io.layout import Layout

    words = pairs(flags.layout or (), "--layout")
    told = Layout.from_words(words)
    if saved is None:
        return told if words else None
    return Layout.from_dict(saved.layout.as_dict() | {word: getattr(told, word) for word in words})
