"""Reconstructions: our file is a Ptychodus product (HDF5) with provenance and extras added.

A product has the *centres* of the probe in metres, around the middle of the object:
x = center_x + (column - W/2) * pixel width, where columns are counted from the edge of the object,
so that the window of w columns that starts at column k has its centre at k + w/2.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.archive import Archive
from napari_ptycho.io.attributes import Attributes
from napari_ptycho.io.coordinates import corners
from napari_ptycho.io.files import name_of
from napari_ptycho.io.formats import ARRAYS, HDF5_FILE, Format, extras
from napari_ptycho.io.formats.stored import loaded
from napari_ptycho.io.settings import geometry_in
from napari_ptycho.model import Geometry, Reconstruction

MARK = "probe_position_x_m"
EXTRA = "napari_ptycho"
IN_PIXELS = "lengths_in_pixels"
ARRAY_NAMES = ("probe_position_x_m", "probe_position_y_m", "probe", "object")
LOSSES = ("loss_values", "costs")
ATTRIBUTES = {
    "probe": ("pixel_width_m", "pixel_height_m"),
    "object": ("center_x_m", "center_y_m", "pixel_width_m", "pixel_height_m"),
}
ENERGIES = ("photon_energy_eV", "probe_energy_eV")
"""Since version 1.7 of Ptychodus, and before."""
DISTANCE, FOCUS, FAR = "detector_object_distance_m", "focus_object_distance_m", "far_field"
ROOT = ("name", *ENERGIES, DISTANCE, FOCUS, FAR, IN_PIXELS)


def recognises(content: h5py.File | Archive) -> bool:
    """Whether a container holds a product."""
    return MARK in content and "object" in content


def read(content: h5py.File | Archive) -> Reconstruction:
    """Read a product, our own or of Ptychodus.

    Raises:
        FileError: Extras or variations of the probe do not fit it.
        ScanError: Something is missing or contradicts itself.
    """
    if isinstance(content, Archive):
        found = extras.read_archive(content)
        return _build(content.path, _from_archive(content), found, [])
    notes: list[str] = []
    values = _from_hdf5(content)
    return _build(Path(content.filename), values, extras.read(content, notes), notes)


def _from_hdf5(file: h5py.File) -> dict[str, Any]:
    """Return the values under the names that a product in .npz gives them."""
    own = Attributes(file)
    values: dict[str, Any] = {name: own[name] for name in ROOT if name in own}
    for name in ARRAY_NAMES:
        values[name] = loaded(hdf5.require(file, name, "a product"))
    for name in (*LOSSES, EXTRA, "opr_weights"):
        if name in file:
            values[name] = loaded(hdf5.require(file, name, "a product"))
    for array, names in ATTRIBUTES.items():
        found = Attributes(file[array])
        values |= {f"{array}_{name}": found[name] for name in names if name in found}
        if "opr_weights" in found:
            values["opr_weights"] = found["opr_weights"]
    return values


def _from_archive(archive: Archive) -> dict[str, Any]:
    missing = [name for name in ARRAY_NAMES if name not in archive]
    if missing:
        raise ScanError(f"{archive.path.name}: no array '{missing[0]}', which a product must have")
    attributes = [f"{array}_{name}" for array, names in ATTRIBUTES.items() for name in names]
    wanted = (*ARRAY_NAMES, *LOSSES, *ROOT, *attributes, EXTRA, "opr_weights")
    values = {name: archive.load(name) for name in wanted if name in archive}
    if "probe_opr_weights" in archive:
        values["opr_weights"] = archive.load("probe_opr_weights")
    return values


def _build(
    path: Path, values: Mapping[str, Any], found: extras.Found, notes: list[str]
) -> Reconstruction:
    extra = _extra(path, values[EXTRA]) if EXTRA in values else None
    object_ = _object(path, values["object"], notes)
    modes = _modes(path, values["probe"])
    found = {**found, **_variations(path, modes, values, extra, notes)}
    probe = modes[0]
    pixel = [_length(path, values, f"object_pixel_{side}_m") for side in ("height", "width")]
    center = [float(values.get(f"object_center_{axis}_m", 0.0)) for axis in "yx"]
    centres = np.stack([np.ravel(values[f"probe_position_{axis}_m"]) for axis in "yx"], axis=1)
    pair = (pixel[0], pixel[1])
    provenance = {"format": "Ptychodus product"} if extra is None else extra["provenance"]
    if notes:
        provenance["notes"] = [*provenance.get("notes", []), *notes]
    made = Reconstruction(
        object=object_,
        probe=probe,
        positions_px=corners(centres - center, object_.shape, probe.shape[1:], pair),
        pixel_size_m=None if IN_PIXELS in values else pair,
        errors=_errors(values),
        geometry=_geometry(values) if extra is None else geometry_in(extra),
        name=hdf5.text(_scalar(values.get("name", ""))) or name_of(path),
        provenance=provenance,
    )
    return extras.added(made, found, path)


def _extra(path: Path, value: Any) -> dict[str, Any]:
    """Return what we add to a product of our own."""
    extra = json.loads(hdf5.text(_scalar(value)))
    if not isinstance(extra, dict) or not isinstance(extra.get("provenance"), dict):
        raise ScanError(f"{path.name}: '{EXTRA}' does not hold what this program writes; damaged?")
    return extra


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) and value.size == 1 else value


def _length(path: Path, values: Mapping[str, Any], name: str) -> float:
    value = float(values.get(name, 0.0))
    if not 0 < value < np.inf:
        raise ScanError(
            f"{path.name}: {name} is {value}; the positions mean nothing without the pixel size"
        )
    return value


def _object(path: Path, stored: NDArray[Any], notes: list[str]) -> NDArray[Any]:
    """Return (H, W); the layers of a thick object are multiplied, as a plane wave sees them."""
    if stored.ndim == 2:
        return stored
    if stored.ndim != 3 or len(stored) == 0:
        raise ScanError(
            f"{path.name}: object has shape {stored.shape}; need (H, W) or (layers, H, W)"
        )
    if len(stored) > 1:
        notes.append(f"The object has {len(stored)} layers; their product is shown.")
    return np.asarray(np.prod(stored, axis=0))


def _modes(path: Path, stored: NDArray[Any]) -> NDArray[Any]:
    """Return (coherent modes, M, h, w) from (h, w), (M, h, w), or what it is already."""
    if not 2 <= stored.ndim <= 4 or 0 in stored.shape:
        raise ScanError(f"{path.name}: probe has shape {stored.shape}; need 2, 3 or 4 axes")
    return stored.reshape((1,) * (4 - stored.ndim) + stored.shape)


def _variations(
    path: Path,
    modes: NDArray[Any],
    values: Mapping[str, Any],
    extra: Mapping[str, Any] | None,
    notes: list[str],
) -> extras.Found:
    """Return how the probe varies from frame to frame, or say that it is not known."""
    known = None if extra is None else int(extra.get("variations", 0))
    if known is None and len(modes) > 1:
        kept = "are its variations" if "opr_weights" in values else "have no weights: left out"
        notes.append(f"The probe changes along the scan; {len(modes)} coherent modes {kept}.")
    if "opr_weights" not in values or known == 0:
        return {}
    return extras.variations(path, modes, values["opr_weights"], known)


def _errors(values: Mapping[str, Any]) -> tuple[float, ...]:
    losses = next((np.asarray(values[name]) for name in LOSSES if name in values), np.empty(0))
    if losses.ndim > 1:  # one per batch
        losses = losses.reshape(len(losses), -1).mean(axis=1)
    return tuple(np.ravel(losses).astype(np.float64).tolist())


def _geometry(values: Mapping[str, Any]) -> Geometry:
    """Return the geometry; a product writes 0 for what is not known.

    The focus is a place along the beam from the object: before it, and only so do we know it, the
    sign is minus.
    """
    energy = next((float(values[name]) for name in ENERGIES if name in values), 0.0)
    distance = abs(float(values.get(DISTANCE, 0.0)))
    near = not bool(values.get(FAR, True))
    focus = -float(values.get(FOCUS, 0.0)) if near else 0.0
    return Geometry(
        energy_ev=energy if 0 < energy < np.inf else None,
        distance_m=distance if 0 < distance < np.inf else None,
        propagation="near" if near else "far",
        focus_to_sample_m=focus if 0 < focus < np.inf else None,
    )


FORMAT = Format(
    title="reconstructions: Ptychodus products (.h5, .npz) and our own",
    containers=(HDF5_FILE, ARRAYS),
    recognises=recognises,
    read_reconstruction=read,
    checked="round trips; files built to the documented layout",
)
