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


def open_file(path: Path, geometry: Mapping[str, Any] | None = None) -> ScanView | Picture:
    """Open a file that holds a scan, or else a reconstruction.

    Raises:
        PtychoError: It holds neither, or what it holds is broken.
    """
    try:
        return view_scan(io.read_scan(path, geometry))
    except FileError as no_scan:
        try:
            return picture(io.read_reconstruction(path))
        except FileError:
            raise no_scan from None


def open_sample(key: str) -> ScanView:
    """Simulate or fetch a sample."""
    return view_scan(samples.open_sample(key))


def bin_scan(scan: Any, size: Any, neighbours: Any) -> ScanView:
    """Bin a scan."""
    return view_scan(prepare.bin_positions(scan, size, neighbours))


def change_geometry(
    view: ScanView, unbinned: ScanView, name: str, value: Any
) -> tuple[ScanView, ScanView]:
    """Return a scan, and the one it was binned from, with one field of the geometry changed.

    Raises:
        ScanError: The value is not allowed.
    """
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
