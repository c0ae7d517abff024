"""How the CPU's loops are compiled (numba), and the rows of floats that they work on."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from napari_ptycho.physics.vectors import check_single

U = np.uint64
ONE, TWO, EIGHT, SIXTEEN = U(1), U(2), U(8), U(16)
LINE_BYTES = 64  # vectors that do not cross a cache line are loaded twice as fast


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use, cached on disk, without the GIL; NaN and infinity stay as they are."""
    flags = {"reassoc", "contract", "arcp", "nsz"}
    settings: dict[str, Any] = {"nogil": True, "fastmath": flags, "error_model": "numpy"}
    try:
        made: Callable[..., Any] = numba.njit(cache=True, **settings)(function)
    except RuntimeError:  # neither our folder nor the user's cache folder can be written
        made = numba.njit(**settings)(function)
    return made


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile into the callers: a call would count references to its arrays, row by row."""
    made: Callable[..., Any] = numba.njit(inline="always")(function)
    return made


@inlined
def flat(array: Any) -> Any:
    """Return a view of an array as one row of floats, a complex number as two."""
    check_single(array)
    return array.reshape(-1).view(np.float32)


@compiled
def zeros(count: Any) -> Any:
    """Return a row of float zeros that begins with a cache line."""
    room = np.zeros(count + LINE_BYTES // 4, np.float32)
    start = -(room.ctypes.data // 4) % (LINE_BYTES // 4)
    return room[start : start + count]


@compiled
def by_column(corners: Any) -> Any:
    """Return the order of the windows from left to right."""
    order = np.empty(len(corners), np.uint64)
    for b in range(len(corners)):
        place = b
        while place > 0 and corners[order[place - 1], 1] > corners[b, 1]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = b
    return order


@compiled
def peaks(values: Any, width: Any) -> Any:
    """Return the largest of every so many values, which are at least 0: then bits sort as they do.

    Compilers make vectors of comparisons of integers, not of floats that might be none.
    """
    top = np.zeros(values.size // width, np.float32)
    bits, tops = values.view(np.int32), top.view(np.int32)
    for row in range(U(len(top))):
        best = np.int32(0)
        for x in range(row * U(width), (row + ONE) * U(width)):
            best = max(best, bits[x])
        tops[row] = best
    return top
