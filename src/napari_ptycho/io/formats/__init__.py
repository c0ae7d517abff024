"""What a file format is to this package: a recogniser and its readers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_ptycho.model import Reconstruction, Scan

if TYPE_CHECKING:  # drafts read positions by the table of beamlines, which is a format
    from napari_ptycho.io.draft import Request

HDF5_FILE, ARRAYS, MATLAB_FILE = "an HDF5 file", "a NumPy file", "a MATLAB file"
TIFF_FILE, MIB_FILE, RAW_FILE, FOLDER = "a TIFF file", "a Merlin file", "a raw file", "a folder"
BUILT = "files built to the documented layout"


@dataclass(frozen=True)
class Format:
    """A format; each module that reads one has it as `FORMAT`."""

    title: str
    """As the user reads it in a list."""
    containers: tuple[str, ...]
    """Functions get an `h5py.File` for `HDF5_FILE`, an `Archive` for `ARRAYS`, else the path."""
    recognises: Callable[[Any], bool]
    """Whether the open container is of this format."""
    read_scan: "Callable[[Any, Request], Scan] | None" = None
    """Reads the open container, if the format holds scans."""
    read_reconstruction: Callable[[Any], Reconstruction] | None = None
    """Reads the open container, if the format holds reconstructions."""
    checked: str = BUILT
    """What the tests read: for the list of formats in the documentation."""
