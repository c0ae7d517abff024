"""Reconstructions as NeXus: NXdata with axes, found by the chain of defaults."""

import os
import time
from pathlib import Path

import h5py
import numpy as np

from napari_ptycho import __version__
from napari_ptycho.io.coordinates import axis, centres, pixel_of, unit_of
from napari_ptycho.io.formats.nexus import ENTRY, ERRORS, OBJECT, PLACES, PROBE, SETTINGS
from napari_ptycho.io.forms.hdf5 import created, group_of, put
from napari_ptycho.io.settings import PROGRAM, as_json
from napari_ptycho.model import Geometry, Reconstruction


def write(reconstruction: Reconstruction, path: str | os.PathLike[str]) -> None:
    """Write object, probe, positions, errors, and the process with its parameters.

    Complex numbers are pairs (r, i), which silx and h5web show. Coordinates are in metres from the
    middle of the object, rows down; without a pixel size they are in pixels and say so.

    Raises:
        FileError: The folder is missing or the disk is full.
        ScanError: The provenance holds what JSON cannot.
    """
    said = as_json(reconstruction, pixel_size_m=reconstruction.pixel_size_m)
    now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    with created(path) as file:
        file.attrs.update(
            {
                "NX_class": "NXroot",
                "default": ENTRY,
                "file_name": Path(path).name,
                "file_time": now,
                "creator": PROGRAM,
                "HDF5_Version": h5py.version.hdf5_version,
                "h5py_version": h5py.version.version,
            }
        )
        entry = group_of(file, ENTRY, "NXentry", default=OBJECT)
        entry["title"] = reconstruction.name
        _write_images(entry, reconstruction)
        _write_curves(entry, reconstruction)
        _write_instrument(entry, reconstruction.geometry)
        process = group_of(entry, "process_1", "NXprocess")
        process["program"], process["version"], process["date"] = PROGRAM, __version__, now
        note = group_of(entry, SETTINGS, "NXnote")
        note["type"], note["data"] = "application/json", said


def _write_images(entry: h5py.Group, reconstruction: Reconstruction) -> None:
    object_ = reconstruction.object
    images = {
        OBJECT: object_,
        f"{OBJECT}_phase": np.angle(object_),
        f"{OBJECT}_modulus": np.abs(object_),
        PROBE: reconstruction.probe,
    }
    for name, image in images.items():
        axes = ["mode", "y", "x"][-image.ndim :]
        group = _data(entry, name, "data", axes)
        group.create_dataset("data", data=image, compression="gzip", shuffle=True)
        group["data"].attrs["interpretation"] = "image"
        for axis_name, length, side in zip(
            "yx", image.shape[-2:], pixel_of(reconstruction), strict=True
        ):
            put(group, axis_name, axis(length, side), unit_of(reconstruction))
        if "mode" in axes:
            group["mode"] = np.arange(len(image))
    entry[f"{OBJECT}_phase/data"].attrs["units"] = "rad"


def _write_curves(entry: h5py.Group, reconstruction: Reconstruction) -> None:
    """Write positions and errors, which are curves rather than images."""
    places = centres(reconstruction)
    group = _data(entry, PLACES, "y", ["x"])
    for number, name in enumerate("yx"):
        put(group, name, places[:, number], unit_of(reconstruction))
    group["title"] = "middles of the windows, from the middle of the object"
    errors = np.array(reconstruction.errors, np.float64)
    if len(errors):
        group = _data(entry, ERRORS, "error", ["epoch"])
        group["error"], group["epoch"] = errors, np.arange(1, len(errors) + 1)


def _write_instrument(entry: h5py.Group, geometry: Geometry) -> None:
    """Write what is known of beam and detector."""
    instrument = group_of(entry, "instrument", "NXinstrument")
    beam = group_of(instrument, "beam", "NXbeam")
    detector = group_of(instrument, "detector", "NXdetector")
    if geometry.energy_ev is not None:
        put(beam, "incident_energy", geometry.energy_ev, "eV")
        put(beam, "incident_wavelength", geometry.wavelength_m, "m")
    if geometry.distance_m is not None:
        put(detector, "distance", geometry.distance_m, "m")
    if geometry.detector_pixel_m is not None:
        for name, side in zip("yx", geometry.detector_pixel_m, strict=True):
            put(detector, f"{name}_pixel_size", side, "m")


def _data(parent: h5py.Group, name: str, signal: str, axes: list[str]) -> h5py.Group:
    places = {f"{axis_name}_indices": number for number, axis_name in enumerate(axes)}
    return group_of(parent, name, "NXdata", signal=signal, axes=axes, **places)
