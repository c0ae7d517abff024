"""Reconstructions in our own NeXus files, which `forms/nexus.py` writes."""

import json
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.attributes import Attributes
from napari_ptycho.io.coordinates import ONE_PIXEL, corners
from napari_ptycho.io.formats import HDF5_FILE, Format, stored
from napari_ptycho.io.settings import PROGRAM, geometry_in
from napari_ptycho.model import Reconstruction

ENTRY, OBJECT, PROBE, PLACES, ERRORS = "entry", "object", "probe", "positions", "errors"
SETTINGS = "process_1/parameters"
A_RESULT = "a reconstruction of napari-ptycho in NeXus"


def recognises(file: h5py.File) -> bool:
    """Whether a file is a NeXus file that this package has written."""
    group = file.get(f"{ENTRY}/{SETTINGS}")
    return (
        isinstance(group, h5py.Group) and hdf5.text(Attributes(file).get("creator", "")) == PROGRAM
    )


def read(file: h5py.File) -> Reconstruction:
    """Read a reconstruction.

    Raises:
        ScanError: Something is missing or contradicts itself.
        FileError: Something cannot be read.
    """
    said = json.loads(hdf5.text(_required(file, f"{SETTINGS}/data")))
    object_ = stored.complexes(_required(file, f"{OBJECT}/data"))
    probe = stored.complexes(_required(file, f"{PROBE}/data"))
    rows, columns = (_lengths(file, f"{PLACES}/{axis}") for axis in "yx")
    if rows.shape != columns.shape or rows.ndim != 1:
        raise ScanError(f"{Path(file.filename).name}: {rows.shape} positions y, {columns.shape} x")
    given = said["pixel_size_m"]
    pixel = None if given is None else (float(given[0]), float(given[1]))
    errors = hdf5.find(file, f"{ENTRY}/{ERRORS}/error")
    return Reconstruction(
        object=object_,
        probe=probe,
        positions_px=corners(
            np.stack([rows, columns], axis=1), object_.shape, probe.shape[1:], pixel or ONE_PIXEL
        ),
        pixel_size_m=pixel,
        errors=() if errors is None else tuple(np.ravel(stored.numbers(errors)).tolist()),
        geometry=geometry_in(said),
        name=str(said["name"]),
        provenance=said["provenance"],
    )


def _required(file: h5py.File, name: str) -> h5py.Dataset:
    return hdf5.require(file, f"{ENTRY}/{name}", A_RESULT)


def _lengths(file: h5py.File, name: str) -> NDArray[np.float64]:
    return stored.numbers(_required(file, name)).astype(np.float64)


FORMAT = Format(
    title="reconstructions of napari-ptycho in NeXus",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_reconstruction=read,
    checked="round trips",
)
