"""Scans as CXI files (cxidb.org, version 1.6), as cdtools, SHARP, PtyPy and Ptychodus read them."""

import os
from typing import Any

import h5py
import numpy as np
from scipy.constants import e

from napari_ptycho.errors import ScanError
from napari_ptycho.io.coordinates import in_metres
from napari_ptycho.io.forms.hdf5 import created, put
from napari_ptycho.io.settings import CREATOR
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.model.geometry import Pair

VERSION = 160
ENTRY = "entry_1"
INVALID = 1
"""Bit of a CXI mask that marks a bad pixel."""
PACKED: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
"""What every HDF5 library unpacks."""


def write(scan: Scan, path: str | os.PathLike[str]) -> None:
    """Write a scan, block by block, so that a lazy one never fills the memory.

    Translations are those of the sample as (N, 3), in a frame whose x points left and y up seen
    along the beam. CXI does not say whether the field is far or near; and it knows X-rays only, so
    that the energy of electrons is left out.

    Raises:
        FileError: The folder is missing, the disk is full, or the scan is read from this file.
        ScanError: The positions are in pixels of unknown size.
    """
    positions = in_metres(scan)
    if positions is None:
        raise ScanError(
            f"{scan.name}: its positions are in object pixels of unknown size and CXI has metres; "
            "give energy, distance and detector pixel, or write our own format (.h5)"
        )
    with created(path) as file:
        file["cxi_version"] = VERSION
        entry = file.create_group(ENTRY)
        entry["title"], entry["program_name"] = scan.name, CREATOR
        _write_sample(entry, scan.name, positions)
        write_instrument(entry, scan.geometry)
        if scan.probe is not None:
            entry["instrument_1/source_1/illumination"] = scan.probe
        _write_frames(entry["instrument_1/detector_1"], scan)
        data = entry.create_group("data_1")
        data["data"] = h5py.SoftLink(f"/{ENTRY}/instrument_1/detector_1/data")
        data["translation"] = h5py.SoftLink(f"/{ENTRY}/sample_1/geometry_1/translation")
        if scan.exposure is not None:
            data["exposure"] = scan.exposure
            data["exposure"].attrs["meaning"] = "frames summed in each pattern, relative"


def _write_sample(entry: h5py.Group, name: str, positions: Floats) -> None:
    entry["sample_1/name"] = name
    put(entry, "sample_1/geometry_1/translation", translation(positions), "m")


def translation(positions: Floats) -> Floats:
    """Return (N, 3) CXI translations (x, y, z) of (N, 2) positions (y, x) in metres.

    The sample moves against the probe, and CXI's x and y point against columns and rows: the two
    signs cancel.
    """
    return np.column_stack([positions[:, 1], positions[:, 0], np.zeros(len(positions))])


def write_instrument(entry: h5py.Group, geometry: Geometry) -> None:
    """Write what is known of source and detector; energy in joules, as CXI wants it."""
    source = entry.create_group("instrument_1/source_1")
    detector = entry.create_group("instrument_1/detector_1")
    if geometry.energy_ev is not None and geometry.particle == "photon":
        put(source, "energy", geometry.energy_ev * e, "J")
        put(source, "wavelength", geometry.wavelength_m, "m")
    if geometry.distance_m is not None:
        put(detector, "distance", geometry.distance_m, "m")
    if geometry.detector_pixel_m is not None:
        write_pixel(detector, geometry.detector_pixel_m)


def write_pixel(group: h5py.Group, pixel_m: Pair) -> None:
    """Write the size of pixels (height, width) in metres, and the axes that they are along."""
    height, width = pixel_m
    put(group, "y_pixel_size", height, "m")
    put(group, "x_pixel_size", width, "m")
    put(group, "basis_vectors", np.array([[0, -height, 0], [-width, 0, 0]]), "m")


def _write_frames(detector: h5py.Group, scan: Scan) -> None:
    shape = tuple(scan.patterns.shape)
    chunks = (1, *shape[1:])
    data = detector.create_dataset("data", shape, scan.patterns.dtype, chunks=chunks, **PACKED)
    assert scan.valid is not None  # set on construction
    mask = None
    if scan.valid.ndim == 3:
        mask = detector.create_dataset("mask", shape, np.uint32, chunks=chunks, **PACKED)
    else:
        bits = np.where(scan.valid, 0, INVALID).astype(np.uint32)
        detector.create_dataset("mask", data=bits, **PACKED)
    for frames, block in scan.blocks():
        data[frames] = block
        if mask is not None:
            mask[frames] = np.where(scan.valid_of(frames), 0, INVALID)
