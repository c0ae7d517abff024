"""Results of PtychoShelves and fold_slice: .h5, and .mat of version 7.3 (also HDF5).

Facts: the writers of fold_slice. The .h5 has rows and columns as NumPy has them; in the .mat all
axes are in the reverse order, and positions (x, y) are counted from the middle of the object.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.io import hdf5
from napari_ptycho.io.formats import HDF5_FILE, Format, stored
from napari_ptycho.io.formats.beam import energy_of
from napari_ptycho.io.formats.results import Result, first_layer, slices_multiplied
from napari_ptycho.model import Reconstruction
from napari_ptycho.model.arrays import Floats

PARAMETERS = "reconstruction/p"
OBJECTS, PROBES = f"{PARAMETERS}/objects", f"{PARAMETERS}/probes"
A_RESULT = "a result of PtychoShelves"
NO_PIXEL_IN_METRES = 1e-4
"""Longer ones, and wavelengths, are in angstrom: so electrons are kept."""


def recognises(file: h5py.File) -> bool:
    """Whether a file has object and probe of either kind."""
    return _is_mat(file) or bool(_held(file, OBJECTS) and _held(file, PROBES))


def _is_mat(file: h5py.File) -> bool:
    arrays = [file.get(name) for name in ("object", "probe")]
    groups = [file.get(name) for name in ("p", "outputs")]
    return all(isinstance(array, h5py.Dataset) for array in arrays) and any(
        isinstance(group, h5py.Group) for group in groups
    )


def _held(file: h5py.File, name: str) -> list[str]:
    """Return the names of the datasets in a group."""
    group = file.get(name)
    if not isinstance(group, h5py.Group):
        return []
    return [key for key in sorted(group) if isinstance(group.get(key), h5py.Dataset)]


def read(file: h5py.File) -> Reconstruction:
    """Read a result.

    Raises:
        ScanError: Something is missing or contradicts itself.
        FileError: Something cannot be read.
    """
    result = _from_mat(file) if _is_mat(file) else _from_h5(file)
    result.notes.append("The probe has PtychoShelves' scale: its power is not photons per pattern.")
    return result.reconstruction()


def _from_mat(file: h5py.File) -> Result:
    notes: list[str] = []
    # (H, W, slices) and (h, w, modes, variations) in MATLAB
    slices = np.swapaxes(_array(file, "object"), -1, -2)
    probe = np.swapaxes(_array(file, "probe"), -1, -2)
    result = Result(
        Path(file.filename),
        "PtychoShelves",
        slices_multiplied(slices, notes),
        _modes(probe, notes),
        errors=_numbers(file, "outputs/fourier_error_out"),
        notes=notes,
    )
    _experiment(file, "p", result)
    places = _numbers(file, "outputs/probe_positions")
    if places is not None and places.ndim == 2 and places.shape[0] == 2:
        middle = np.ceil((np.array(result.object.shape) - result.probe.shape[1:]) / 2)
        result.corners = places[::-1].T + middle - 1  # MATLAB counts from 1
    return result


def _from_h5(file: h5py.File) -> Result:
    notes: list[str] = []
    objects, probes = _held(file, OBJECTS), _held(file, PROBES)
    if len(objects) > 1 or len(probes) > 1:
        notes.append(
            f"The file has {len(objects)} objects and {len(probes)} probes; {objects[0]} and "
            f"{probes[0]} are read."
        )
    layers = _array(file, f"{OBJECTS}/{objects[0]}")
    if layers.ndim == 4 and layers.shape[1]:
        layers = layers[:, 0]
        made = slices_multiplied(layers, notes)
    else:
        made = first_layer(layers, notes)
    result = Result(
        Path(file.filename),
        "PtychoShelves",
        made,
        _modes(_array(file, f"{PROBES}/{probes[0]}"), notes),
        notes=notes,
    )
    _experiment(file, PARAMETERS, result)
    places = _numbers(file, f"{PARAMETERS}/positions")
    if places is not None and places.ndim == 2 and 2 in places.shape:
        result.corners = places if places.shape[1] == 2 else places.T
    return result


def _array(file: h5py.File, name: str) -> NDArray[Any]:
    values = stored.complexes(hdf5.require(file, name, A_RESULT))
    return values if values.ndim > 1 else values.reshape(1, -1)


def _modes(probe: NDArray[Any], notes: list[str]) -> NDArray[Any]:
    """Return (modes, h, w) of a probe (variations, modes, h, w)."""
    if probe.ndim == 4 and len(probe):
        if len(probe) > 1:
            notes.append(
                f"The probe has {len(probe)} variations along the scan; the first is read."
            )
        return probe[0]
    return probe.reshape(-1, *probe.shape[-2:])


def _numbers(file: h5py.File, name: str) -> Floats | None:
    dataset = hdf5.find(file, name)
    if dataset is None or not dataset.size or dataset.dtype.kind not in "uif":
        return None
    values = stored.numbers(dataset).astype(np.float64)
    return values if np.isfinite(values).all() else None


def _experiment(file: h5py.File, place: str, result: Result) -> None:
    """Put the pixel and the energy into the result, in metres and eV."""
    pixel = _numbers(file, f"{place}/dx_spec")
    wavelength = _numbers(file, f"{place}/lambda")
    scale = 1.0
    if pixel is not None and pixel.size in (1, 2) and (pixel > 0).all():
        sides = np.ravel(pixel)
        scale = 1e-10 if sides.max() > NO_PIXEL_IN_METRES else 1.0
        result.pixel_m = float(sides[0]) * scale, float(sides[-1]) * scale
    if scale != 1.0:
        result.notes.append("Lengths were taken as angstrom, as fold_slice has them for electrons.")
    if wavelength is not None and wavelength.size == 1 and wavelength.flat[0] > 0:
        energy, particle = energy_of(float(wavelength.flat[0]) * scale)
        result.geometry |= {"energy_ev": energy, "particle": particle}


FORMAT = Format(
    title="results of PtychoShelves (.h5, .mat version 7.3)",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_reconstruction=read,
)
