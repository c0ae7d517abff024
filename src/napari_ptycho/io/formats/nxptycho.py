"""Scans by the NeXus definitions NXcxi_ptycho and NXptycho.

The photon energy is in the beam; that of the source is the storage ring's, the opposite of CXI.
"""

import h5py

from napari_ptycho.io import hdf5
from napari_ptycho.io.draft import Request
from napari_ptycho.io.formats import HDF5_FILE, Format
from napari_ptycho.io.formats.beamline import Beamline, Value
from napari_ptycho.io.formats.beamline_reader import read_row
from napari_ptycho.io.formats.beamline_stack import first_of
from napari_ptycho.io.tracks import Track, expanded
from napari_ptycho.model import Scan

DEFINITIONS = ("NXcxi_ptycho", "NXptycho")
POSITIONERS = "{entry}/sample*/positioner_*/raw_value"


def recognises(file: h5py.File) -> bool:
    """Whether an entry of a file names one of the definitions and has frames."""
    entry = _entry(file)
    return entry is not None and any(expanded(file, path) for path in _row(file, entry).frames)


def _entry(file: h5py.File) -> str | None:
    for path in expanded(file, "entry*/definition"):
        found = hdf5.find(file, path)
        if found is None or found.size != 1:
            continue
        value = found[()]
        if hdf5.text(value.ravel()[0] if hasattr(value, "ravel") else value) in DEFINITIONS:
            return path.partition("/")[0]
    return None


def read_scan(file: h5py.File, request: Request) -> Scan:
    """Read a scan.

    Raises:
        ScanError: What is there makes no scan; `NeedsPositions` if there are no positions.
        FileError: A link, a filter or a virtual source is broken.
    """
    entry = _entry(file)
    assert entry is not None  # `recognises` saw it
    return read_row(file, _row(file, entry), request)


def _row(file: h5py.File, entry: str) -> Beamline:
    detector, beam = f"{entry}/instrument*/detector*", f"{entry}/*/beam*"
    return Beamline(
        title="NXcxi_ptycho / NXptycho",
        frames=(f"{detector}/data", f"{entry}/data*/data"),
        tracks=(*_translations(entry), *_positioners(file, entry)),
        energy=tuple(
            Value(f"{beam}/{name}")
            for name in ("incident_beam_energy", "incident_energy", "energy", "incident_wavelength")
        ),
        distance=(Value(f"{detector}/distance", "m"),),
        pixel=(Value(f"{detector}/y_pixel_size", "m"), Value(f"{detector}/x_pixel_size", "m")),
        centre=(Value(f"{detector}/beam_center_y"), Value(f"{detector}/beam_center_x")),
        mask=f"{detector}/*mask",
        mask_means="auto",
        monitor=f"{entry}/instrument*/monitor*/data",
    )


def _translations(entry: str) -> list[Track]:
    folders = ("data*", "instrument*/detector*", "sample*/geometry*")
    motors = f"{entry}/sample*/transformations"
    return [
        *(Track(f"{entry}/{folder}/translation", unit="m", order="xy") for folder in folders),
        Track(f"{entry}/data*/y", f"{entry}/data*/x"),
        Track(f"{motors}/y", f"{motors}/x"),
    ]


def _positioners(file: h5py.File, entry: str) -> list[Track]:
    """Return the track of numbered positioners: by their names, else x is the first of them."""
    found = expanded(file, POSITIONERS.format(entry=entry))
    axes: dict[str, str] = {}
    for path in found:
        name = first_of(file, path.replace("raw_value", "name"))
        said = hdf5.text(name).lower() if name is not None else path.split("/")[-2].lower()
        for axis in "yx":
            if axis in said.rpartition("positioner")[2]:
                axes.setdefault(axis, path)
    if len(axes) == 2 and axes["y"] != axes["x"]:
        return [Track(axes["y"], axes["x"])]
    if len(found) < 2:
        return []
    note = f"The positioners are not called x and y; {found[0]} was taken as x, {found[1]} as y."
    return [Track(found[1], found[0], note=note)]


FORMAT = Format(
    title="NeXus scans: NXcxi_ptycho, NXptycho",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_scan=read_scan,
)
