"""What the Scan dock runs in its thread: files, samples and binning, made ready to show."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ptycho import io, prepare, samples
from napari_ptycho.errors import FileError, NeedsLayout, NeedsPositions, PtychoError
from napari_ptycho.gui.opening import Opening, Wanting
from napari_ptycho.gui.views import Picture, ScanView, picture, view_scan
from napari_ptycho.io.files import without_parts
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.model.summary import Row, summary

if TYPE_CHECKING:
    from napari_ptycho.recipes.recipe import Source

Scans = tuple[ScanView, ScanView]
"""A scan, and the one it was binned from (itself, if it is not binned)."""
Opened = Scans | Picture | Wanting
SERIES = ({".tif", ".tiff"}, {".npy"})
"""Endings of files that hold a frame each."""
TABLES = {".csv", ".txt", ".dat"}
"""Endings of the positions that lie with them; see `io.formats.numbered`."""


def open_paths(paths: Sequence[Path]) -> Opened:
    """Open what was dropped: a scan or a reconstruction, or frames and their positions.

    Data files beside their master are read through it, and all frames of a folder as the folder.

    Raises:
        PtychoError: There are more than two files, or what they hold is broken.
    """
    paths = without_parts(paths)
    if len(paths) > 2 and _is_whole_folder(paths):
        paths = [paths[0].parent]
    if len(paths) > 2:
        raise FileError(
            f"{len(paths)} files were given; give one scan, a file with frames and one with their "
            "positions, or the folder that holds the frames"
        )
    return open_file(paired(*paths) if len(paths) == 2 else Opening(paths[0]))


def _is_whole_folder(paths: Sequence[Path]) -> bool:
    """Whether these are all TIFF or all NPY files of a folder; a table of positions may be too."""
    frames = {path for path in paths if not _is_table(path)}
    endings = {path.suffix.lower() for path in frames}
    kind = next((kind for kind in SERIES if endings <= kind), None)
    if kind is None or not frames:
        return False
    there = {path for path in paths[0].parent.iterdir() if path.suffix.lower() in kind}
    return there == frames


def _is_table(path: Path) -> bool:
    return path.name.lower().startswith("positions") and path.suffix.lower() in TABLES


def paired(first: Path, second: Path) -> Opening:
    """Return which of two files holds the frames, and which their positions.

    The frames are in the one that lacks positions, else in the one that could be a scan.

    Raises:
        PtychoError: Neither holds frames, or both are scans by themselves.
    """
    orders = ((first, second), (second, first))
    found = {path: _lacking(path) for path in (first, second)}
    for frames, places in orders:
        if isinstance(found[frames], NeedsPositions):
            return Opening(frames, places)
    for frames, places in orders:
        if isinstance(found[frames], NeedsLayout) and _may_hold_frames(frames):
            return Opening(frames, places)
    scans = [order for order in orders if found[order[0]] is None]
    if len(scans) == 2:
        raise FileError(
            f"{first.name} and {second.name}: both hold frames and positions; open one at a time"
        )
    if scans:
        return Opening(*scans[0])
    raise found[first] or FileError(f"{first.name}: holds no frames")


def _may_hold_frames(path: Path) -> bool:
    from napari_ptycho.io import browse  # with h5py, which no dock needs before there is a file

    return bool(browse.contents(path).frames)


def _lacking(path: Path) -> PtychoError | None:
    """Return why a file is no scan by itself; None if it is one."""
    try:
        io.read_scan(path, lazy_above_bytes=0)
    except PtychoError as error:
        return error
    return None


def open_file(opening: Opening) -> Opened:
    """Open a file that holds a scan, or else a reconstruction.

    Raises:
        PtychoError: It holds neither, or what it holds is broken.
    """
    try:
        view = _view(opening)
    except (NeedsLayout, NeedsPositions) as error:
        return _picture(opening.path) or Wanting(opening, str(error))
    except FileError:
        found = _picture(opening.path)
        if found is None:
            raise
        return found
    return view, view


def _view(opening: Opening) -> ScanView:
    from napari_ptycho.gui import recipe_source

    scan = read(opening)
    told = recipe_source.opened(opening, scan.notes)
    return replace(view_scan(scan), opening=opening, told=told)


def open_source(source: "Source") -> Scans:
    """Open the scan of a recipe: a file as the recipe says, or a sample.

    Raises:
        PtychoError: As `io.read_scan`, or there is no such sample.
    """
    from napari_ptycho.gui import recipe_source
    from napari_ptycho.recipes.recipe import SAMPLE

    if source.file.startswith(SAMPLE):
        return open_sample(source.file.removeprefix(SAMPLE))
    view = _view(recipe_source.opening(source))
    return view, view


def read(opening: Opening, lazy_above_bytes: int = 2**30) -> Scan:
    """Read the scan of an opening.

    Raises:
        PtychoError: As `io.read_scan`.
    """
    return io.read_scan(
        opening.path,
        opening.geometry,
        lazy_above_bytes,
        layout=opening.layout,
        positions=opening.positions,
        detector=opening.detector,
    )


def _picture(path: Path) -> Picture | None:
    """Return the reconstruction that a file holds, or None if it holds none."""
    try:
        return picture(io.read_reconstruction(path))
    except FileError:
        return None


def open_sample(key: str) -> Scans:
    """Simulate or fetch a sample."""
    from napari_ptycho.gui import recipe_source

    view = replace(view_scan(samples.open_sample(key)), told=recipe_source.sample(key))
    return view, view


def bin_scan(unbinned: ScanView, size: Any, neighbours: Any, every: int = 1) -> Scans:
    """Bin a scan, or every k-th pattern of it."""
    from napari_ptycho.gui import recipe_source

    kept = prepare.keep_every(unbinned.scan, every)
    view = view_scan(prepare.bin_positions(kept, size, neighbours))
    bins = recipe_source.binning(size, neighbours, every)
    return replace(view, told=unbinned.told, bins=bins), unbinned


def change_geometry(view: ScanView, unbinned: ScanView, name: str, value: Any) -> Opened:
    """Change one field of the geometry of a scan, and of the one it was binned from.

    Another propagation reads the file again: where frames have their zero frequency depends on it.

    Raises:
        PtychoError: The value is not allowed, or the file cannot be read any more.
    """
    if name == "propagation" and unbinned.opening is not None:
        scan, opening = unbinned.scan, unbinned.opening
        given = {**opening.geometry, **given_by_user(scan.geometry, scan.sources), name: value}
        return open_file(replace(opening, geometry=given))
    new = _changed(view, name, value)
    return new, new if view is unbinned else _changed(unbinned, name, value)


def _changed(view: ScanView, name: str, value: Any) -> ScanView:
    from napari_ptycho.gui import recipe_source

    scan = with_geometry(view.scan, {name: value})
    told = recipe_source.typed(view.told, name, value)
    return replace(view, scan=scan, rows=summary(scan), told=told)


def with_geometry(scan: Scan, values: Mapping[str, Any]) -> Scan:
    """Return the scan with fields of its geometry as the user gave them."""
    geometry, given = replace(scan.geometry, **values), dict.fromkeys(values, "user")
    return replace(scan, geometry=geometry, sources={**scan.sources, **given})


FIELDS = {
    "energy": "energy_ev",
    "distance": "distance_m",
    "detector pixel": "detector_pixel_m",
    "focus to sample": "focus_to_sample_m",
}
"""Name of a row of the summary -> the field of `Geometry` it tells of."""


def warnings_of(rows: Sequence[Row]) -> dict[str, str]:
    """Return the warnings of a summary by field of `Geometry`."""
    return {FIELDS[row.name]: row.warning for row in rows if row.warning and row.name in FIELDS}


def given_by_user(geometry: Geometry, sources: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a geometry that the user has set."""
    names = tuple(item.name for item in fields(Geometry))
    return {name: getattr(geometry, name) for name in names if sources.get(name) == "user"}
