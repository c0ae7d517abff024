"""HDF5 of pppc, which trains PtychoNN on scans of APS 26-ID: several scans, one after the other.

`data/reciprocal` has the frames of all, `data/positions/<scan>` and `data/probes/<scan>` the rest,
`metadata/source_files` the scans in the order of the frames. Training patches lack positions.
"""

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.formats import HDF5_FILE, Format, rasters, stored
from napari_ptycho.io.formats.array_families import modes
from napari_ptycho.io.hdf5_frames import Hdf5Frames
from napari_ptycho.model import Scan

FRAMES, POSITIONS, PROBES = "data/reciprocal", "data/positions", "data/probes"
SCANS, PIXEL = "metadata/source_files", "metadata/psize_nm"


def recognises(file: h5py.File) -> bool:
    """Whether a file has the frames of pppc and says how they came about."""
    return FRAMES in file and (SCANS in file or PIXEL in file)


def read_scan(file: h5py.File, request: Request) -> Scan:
    """Read one of the scans: the first, or the one that `extra_index` names.

    Raises:
        NeedsPositions: The file has patches for training, without positions.
        ScanError: Frames and positions do not fit each other, or there is no such scan.
    """
    path, frames = Path(file.filename), hdf5.require(file, FRAMES, "a file of pppc")
    if frames.ndim != 3:
        raise ScanError(f"{path.name}: {FRAMES} has shape {frames.shape}; need (N, H, W)")
    draft = Draft(path, Hdf5Frames(frames), None, "m")
    draft.sources |= {"patterns": f"file: /{FRAMES}", "probe": "unknown"}
    pixel = hdf5.number(hdf5.find(file, PIXEL), {})
    if pixel is not None:
        draft.notes.append(
            f"The file says an object pixel of {pixel:g} nm, without energy or distance; not used."
        )
    names = _scans(file)
    if names:
        _one(file, draft, names, request.layout.extra_index)
    return rasters.scan(draft, request)


def _scans(file: h5py.File) -> list[str]:
    """Return the scans in the order of the frames; the list has their first ten letters."""
    group, listed = file.get(POSITIONS), hdf5.find(file, SCANS)
    if not isinstance(group, h5py.Group) or listed is None or listed.dtype.kind != "S":
        return []
    if listed.size != len(group):
        return []
    starts = [hdf5.text(bytes(name)) for name in np.ravel(listed[()])]
    fitting = [[name for name in group if name.startswith(start)] for start in starts]
    return [found[0] for found in fitting if len(found) == 1]


def _one(file: h5py.File, draft: Draft, names: list[str], wanted: int) -> None:
    """Put positions and probe of one scan into the draft; frames of others get none."""
    if wanted >= len(names):
        raise ScanError(f"{draft.file.name}: holds {len(names)} scans; there is no scan {wanted}")
    n = draft.patterns.shape[0]
    places = [_places(file, draft.file.name, name) for name in names]
    if sum(map(len, places)) != n:
        raise ScanError(
            f"{draft.file.name}: {n} frames but {sum(map(len, places))} positions in {POSITIONS}"
        )
    start = sum(map(len, places[:wanted]))
    draft.positions = np.full((n, 2), np.nan)
    draft.positions[start : start + len(places[wanted])] = places[wanted]
    draft.sources["positions_m"] = f"file: /{POSITIONS}/{names[wanted]}"
    if len(names) > 1:
        draft.notes.append(
            f"The file holds {len(names)} scans ({', '.join(names[:10])}); {names[wanted]} is read "
            "(extra_index); the frames of the others have no position in it."
        )
    probe = hdf5.find(file, f"{PROBES}/{names[wanted]}")
    if probe is not None:
        draft.probe = modes(stored.loaded(probe), draft.notes)
        draft.sources["probe"] = f"file: {probe.name}"


def _places(file: h5py.File, file_name: str, name: str) -> NDArray[np.float64]:
    """Return (n, 2) positions (y, x) in metres."""
    found = hdf5.require(file, f"{POSITIONS}/{name}", "a scan of pppc")
    if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "uif":
        raise ScanError(f"{file_name}: {found.name} has shape {found.shape}; need (n, 2) numbers")
    return stored.loaded(found).astype(np.float64)


FORMAT = Format(
    title="pppc (PtychoNN of APS 26-ID), HDF5",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_scan=read_scan,
)
