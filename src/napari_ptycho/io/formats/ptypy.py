"""Results of PtyPy (.ptyr), HDF5 with typed datasets; what both files of PtyPy share.

PtyPy writes its objects with an attribute `type` on every dataset and group. What is typed as a
pickle is never opened.
"""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.attributes import Attributes
from napari_ptycho.io.formats import HDF5_FILE, Format, stored
from napari_ptycho.io.formats.results import Result, first_layer
from napari_ptycho.io.settings import geometry_in
from napari_ptycho.model import Geometry, Reconstruction

VERSION, VERSION_VALUE = "h5rw_version", "0.1"
"""Root attribute of both files, and its value."""
TYPE, NONE = "type", "None"
"""Attribute of every dataset and group, and its value where Python had None."""
PICKLED = ("pickle", "record_array")
DESCRIPTION = "Ptypy .h5 compatible storage format"
OBJECTS, PROBES = "content/obj", "content/probe"
POSITIONS, ITERATIONS, PARAMETERS = (
    "content/positions",
    "content/runtime/iter_info",
    "content/pars",
)
DATA, PIXEL, ORIGIN, CENTRE, ENERGY = "data", "_psize", "_origin", "_center", "_energy"
"""Of a storage: (layers, H, W), (2,) m, (2,) m, (2,) px, keV."""
OURS = f"{PARAMETERS}/napari_ptycho"
"""Name, geometry and provenance as JSON, in the files that we write."""
MOST_REBINNED, MOST_LISTED = 8, 16
NEAR = "nearfield"


