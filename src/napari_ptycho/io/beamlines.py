"""Scans of beamlines, by the table of where each keeps what (`beamline_table`)."""

import h5py

from napari_ptycho.io.beamline import Beamline
from napari_ptycho.io.beamline_reader import read_row
from napari_ptycho.io.beamline_table import BEAMLINES
from napari_ptycho.io.draft import Request
from napari_ptycho.io.formats import HDF5_FILE, Format
from napari_ptycho.io.tracks import expanded
from napari_ptycho.model import Scan


def recognises(file: h5py.File) -> bool:
    """Whether a file is of a beamline in the table."""
    return row_of(file) is not None


def row_of(file: h5py.File) -> Beamline | None:
    """Return the row of the table that a file fits, None if there is none."""
    return next((row for row in BEAMLINES if _fits(file, row)), None)


def _fits(file: h5py.File, row: Beamline) -> bool:
    needed = all(expanded(file, path) for path in row.needs)
    return needed and any(expanded(file, path) for path in row.frames)


def read_scan(file: h5py.File, request: Request) -> Scan:
    """Read a scan of a beamline.

    Raises:
        ScanError: What is there makes no scan; `NeedsPositions` if the positions are elsewhere.
        FileError: A link, a filter or a virtual source is broken.
    """
    row = row_of(file)
    assert row is not None  # `recognises` saw it
    return read_row(file, row, request)


FORMAT = Format(
    title="beamlines: Diamond I08, I13-1, I14, APS, NSLS-II HXN, cSAXS, NanoMAX, LCLS XPP, ID16A",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_scan=read_scan,
)
