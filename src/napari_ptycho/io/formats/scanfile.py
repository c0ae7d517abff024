"""Our own scan file: HDF5 with one chunk per frame, so that one frame or all read quickly.

Root attributes `format` and `version`; datasets `patterns`, `positions_m` or `positions_px`,
`valid`, `probe`, `exposure`; `geometry`, `sources` and `notes` as JSON.
"""

import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_ptycho.errors import FileError
from napari_ptycho.io import hdf5
from napari_ptycho.io.attributes import Attributes
from napari_ptycho.io.draft import GEOMETRY, Request, geometry_of
from napari_ptycho.io.formats import HDF5_FILE, Format
from napari_ptycho.io.formats.stored import loaded
from napari_ptycho.io.forms.hdf5 import created
from napari_ptycho.io.hdf5_frames import Hdf5Frames
from napari_ptycho.model import Scan

NAME, VERSION = "napari-ptycho scan", 1
CHUNK_BYTES = 256 * 2**10
A_SCAN = "a scan of napari-ptycho"
OPTIONAL = ("positions_m", "positions_px", "probe", "exposure")


def recognises(file: h5py.File) -> bool:
    """Whether a file says that it is one of ours."""
    return hdf5.text(Attributes(file).get("format", "")) == NAME


def write(scan: Scan, path: str | os.PathLike[str]) -> None:
    """Write a scan: see `io.write_scan`."""
    with created(path) as file:
        file.attrs["format"], file.attrs["version"] = NAME, VERSION
        file.attrs["name"] = scan.name
        for name in OPTIONAL:
            value = getattr(scan, name)
            if value is not None:
                file[name] = value
        geometry = {name: getattr(scan.geometry, name) for name in GEOMETRY}
        for name, value in (("geometry", geometry), ("sources", scan.sources)):
            file[name] = json.dumps(dict(value))
        file["notes"] = json.dumps(list(scan.notes))
        _write_stack(scan, file)


def _write_stack(scan: Scan, file: h5py.File) -> None:
    shape, dtype = tuple(scan.patterns.shape), scan.patterns.dtype
    patterns = _stack(file, "patterns", shape, dtype)
    patterns.attrs["units"] = "counts"
    assert scan.valid is not None  # set on construction
    per_frame = scan.valid.ndim == 3
    valid = _stack(file, "valid", shape, np.dtype(bool)) if per_frame else None
    if valid is None:
        file["valid"] = scan.valid
    for frames, block in scan.blocks():
        patterns[frames] = block
        if valid is not None:
            valid[frames] = scan.valid_of(frames)


def _stack(
    file: h5py.File, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> h5py.Dataset:
    frame = max(1, int(np.prod(shape[1:])) * dtype.itemsize)
    together = min(shape[0], max(1, CHUNK_BYTES // frame))
    return file.create_dataset(name, shape, dtype, chunks=(together, *shape[1:]), **hdf5.BITSHUFFLE)


def read(file: h5py.File, request: Request) -> Scan:
    """Read a scan as it was written, with the caller's geometry in it.

    Raises:
        FileError: The file was written by a newer version, or is damaged.
        ScanError: A part is missing.
    """
    version = int(Attributes(file).get("version", 0))
    name = Path(file.filename).name
    if not 1 <= version <= VERSION:
        raise FileError(
            f"{name}: written in version {version} of the scan format; this program "
            f"reads up to {VERSION}, update it"
        )
    sources = _json(file, "sources", dict)
    stored = _json(file, "geometry", dict)
    known = {key: value for key, value in stored.items() if value is not None}
    frames = Hdf5Frames(hdf5.require(file, "patterns", A_SCAN))
    lazy = frames.nbytes > request.lazy_above_bytes
    held = hdf5.require(file, "valid", A_SCAN)
    valid: Any = Hdf5Frames(held).lazy() if lazy and held.ndim == 3 else loaded(held)
    parts = {part: hdf5.find(file, part) for part in OPTIONAL}
    return Scan(
        patterns=frames.lazy() if lazy else frames[:],
        valid=valid,
        geometry=geometry_of(known, request.overrides(), sources),
        name=hdf5.text(Attributes(file).get("name", "scan")),
        sources=sources,
        notes=tuple(map(str, _json(file, "notes", list))),
        **{part: None if data is None else loaded(data) for part, data in parts.items()},
    )


def _json(file: h5py.File, name: str, kind: type) -> Any:
    value = json.loads(hdf5.text(loaded(hdf5.require(file, name, A_SCAN))[()]))
    if not isinstance(value, kind):
        raise FileError(f"{Path(file.filename).name}: '{name}' is no {kind.__name__}; damaged?")
    return value


FORMAT = Format(
    title="scans of napari-ptycho (.h5)",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_scan=read,
    checked="round trips",
)
