"""Array types, and the checks that all nouns share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Complexes = NDArray[np.complex64]


def frozen(array: Any, dtype: Any = None) -> NDArray[Any]:
    """Return a read-only view of an array (the caller's own array stays writable)."""
    view = np.asarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view


def check_finite(array: NDArray[Any], owner: str, name: str) -> None:
    """Raise ScanError if an array holds NaN or infinity."""
    bad = int(array.size - np.isfinite(array).sum())
    if bad:
        raise ScanError(
            f"{owner}: {name} holds {bad} values that are not finite numbers; need none"
        )
