"""Plain files that anything reads: arrays (.npz, .npy) and tables of positions (.csv)."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_ptycho.errors import ScanError
from napari_ptycho.io.atomic import written
from napari_ptycho.io.coordinates import in_metres
from napari_ptycho.io.settings import as_json
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Floats

Target = str | os.PathLike[str]


def save(arrays: Mapping[str, Any], path: Target) -> None:
    """Write arrays, numbers and texts to an .npz; none of them is pickled.

    Raises:
        FileError: The folder is missing or the disk is full.
    """
    with written(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def write_arrays(reconstruction: Reconstruction, path: Target) -> None:
    """Write a reconstruction as an .npz with plain names.

    `object` (H, W), `probe` (M, h, w), `positions_px` (N, 2) corners (y, x) of the windows,
    `errors`, `settings_json`; where they are known `positions_m`, `object_pixel_m` (height, width),
    `wavelength_m`, `energy_ev`, `distance_m`; and each extra by its name.

    Raises:
        FileError: The folder is missing or the disk is full.
        ScanError: The provenance holds what JSON cannot.
    """
    geometry, pixel = reconstruction.geometry, reconstruction.pixel_size_m
    known = {
        "positions_m": None if pixel is None else reconstruction.positions_px * pixel,
        "object_pixel_m": pixel,
        "wavelength_m": geometry.wavelength_m,
        "energy_ev": geometry.energy_ev,
        "distance_m": geometry.distance_m,
    }
    arrays = {
        "object": reconstruction.object,
        "probe": reconstruction.probe,
        "positions_px": reconstruction.positions_px,
        "errors": np.array(reconstruction.errors, np.float64),
        "settings_json": as_json(reconstruction),
        **{name: value for name, value in known.items() if value is not None},
        **reconstruction.extras,
    }
    save(arrays, path)


def write_probe(thing: Scan | Reconstruction, path: Target) -> None:
    """Write the probe (M, h, w) complex64 as .npy.

    Raises:
        FileError: The folder is missing or the disk is full.
        ScanError: A scan without a probe.
    """
    if thing.probe is None:
        raise ScanError(f"{thing.name}: has no probe to write")
    with written(path) as temporary, temporary.open("wb") as file:
        np.save(file, thing.probe, allow_pickle=False)


def write_positions(thing: Scan | Reconstruction, path: Target) -> None:
    """Write a table of positions: index, y, x, in metres, or in object pixels without a scale.

    Of a reconstruction, they are the corners of the windows, counted from the corner of the
    object; if they were refined, the original ones and the moves follow.

    Raises:
        FileError: The folder is missing or the disk is full.
    """
    unit, columns = _of_scan(thing) if isinstance(thing, Scan) else _of_reconstruction(thing)
    names = [f"{kind}{axis}_{unit}" for kind in columns for axis in "yx"]
    _write_table(["index", *names], np.hstack(list(columns.values())), Path(path))


def _of_scan(scan: Scan) -> tuple[str, dict[str, Floats]]:
    metres = in_metres(scan)
    return ("px", {"": scan.in_pixels()}) if metres is None else ("m", {"": metres})


def _of_reconstruction(reconstruction: Reconstruction) -> tuple[str, dict[str, Floats]]:
    places = {"": reconstruction.positions_px}
    moves = reconstruction.extras.get("position_moves_px")
    if moves is not None:
        places |= {"original_": reconstruction.positions_px - moves, "moved_": moves}
    pixel = reconstruction.pixel_size_m
    if pixel is None:
        return "px", places
    return "m", {kind: np.asarray(place * pixel) for kind, place in places.items()}


def _write_table(header: Sequence[str], values: Floats, path: Path) -> None:
    with written(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(header)
        table.writerows([index, *row] for index, row in enumerate(values.tolist()))
