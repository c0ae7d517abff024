"""Reconstructions in CXI files, as PyNX writes them.

The first row of an array is the upper edge, where y is largest: arrays are as ours, and only the
signs of y coordinates differ. Groups `result_<n>` have a dataset `data`: the object (layers, H, W),
the probe (M, h, w), the background, the flux, and positions (4, N), which are x and y of the
middles of the windows from the middle of the object, and how far both were refined.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.coordinates import ONE_PIXEL, corners
from napari_ptycho.io.formats import HDF5_FILE, Format, stored
from napari_ptycho.io.formats.extras import added
from napari_ptycho.io.formats.results import Result, slices_multiplied
from napari_ptycho.io.settings import geometry_in
from napari_ptycho.model import Reconstruction

A_RESULT = "a CXI result"
OBJECT, PROBE, PLACES = "result_1", "result_2", "result_5"
MORE = {"background": "result_3", "flux": "result_4"}
"""Extra -> its group."""
SETTINGS = "process_1/configuration/napari_ptycho"
ERRORS = "process_1/results/errors"
BASE = "instrument_1"
COORDINATES = ("row_coords", "col_coords")


def recognises(file: h5py.File) -> bool:
    """Whether an entry of a file has object and probe, as PyNX names them."""
    return _entry(file) is not None


def _entry(file: h5py.File) -> str | None:
    """Return the last entry with a result."""
    names = [name for name in file if re.fullmatch(r"entry_\d+", name)]
    names.sort(key=lambda name: -int(name.split("_")[1]))
    wanted = (OBJECT, PROBE, "object", "probe")
    for name in names:
        held = file.get(name)
        if isinstance(held, h5py.Group) and all(
            isinstance(held.get(part), h5py.Group) for part in wanted
        ):
            return name
    return None


def read(file: h5py.File) -> Reconstruction:
    """Read a result, of PyNX or our own.

    Raises:
        ScanError: Something is missing or contradicts itself.
        FileError: A link or a filter is missing.
    """
    entry = _entry(file)
    if entry is None:
        raise ScanError(f"{Path(file.filename).name}: no entry has an object and a probe")
    notes: list[str] = []
    stack = stored.complexes(hdf5.require(file, f"{entry}/{OBJECT}/data", A_RESULT))
    probe = stored.complexes(hdf5.require(file, f"{entry}/{PROBE}/data", A_RESULT))
    result = Result(
        Path(file.filename),
        "PyNX",
        slices_multiplied(stack, notes),
        probe[np.newaxis] if probe.ndim == 2 else probe,
        pixel_m=_pair(file, f"{entry}/{OBJECT}"),
        geometry=_geometry(file, entry),
        notes=notes,
    )
    moves = _place(file, entry, result)
    found = _extras(file, entry)
    if moves is not None and moves.any():
        found["position_moves_px"] = moves
    made = added(result.reconstruction(), found, result.file)
    said = hdf5.find(file, f"{entry}/{SETTINGS}")
    return made if said is None else _ours(file, entry, made, json.loads(hdf5.text(said)))


def _ours(
    file: h5py.File, entry: str, made: Reconstruction, said: Mapping[str, Any]
) -> Reconstruction:
    """Return a reconstruction of ours with what only our files say."""
    errors = hdf5.find(file, f"{entry}/{ERRORS}")
    return replace(
        made,
        name=str(said["name"]),
        geometry=geometry_in(said),
        provenance=said["provenance"],
        errors=() if errors is None else tuple(np.ravel(stored.numbers(errors)).tolist()),
    )


def _pair(file: h5py.File, group: str) -> tuple[float, float] | None:
    """Return the pixel (height, width) in metres, None where one side is unknown."""
    height, width = (
        hdf5.number(hdf5.find(file, f"{group}/{axis}_pixel_size"), hdf5.LENGTHS) for axis in "yx"
    )
    return None if height is None or width is None else (height, width)


def _geometry(file: h5py.File, entry: str) -> dict[str, Any]:
    """Return what is known of source and detector; the energy is that of the photons, in J."""
    known: dict[str, Any] = {"detector_pixel_m": _pair(file, f"{entry}/{BASE}/detector_1")}
    energy = hdf5.find(file, f"{entry}/{BASE}/source_1/energy")
    found = hdf5.number(energy, hdf5.ENERGIES)
    if energy is not None and found is not None:
        known["energy_ev"] = found if hdf5.unit(energy) else found * hdf5.ENERGIES["j"]
    distance = hdf5.find(file, f"{entry}/{BASE}/detector_1/distance")
    found = hdf5.number(distance, hdf5.LENGTHS)
    if found is not None:
        known["distance_m"] = abs(found)
    return known


def _place(file: h5py.File, entry: str, result: Result) -> NDArray[np.float64] | None:
    """Put the corners of the windows into the result; return their (N, 2) moves in pixels."""
    dataset = hdf5.find(file, f"{entry}/{PLACES}/data")
    pixel = result.pixel_m
    if pixel is None and dataset is not None and hdf5.unit(dataset) == "pixel":
        pixel = ONE_PIXEL
    if dataset is None or pixel is None:
        return None
    table = stored.numbers(dataset).astype(np.float64)
    if table.ndim != 2 or len(table) < 2 or not np.isfinite(table).all():
        raise ScanError(
            f"{result.file.name}: {dataset.name} has shape {table.shape}; need (4, N) numbers"
        )
    middle_y, middle_x = (
        _middle(file, f"{entry}/{OBJECT}/{name}", side)
        for name, side in zip(COORDINATES, pixel, strict=True)
    )
    places = np.stack([middle_y - table[1], table[0] - middle_x], axis=1)
    result.corners = corners(places, result.object.shape, result.probe.shape[1:], pixel)
    return None if len(table) < 4 else np.stack([-table[3], table[2]], axis=1) / pixel


def _middle(file: h5py.File, name: str, side: float) -> float:
    """Return the coordinate of the object's middle; those in the file are of lower edges."""
    dataset = hdf5.find(file, name)
    if dataset is None:
        return 0.0
    factor = hdf5.LENGTHS.get(hdf5.unit(dataset).lower(), 1.0)
    return float(np.mean(stored.numbers(dataset))) * factor + side / 2


def _extras(file: h5py.File, entry: str) -> dict[str, NDArray[Any]]:
    found = {}
    for name, group in MORE.items():
        dataset = hdf5.find(file, f"{entry}/{group}/data")
        if dataset is not None:
            found[name] = stored.numbers(dataset)
    return found


FORMAT = Format(
    title="CXI results: PyNX and our own",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_reconstruction=read,
    checked="round trips; files built to the documented layout",
)
