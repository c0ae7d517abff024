"""What the Scan dock runs in its thread: files, samples and binning, made ready to show."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_ptycho import io, prepare, samples
from napari_ptycho.errors import FileError
from napari_ptycho.gui.views import Picture, ScanView, picture, view_scan
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.model.summary import Row, summary

Scans = tuple[ScanView, ScanView]
"""A scan, and the one it was binned from (itself, if it is not binned)."""


def open_file(path: Path, geometry: Mapping[str, Any] | None = None) -> Scans | Picture:
    """Open a file that holds a scan, or else a reconstruction.

    Raises:
        PtychoError: It holds neither, or what it holds is broken.
    """
    try:
        view = replace(view_scan(io.read_scan(path, geometry)), path=path)
    except FileError as no_scan:
        try:
            return picture(io.read_reconstruction(path))
        except FileError:
            raise no_scan from None
    return view, view


def open_sample(key: str) -> Scans:
    """Simulate or fetch a sample."""
    view = view_scan(samples.open_sample(key))
    return view, view


def bin_scan(unbinned: ScanView, size: Any, neighbours: Any) -> Scans:
    """Bin a scan."""
    return view_scan(prepare.bin_positions(unbinned.scan, size, neighbours)), unbinned


def change_geometry(view: ScanView, unbinned: ScanView, name: str, value: Any) -> Scans | Picture:
    """Change one field of the geometry of a scan, and of the one it was binned from.

    Another propagation reads the file again: where frames have their zero frequency depends on it.

    Raises:
        PtychoError: The value is not allowed, or the file cannot be read any more.
    """
    if name == "propagation" and unbinned.path is not None:
        scan = unbinned.scan
        given = given_by_user(scan.geometry, scan.sources)
        return open_file(unbinned.path, given | {name: value})
    new = _changed(view, name, value)
    return new, new if view is unbinned else _changed(unbinned, name, value)


def _changed(view: ScanView, name: str, value: Any) -> ScanView:
    scan = with_geometry(view.scan, name, value)
    return replace(view, scan=scan, rows=summary(scan))


def with_geometry(scan: Scan, name: str, value: Any) -> Scan:
    """Return the scan with one field of its geometry as the user gave it."""
    geometry = replace(scan.geometry, **{name: value})
    return replace(scan, geometry=geometry, sources={**scan.sources, name: "user"})


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
    names = (*FIELDS.values(), "propagation")
    return {name: getattr(geometry, name) for name in names if sources.get(name) == "user"}
