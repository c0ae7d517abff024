"""Reconstructions as CXI results in the layout of PyNX; what it is, is in `formats/cxi_result.py`.

Ptychodus finds the names that it looks for there too: they are links.
"""

import os

import h5py
import numpy as np

from napari_ptycho import __version__
from napari_ptycho.io.coordinates import axis, centres, pixel_of, unit_of
from napari_ptycho.io.formats.cxi_result import ERRORS, MORE, OBJECT, PLACES, PROBE, SETTINGS
from napari_ptycho.io.forms.cxi import translation, write_instrument, write_pixel
from napari_ptycho.io.forms.hdf5 import created, group_of, put
from napari_ptycho.io.settings import PROGRAM, as_json
from napari_ptycho.model import Reconstruction

VERSION = 150
ENTRY = "entry_1"
TITLES = {
    "background": ("Incoherent background", "intensity"),
    "flux": ("Floating intensities for each frame", "scale"),
}
"""Extra -> title and data type, as PyNX calls them."""


def write(reconstruction: Reconstruction, path: str | os.PathLike[str]) -> None:
    """Write a result. Without a pixel size, coordinates are in pixels and say so.

    Raises:
        FileError: The folder is missing or the disk is full.
        ScanError: The provenance holds what JSON cannot.
    """
    said = as_json(reconstruction)
    with created(path) as file:
        file["cxi_version"] = VERSION
        file.attrs.update({"default": ENTRY, "creator": PROGRAM})
        file["entry_last"] = h5py.SoftLink(f"/{ENTRY}")
        entry = group_of(file, ENTRY, "NXentry")
        entry.attrs["default"] = "object"
        entry["title"], entry["program_name"] = reconstruction.name, f"{PROGRAM} {__version__}"
        _write_images(entry, reconstruction)
        _write_places(entry, reconstruction)
        write_instrument(entry, reconstruction.geometry)
        _write_process(entry, reconstruction, said)


def _write_images(entry: h5py.Group, reconstruction: Reconstruction) -> None:
    images = {
        "object": (OBJECT, reconstruction.object[np.newaxis], "image_2"),
        "probe": (PROBE, reconstruction.probe, "image_1"),
    }
    for name, (place, stack, alias) in images.items():
        group = group_of(entry, place, "NXdata")
        group["title"] = name.capitalize()
        group.attrs.update({"signal": "data", "axes": [".", "row_coords", "col_coords"]})
        data = group.create_dataset("data", data=stack, compression="gzip", shuffle=True)
        data.attrs["interpretation"] = "image"
        group["data_space"] = "real"
        _write_scale(group, reconstruction)
        for link in (name, alias):
            entry[link] = h5py.SoftLink(f"/{ENTRY}/{place}")
    for name, place in MORE.items():
        if name in reconstruction.extras:
            group = group_of(entry, place, "NXdata")
            group.attrs["signal"] = "data"
            group["title"], group["data_type"] = TITLES[name]
            group["data"], group["data_space"] = reconstruction.extras[name], "diffraction"


def _write_scale(group: h5py.Group, reconstruction: Reconstruction) -> None:
    """Write the lower edges of the pixels; y points up, so that those of the rows fall."""
    (height, width), unit = pixel_of(reconstruction), unit_of(reconstruction)
    rows, columns = group["data"].shape[1:]
    put(group, "row_coords", -axis(rows, height) - height / 2, unit)
    put(group, "col_coords", axis(columns, width) - width / 2, unit)
    if reconstruction.pixel_size_m is not None:
        put(group, "image_size", np.array([width * columns, height * rows]), "m")
        write_pixel(group, reconstruction.pixel_size_m)


def _write_places(entry: h5py.Group, reconstruction: Reconstruction) -> None:
    """Write where the windows lie, in the coordinates of the images."""
    places = centres(reconstruction)
    moves = reconstruction.extras.get("position_moves_px", np.zeros_like(places))
    moves = moves * pixel_of(reconstruction)
    group = group_of(entry, PLACES, "NXdata")
    group.attrs.update({"signal": "data", "note": "x, y, and how far they were refined: dx, dy"})
    rows = [places[:, 1], -places[:, 0], moves[:, 1], -moves[:, 0]]
    put(group, "data", np.array(rows), unit_of(reconstruction))
    group["data_space"] = "real"
    entry["positions"] = h5py.SoftLink(f"/{ENTRY}/{PLACES}")
    if reconstruction.pixel_size_m is not None:
        put(entry, "sample_1/geometry_1/translation", translation(places), "m")


def _write_process(entry: h5py.Group, reconstruction: Reconstruction, said: str) -> None:
    process = group_of(entry, "process_1", "NXprocess")
    process["program"], process["version"] = PROGRAM, __version__
    for name in ("configuration", "results"):
        group_of(process, name, "NXcollection")
    entry[SETTINGS] = said
    errors = np.array(reconstruction.errors, np.float64)
    entry[ERRORS] = errors
    theirs = entry.create_group("ptychodus")
    theirs["loss_values"], theirs["loss_epochs"] = errors, np.arange(len(errors))
    theirs["object_center_x_m"] = theirs["object_center_y_m"] = 0.0
