"""Whole datasets in memory: none larger than its file can hold, complex ones as such."""

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.prepare.text import size as size_text

TRUSTED_BYTES = 2**28
"""Smaller ones are read without a question."""
MOST_COMPRESSED = 1000
MOST_VIRTUAL_BYTES = 2**30
"""What a virtual dataset holds is not known before it is read."""
COMPLEX_FIELDS = (("real", "imag"), ("r", "i"))
"""MATLAB and others write complex numbers as pairs with these names."""


def loaded(dataset: h5py.Dataset) -> NDArray[Any]:
    """Return all values of a dataset.

    Raises:
        FileError: It claims to be far larger than what the file holds of it.
    """
    claimed = math.prod(dataset.shape or ()) * dataset.dtype.itemsize
    held = dataset.id.get_storage_size()
    trusted = MOST_VIRTUAL_BYTES if dataset.is_virtual else MOST_COMPRESSED * held
    if claimed > max(TRUSTED_BYTES, trusted):
        raise FileError(
            f"{Path(dataset.file.filename).name}: '{dataset.name}' claims to have "
            f"{size_text(claimed)}, but the file holds {size_text(held)} of it; is it damaged?"
        )
    return np.asarray(dataset[()])


def numbers(dataset: h5py.Dataset) -> NDArray[Any]:
    """Return all values of a dataset of real numbers.

    Raises:
        ScanError: It holds something else.
        FileError: See `loaded`.
    """
    if dataset.dtype.kind not in "buif":
        raise ScanError(
            f"{Path(dataset.file.filename).name}: '{dataset.name}' is {dataset.dtype}; need numbers"
        )
    return loaded(dataset)


def complexes(dataset: h5py.Dataset) -> Complexes:
    """Return all values of a dataset as complex numbers.

    Raises:
        ScanError: It holds no numbers.
        FileError: See `loaded`.
    """
    fields = set(dataset.dtype.names or ())
    pair = next((pair for pair in COMPLEX_FIELDS if fields == set(pair)), None)
    if pair is None and dataset.dtype.kind not in "buifc":
        raise ScanError(
            f"{Path(dataset.file.filename).name}: '{dataset.name}' is {dataset.dtype}; "
            "need complex numbers"
        )
    values = loaded(dataset)
    if pair is None:
        return values.astype(np.complex64)
    made = np.empty(values.shape, np.complex64)
    made.real, made.imag = values[pair[0]], values[pair[1]]
    return made
