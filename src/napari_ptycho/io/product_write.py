"""Reconstructions as Ptychodus products, HDF5 and NumPy: all that a reconstruction holds.

The layout is in `product.py`, which reads it. What version 1.7 of Ptychodus renamed is there by
both names.
"""

import os
from typing import Any

import numpy as np

from napari_ptycho.io import extras
from napari_ptycho.io.coordinates import centres, pixel_of
from napari_ptycho.io.hdf5_write import created
from napari_ptycho.io.npz_write import save
from napari_ptycho.io.product import ATTRIBUTES, DISTANCE, ENERGIES, EXTRA, FAR, FOCUS, IN_PIXELS
from napari_ptycho.io.settings import CREATOR, as_json
from napari_ptycho.model import Geometry, Reconstruction

DENSITIES = ("mass_attenuation_m2_per_kg", "mass_attenuation_m2_kg")


def write(reconstruction: Reconstruction, path: str | os.PathLike[str]) -> None:
    """Write a product to HDF5.

    Raises:
        FileError: The folder is missing or the disk is full.
        ScanError: The provenance holds what JSON cannot.
    """
    values = _values(reconstruction)
    with created(path) as file:
        extras.write(file, reconstruction)
        file["object"] = reconstruction.object[np.newaxis]
        for name, value in values.items():
            array, _, attribute = name.partition("_")
            if attribute in ATTRIBUTES.get(array, ()):
                file[array].attrs[attribute] = value
            elif np.ndim(value) == 0 and name != EXTRA:
                file.attrs[name] = value
            else:
                file[name] = value


def write_archive(reconstruction: Reconstruction, path: str | os.PathLike[str]) -> None:
    """Write a product to a NumPy archive, without pickles.

    Raises:
        FileError: The folder is missing or the disk is full.
        ScanError: The provenance holds what JSON cannot.
    """
    modes, weights = extras.coherent(reconstruction)
    arrays = {"probe": modes, "object": reconstruction.object[np.newaxis]}
    if weights is not None:
        arrays["opr_weights"] = weights
    save({**_values(reconstruction), **arrays, **extras.named(reconstruction)}, path)


def _values(reconstruction: Reconstruction) -> dict[str, Any]:
    """Return all but object, probe and extras under the names that they have in an archive."""
    height, width = pixel_of(reconstruction)
    rows, columns = centres(reconstruction).T
    said = as_json(reconstruction, variations=extras.count(reconstruction))
    values = {
        "name": reconstruction.name,
        "comments": CREATOR,
        **_experiment(reconstruction.geometry),
        "probe_photon_count": float(np.square(np.abs(reconstruction.probe)).sum()),
        "exposure_time_s": 0.0,
        **dict.fromkeys(DENSITIES, 0.0),
        "probe_position_indexes": np.arange(len(rows)),
        "probe_position_y_m": rows,
        "probe_position_x_m": columns,
        **{f"{array}_pixel_height_m": height for array in ATTRIBUTES},
        **{f"{array}_pixel_width_m": width for array in ATTRIBUTES},
        "object_center_x_m": 0.0,
        "object_center_y_m": 0.0,
        "object_layer_spacing_m": np.empty(0),
        "loss_values": np.array(reconstruction.errors, np.float64),
        "loss_epochs": np.arange(len(reconstruction.errors)),
        EXTRA: said,
    }
    if reconstruction.pixel_size_m is None:
        values[IN_PIXELS] = "pixel size unknown: all lengths called _m are in object pixels"
    return values


def _experiment(geometry: Geometry) -> dict[str, Any]:
    """Return the geometry by its names in a product, where 0 is what is not known.

    The energy is that of photons: electrons of the same energy have another wavelength.
    """
    energy = geometry.energy_ev if geometry.particle == "photon" else None
    return {
        **dict.fromkeys(ENERGIES, energy or 0.0),
        DISTANCE: geometry.distance_m or 0.0,
        FOCUS: -(geometry.focus_to_sample_m or 0.0),
        FAR: geometry.propagation == "far",
    }
