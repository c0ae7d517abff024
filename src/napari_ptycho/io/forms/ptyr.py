"""Reconstructions as results of PtyPy (.ptyr): what they are is in `ptypy.py`, which reads them."""

import os
import time
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io.formats import ptypy
from napari_ptycho.io.forms.hdf5 import created
from napari_ptycho.io.settings import CREATOR, as_json
from napari_ptycho.model import Geometry, Reconstruction
from napari_ptycho.model.arrays import Floats
from napari_ptycho.model.geometry import Pair

SCAN = "0000"
STORAGE = f"S{SCAN}G00"
"""As PtyPy names what belongs to a scan."""


def write(reconstruction: Reconstruction, path: str | os.PathLike[str]) -> None:
    """Write a .ptyr: object, probe, positions, errors, and the provenance as a parameter.

    PtyPy's far field has a curved wave where ours is plain, so that the probe is divided by
    `ptypy.curvature`.

    Raises:
        FileError: The folder is missing or the disk is full.
        ScanError: The pixel size is unknown, in which PtyPy counts all lengths; or, in the far
            field, energy or distance are.
    """
    pixel = reconstruction.pixel_size_m
    if pixel is None:
        raise ScanError(
            f"{reconstruction.name}: a .ptyr has all lengths in metres and the pixel size is "
            "unknown; give energy, distance and detector pixel, or write a product (.h5)"
        )
    probe = _probe(reconstruction, pixel)
    said = as_json(reconstruction)
    with created(path) as file:
        now = time.asctime()
        file.attrs.update({ptypy.VERSION: ptypy.VERSION_VALUE, "ctime": now, "mtime": now})
        header = _group(file, "header", "dict")
        _put(header, "kind", "minimal")
        _put(header, "description", ptypy.DESCRIPTION)
        energy = _energy_kev(reconstruction.geometry)
        objects = reconstruction.object[np.newaxis]
        for name, stack in ((ptypy.OBJECTS, objects), (ptypy.PROBES, probe)):
            _fill(_group(_group(file, name, "dict"), STORAGE, "dict"), stack, pixel, energy)
        _put(_group(file, ptypy.POSITIONS, "dict"), STORAGE, _positions(reconstruction, pixel))
        _put_errors(file, reconstruction.errors)
        _put_parameters(file, reconstruction, pixel, said)


def _probe(reconstruction: Reconstruction, pixel: Pair) -> NDArray[np.complex64]:
    """Return the modes as PtyPy holds them.

    Raises:
        ScanError: Far field, but energy or distance are unknown.
    """
    geometry = reconstruction.geometry
    if geometry.propagation == "near":
        return reconstruction.probe
    if geometry.wavelength_m is None or geometry.distance_m is None:
        missing = "energy" if geometry.wavelength_m is None else "distance"
        raise ScanError(
            f"{reconstruction.name}: the {missing} is unknown, by which the probe of a .ptyr is "
            "curved; write a product (.h5)"
        )
    height, width = reconstruction.probe.shape[1:]
    curved = ptypy.curvature((height, width), pixel, geometry.wavelength_m, geometry.distance_m)
    return (reconstruction.probe / curved).astype(np.complex64)


def _positions(reconstruction: Reconstruction, pixel: Pair) -> Floats:
    """Return (N, 2) middles (y, x) of the windows in metres, from the middle of the object."""
    window = np.array(reconstruction.probe.shape[1:]) // 2
    middle = np.array(reconstruction.object.shape) // 2
    return np.asarray((reconstruction.positions_px + window - middle) * pixel)


def _fill(storage: h5py.Group, stack: NDArray[Any], pixel: Pair, energy: float | None) -> None:
    """Write a storage: layers (l, H, W) and where they lie."""
    centre = np.array(stack.shape[1:]) // 2
    data = storage.create_dataset(ptypy.DATA, data=stack, compression="gzip")
    data.attrs[ptypy.TYPE] = "array"
    _put(storage, "ID", STORAGE)
    _put(storage, "shape", np.array(stack.shape))
    _put(storage, ptypy.PIXEL, np.array(pixel))
    _put(storage, ptypy.CENTRE, centre)
    _put(storage, ptypy.ORIGIN, -centre * pixel)
    if energy is not None:
        _put(storage, ptypy.ENERGY, energy)


def _energy_kev(geometry: Geometry) -> float | None:
    """Return the energy of photons; PtyPy would take that of electrons for theirs."""
    if geometry.energy_ev is None or geometry.particle == "electron":
        return None
    return geometry.energy_ev / 1e3


def _put_parameters(
    file: h5py.File, reconstruction: Reconstruction, pixel: Pair, said: str
) -> None:
    """Write what PtyPy keeps of an experiment, and the provenance.

    PtyPy knows no diverging beam: its near field is the parallel one that is equivalent.
    """
    parameters = _group(file, ptypy.PARAMETERS, "param")
    _put(parameters, "creator", CREATOR)
    _put(file, ptypy.OURS, said)
    geometry = reconstruction.geometry
    near = geometry.propagation == "near"
    data = _group(parameters, f"scans/{SCAN}/data", "param")
    known = {
        "energy": _energy_kev(geometry),
        "distance": geometry.effective_distance_m if near else geometry.distance_m,
        "psize": np.array(pixel) if near else geometry.detector_pixel_m,
        "propagation": "nearfield" if near else "farfield",
    }
    for name, value in known.items():
        if value is not None:
            _put(data, name, np.array(value) if isinstance(value, tuple) else value)


def _put_errors(file: h5py.File, errors: tuple[float, ...]) -> None:
    """Write one group per epoch; of PtyPy's three errors we know the first, that of amplitudes."""
    iterations = _group(file, ptypy.ITERATIONS, "list")
    for number, error in enumerate(errors):
        one = _group(iterations, f"{number:05d}", "param")
        _put(one, "iteration", number + 1)
        _put(one, "iterations", len(errors))
        _put(one, "error", np.array([error, np.nan, np.nan]))


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    """Make a group, and those above it, with PtyPy's attribute of its type."""
    for part in name.split("/"):
        parent = parent.require_group(part)
        parent.attrs.setdefault(ptypy.TYPE, "param")
    parent.attrs[ptypy.TYPE] = kind
    return parent


def _put(group: h5py.Group, name: str, value: Any) -> None:
    """Write a value with PtyPy's attribute of its type."""
    group[name] = value
    kind = "array" if isinstance(value, np.ndarray) else "scalar"
    group[name].attrs[ptypy.TYPE] = "string" if isinstance(value, str) else kind