def curvature(
    shape: tuple[int, int],
    pixel_size_m: tuple[float, float],
    wavelength_m: float,
    distance_m: float,
) -> NDArray[np.complex128]:
    """Return exp(i pi r^2 / (wavelength distance)), by which PtyPy multiplies a far-field wave.

    A probe of PtyPy times this factor fits a plain Fourier transform; ours divided by it fits
    PtyPy.

    Args:
        shape: Pixels of the probe (height, width); r = 0 at [height // 2, width // 2].
        pixel_size_m: Object pixel (height, width) in metres.
        wavelength_m: In metres.
        distance_m: Sample to detector in metres.

    Returns:
        (height, width) complex, of modulus 1.
    """
    rows, columns = (
        (np.arange(length) - length // 2) * pixel
        for length, pixel in zip(shape, pixel_size_m, strict=True)
    )
    squares = np.square(rows)[:, np.newaxis] + np.square(columns)
    return np.asarray(np.exp(1j * np.pi * squares / (wavelength_m * distance_m)))


def dataset(file: h5py.File, name: str) -> h5py.Dataset | None:
    """Return a dataset of PtyPy, None where there is none or Python had None.

    Raises:
        ScanError: It is a pickle.
        FileError: See `hdf5.find`.
    """
    found = hdf5.find(file, name)
    kind = "" if found is None else hdf5.text(Attributes(found).get(TYPE, ""))
    if kind in PICKLED:
        raise ScanError(
            f"{Path(file.filename).name}: '{name}' is stored as a {kind}, which is never opened "
            "because it can run code"
        )
    return None if kind == NONE else found


def numbers(file: h5py.File, name: str) -> NDArray[np.float64] | None:
    """Return the numbers of a dataset, or of a list or tuple (a group), in one row; None if none.

    Raises:
        ScanError: They are no numbers.
    """
    group = file.get(name)
    names = sorted(group)[:MOST_LISTED] if isinstance(group, h5py.Group) else []
    parts = [dataset(file, f"{name}/{key}") for key in names] or [dataset(file, name)]
    known = [np.ravel(stored.numbers(part)) for part in parts if part is not None and part.size]
    return np.concatenate(known).astype(np.float64) if known else None


def number(file: h5py.File, *names: str) -> float | None:
    """Return the first of some numbers that is known: neither missing nor zero nor NaN."""
    for name in names:
        found = numbers(file, name)
        if found is not None and np.isfinite(found[0]) and found[0] != 0:
            return float(found[0])
    return None


def pair(file: h5py.File, name: str) -> tuple[float, float] | None:
    """Return (row, column) values of one number or two, None where one is missing or zero."""
    found = numbers(file, name)
    if found is None or len(found) > 2 or not (np.isfinite(found) & (found != 0)).all():
        return None
    return float(found[0]), float(found[-1])


def word(file: h5py.File, *names: str) -> str:
    """Return the first of some texts that is there, else ""."""
    for name in names:
        found = dataset(file, name)
        if found is not None and found.shape == () and found.dtype.kind in "SO":
            return hdf5.text(found)
    return ""


def recognises(file: h5py.File) -> bool:
    """Whether a file has the object and the probe of a .ptyr."""
    return bool(_storages(file, OBJECTS)) and bool(_storages(file, PROBES))


def _storages(file: h5py.File, name: str) -> list[str]:
    """Return the names of the storages of a container."""
    group = file.get(name)
    if not isinstance(group, h5py.Group):
        return []
    below = {key: group.get(key) for key in sorted(group)}
    return [key for key, part in below.items() if isinstance(part, h5py.Group) and DATA in part]


def read(file: h5py.File) -> Reconstruction:
    """Read a result.

    Raises:
        ScanError: Something is missing or contradicts itself.
        FileError: Something cannot be read.
    """
    notes: list[str] = []
    objects, probes = _storages(file, OBJECTS), _storages(file, PROBES)
    name = objects[0]
    if len(objects) > 1:
        notes.append(f"The file has {len(objects)} objects ({', '.join(objects)}); {name} is read.")
    probe_name = name if name in probes else probes[0]
    if len(probes) > 1:
        notes.append(
            f"The file has {len(probes)} probes ({', '.join(probes)}); {probe_name} is read."
        )
    stored_object = stored.complexes(hdf5.require(file, f"{OBJECTS}/{name}/{DATA}", "a .ptyr"))
    probe = stored.complexes(hdf5.require(file, f"{PROBES}/{probe_name}/{DATA}", "a .ptyr"))
    result = Result(
        Path(file.filename),
        "PtyPy",
        first_layer(stored_object, notes),
        probe[np.newaxis] if probe.ndim == 2 else probe,
        pixel_m=pair(file, f"{OBJECTS}/{name}/{PIXEL}"),
        errors=_errors(file),
        notes=notes,
    )
    result.corners = _corners(file, name, result)
    result.said = _said(file)
    if result.said:
        result.geometry = asdict(geometry_in(result.said))
    else:
        _experiment(file, (f"{PROBES}/{probe_name}/", f"{OBJECTS}/{name}/"), result)
    result.probe = _without_curvature(result)
    return result.reconstruction()


def _said(file: h5py.File) -> dict[str, Any]:
    """Return what we wrote into the file; empty where PtyPy wrote it."""
    text = word(file, OURS)
    said = json.loads(text) if text else {}
    parts = said if isinstance(said, dict) else {}
    if text and not all(isinstance(parts.get(name), dict) for name in ("geometry", "provenance")):
        raise ScanError(f"{Path(file.filename).name}: '{OURS}' is not what napari-ptycho writes")
    return parts


def _corners(file: h5py.File, name: str, result: Result) -> NDArray[np.float64] | None:
    """Return the (N, 2) corners of the windows; PtyPy has their centres in metres."""
    found = dataset(file, f"{POSITIONS}/{name}")
    if found is None or result.pixel_m is None:
        return None
    centres = stored.numbers(found).astype(np.float64)
    if centres.ndim != 2 or centres.shape[1] != 2 or not np.isfinite(centres).all():
        raise ScanError(
            f"{result.file.name}: '{found.name}' has shape {centres.shape}; need (N, 2) numbers"
        )
    origin = numbers(file, f"{OBJECTS}/{name}/{ORIGIN}")
    if origin is None:
        centre = numbers(file, f"{OBJECTS}/{name}/{CENTRE}")
        if centre is None:
            result.notes.append("The positions have no origin in the object; they were left out.")
            return None
        origin = -centre * result.pixel_m
    corners = (centres - origin) / result.pixel_m - np.array(result.probe.shape[1:]) // 2
    return np.asarray(np.round(corners, 6) + 0.0)


def _errors(file: h5py.File) -> NDArray[np.float64] | None:
    """Return an error for each iteration: the first of PtyPy's three that is ever not zero."""
    group = file.get(ITERATIONS)
    if not isinstance(group, h5py.Group):
        return None
    rows = [numbers(file, f"{ITERATIONS}/{key}/error") for key in sorted(group)]
    known = [row for row in rows if row is not None and len(row) == 3]
    if not known:
        return None
    table = np.array(known)
    used = (np.nan_to_num(table) != 0).any(axis=0)
    return np.asarray(table[:, int(np.argmax(used))])


def _experiment(file: h5py.File, storages: tuple[str, ...], result: Result) -> None:
    """Put energy, distance and propagation into the result, as far as they are known."""
    scans = file.get(f"{PARAMETERS}/scans")
    names = sorted(scans) if isinstance(scans, h5py.Group) else []
    parts = [f"{PARAMETERS}/scans/{name}/{part}" for name in names for part in ("data", "geometry")]
    energy = number(file, *(storage + ENERGY for storage in storages))
    energy = energy or number(file, *(f"{part}/energy" for part in parts))
    known: dict[str, Any] = {"energy_ev": energy * 1e3} if energy and energy > 0 else {}
    told = word(
        file,
        *(f"{part}/propagation" for part in parts),
        *(f"{PARAMETERS}/scans/{name}/propagation" for name in names),
    )
    known["propagation"] = "near" if NEAR in re.sub("[^a-z]", "", told.lower()) else "far"
    result.geometry = known
    for part in parts:
        distance = number(file, f"{part}/distance")
        if distance is not None and distance > 0 and _fits(file, part, distance, result):
            known["distance_m"] = distance
            return


def _fits(file: h5py.File, part: str, distance: float, result: Result) -> bool:
    """Whether a distance among the parameters makes the object's pixel, by some rebinning."""
    detector, wavelength = pair(file, f"{part}/psize"), _wavelength(result)
    near = result.geometry["propagation"] == "near"
    if near or detector is None or wavelength is None or result.pixel_m is None:
        return True
    side = result.probe.shape[1] * detector[0]
    ratio = result.pixel_m[0] * side / (wavelength * distance)
    rebinned = 1 / ratio if ratio > 0 else np.inf
    if 0.98 <= rebinned < MOST_REBINNED and abs(rebinned / round(rebinned) - 1) < 0.02:
        return True
    result.notes.append(
        f"A distance of {distance:g} m among the parameters does not fit the pixel of "
        f"{result.pixel_m[0]:.4g} m and was not used."
    )
    return False


def _wavelength(result: Result) -> float | None:
    return Geometry(**result.geometry).wavelength_m


def _without_curvature(result: Result) -> NDArray[Any]:
    """Return the probe as a plain Fourier transform needs it."""
    if result.geometry["propagation"] == "near" or result.probe.ndim != 3:
        return result.probe
    wavelength, distance = _wavelength(result), result.geometry.get("distance_m")
    if wavelength is None or distance is None or result.pixel_m is None:
        result.notes.append(
            "PtyPy's probe lacks the curvature exp(i pi r^2 / (wavelength distance)), and "
            "the file does not say enough to add it: as a start, this probe is out of focus."
        )
        return result.probe
    height, width = result.probe.shape[1:]
    return result.probe * curvature((height, width), result.pixel_m, wavelength, distance)


FORMAT = Format(
    title="results of PtyPy (.ptyr)",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_reconstruction=read,
    checked="round trips; files built to the documented layout",
)
