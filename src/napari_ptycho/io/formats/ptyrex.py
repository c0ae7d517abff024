"""Results of PtyREX (Diamond I13-1, ePSIC): modulus and phase in arrays of seven axes.

Facts: Diamond's nxstacker. An axis of modes, four of length 1, then rows and columns; around what
was scanned the modulus is 1 and the phase 0. Positions are not known to be in the file.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.formats import HDF5_FILE, Format, stored
from napari_ptycho.io.formats.results import Result, first_layer
from napari_ptycho.model import Reconstruction

OUTPUT = "entry_1/process_1/output_1"
PIXEL = "entry_1/process_1/common_1/dx"
DISTANCE = "entry_1/experiment_1/detector/distance"


def recognises(file: h5py.File) -> bool:
    """Whether a file has the modulus and the phase of an object and a probe."""
    group = file.get(OUTPUT)
    names = [f"{what}_{part}" for what in ("object", "probe") for part in ("modulus", "phase")]
    return isinstance(group, h5py.Group) and all(name in group for name in names)


def read(file: h5py.File) -> Reconstruction:
    """Read a result.

    Raises:
        ScanError: Modulus and phase contradict each other.
        FileError: Something cannot be read.
    """
    notes = ["The probe has PtyREX's scale: its power need not be photons per pattern."]
    probe = _complex(file, "probe")
    result = Result(
        Path(file.filename),
        "PtyREX",
        first_layer(_complex(file, "object"), notes),
        probe.reshape(-1, *probe.shape[-2:]),
        notes=notes,
    )
    pixel = hdf5.find(file, PIXEL)
    if pixel is not None and pixel.size in (1, 2):
        sides = np.ravel(stored.numbers(pixel)).astype(np.float64)
        result.pixel_m = float(sides[0]), float(sides[-1])
    distance = hdf5.number(hdf5.find(file, DISTANCE), hdf5.LENGTHS)
    if distance is not None:
        result.geometry["distance_m"] = abs(distance)
    return result.reconstruction()


def _complex(file: h5py.File, what: str) -> NDArray[Any]:
    """Return (..., H, W) complex of a modulus and a phase."""
    modulus, phase = (
        stored.numbers(hdf5.require(file, f"{OUTPUT}/{what}_{part}", "a result of PtyREX"))
        for part in ("modulus", "phase")
    )
    if modulus.shape != phase.shape or modulus.ndim < 2 or not modulus.size:
        raise ScanError(
            f"{Path(file.filename).name}: the modulus of the {what} has shape {modulus.shape}, its "
            f"phase {phase.shape}; need both as (modes, 1, 1, 1, 1, H, W)"
        )
    return np.asarray(modulus * np.exp(1j * phase), np.complex64)


FORMAT = Format(
    title="results of PtyREX",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_reconstruction=read,
)
