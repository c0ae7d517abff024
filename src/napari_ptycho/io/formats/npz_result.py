"""Reconstructions in our own plain archives, which `forms/npz.py` writes."""

import json

import numpy as np

from napari_ptycho.errors import FileError
from napari_ptycho.io.archive import Archive
from napari_ptycho.io.formats import ARRAYS, Format
from napari_ptycho.io.formats.extras import added
from napari_ptycho.io.settings import geometry_in
from napari_ptycho.model import Reconstruction
from napari_ptycho.model.reconstruction import EXTRAS

NEEDED = ("object", "probe", "positions_px", "errors", "settings_json")


def recognises(archive: Archive) -> bool:
    """Whether an archive has the names of ours."""
    return all(name in archive for name in NEEDED)


def read(archive: Archive) -> Reconstruction:
    """Read a reconstruction.

    Raises:
        FileError: An array is damaged, or does not fit the others.
        ScanError: What it holds contradicts itself.
    """
    values = {name: archive.load(name) for name in NEEDED}
    for name, kinds in (("object", "fc"), ("probe", "fc"), ("positions_px", "iuf")):
        if values[name].dtype.kind not in kinds:
            raise FileError(f"{archive.path.name}: '{name}' is {values[name].dtype}; need numbers")
    said = json.loads(str(values["settings_json"]))
    pixel = archive.load("object_pixel_m") if "object_pixel_m" in archive else None
    made = Reconstruction(
        object=values["object"],
        probe=values["probe"],
        positions_px=values["positions_px"],
        pixel_size_m=None if pixel is None else (float(pixel[0]), float(pixel[1])),
        errors=tuple(np.ravel(values["errors"]).astype(np.float64).tolist()),
        geometry=geometry_in(said),
        name=str(said["name"]),
        provenance=said["provenance"],
    )
    found = {name: archive.load(name) for name in EXTRAS if name in archive}
    for name, array in found.items():
        if array.dtype.kind not in "iufc":
            raise FileError(f"{archive.path.name}: '{name}' is {array.dtype}; need numbers")
    return added(made, found, archive.path)


FORMAT = Format(
    title="reconstructions of napari-ptycho as plain arrays (.npz)",
    containers=(ARRAYS,),
    recognises=recognises,
    read_reconstruction=read,
    checked="round trips",
)
"""Asked before the scans: PtyNet's archives have an object and a probe too, but no settings."""
