"""Frames of a file that is being written."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import FileError

PAUSES_S = (0.01, 0.03, 0.1, 0.3, 1.0, 2.0)


def read_frames(patterns: Any, key: Any, pauses: Sequence[float] = PAUSES_S) -> NDArray[Any]:
    """Read patterns of a file that is being written.

    A reader by SWMR may meet an index that is just being changed: it reads again.

    Args:
        patterns: Array-like, lazy.
        key: Which of them, as arrays are indexed.
        pauses: Seconds between trying and trying again.

    Raises:
        FileError: They cannot be read for good.
    """
    for pause in pauses:
        try:
            return np.asarray(patterns[key])
        except FileError:
            time.sleep(pause)
    return np.asarray(patterns[key])
