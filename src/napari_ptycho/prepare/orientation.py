"""How frames lie in their files: the eight turns of a square, as codes 0 to 7.

A code adds up 4 = transpose (done first), 2 = flip up-down, 1 = flip left-right. The codes are the
symmetry group of the square: `compose` and `inverse` are its product and inverse.

In the far field a flip is a change of sign of the frequency: zero frequency stays at
[H//2, W//2], and so does the row (column) of the highest frequency, which an even frame has once.
Near-field frames are images, and are simply flipped.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import OptionsError
from napari_ptycho.model import Scan
from napari_ptycho.model.geometry import Geometry, Pair
from napari_ptycho.prepare.lazy import mapped, mapped_valid

TRANSPOSE, UP_DOWN, LEFT_RIGHT = 4, 2, 1
BOTH = UP_DOWN | LEFT_RIGHT
CODES = {
    0: "as it is",
    1: "flipped left-right",
    2: "flipped up-down",
    3: "flipped both ways",
    4: "transposed",
    5: "transposed, then flipped left-right",
    6: "transposed, then flipped up-down",
    7: "transposed, then flipped both ways",
}
"""Code -> what it does to a frame."""


def orient(scan: Scan, code: int) -> Scan:
    """Turn the frames of a scan; the positions stay what they are.

    What belongs to the frames turns with them: valid pixels, the probe, and the (height, width) of
    the detector pixel. Positions in metres stay; those in object pixels are scaled where a
    transposition exchanges pixels of different height and width.

    Args:
        scan: A lazy scan gives a lazy scan.
        code: 0 to 7, as in `CODES`; 0 returns the scan itself.

    Raises:
        OptionsError: There is no such code.
    """
    code = check_code(code)
    if code == 0:
        return scan
    near = scan.geometry.propagation == "near"
    shape = scan.frame_shape[::-1] if code & TRANSPOSE else scan.frame_shape
    geometry = _transposed(scan.geometry) if code & TRANSPOSE else scan.geometry

    def turn(block: NDArray[Any]) -> NDArray[Any]:
        return turned(block, code, near)

    turned_scan = {
        "patterns": mapped(scan.patterns, turn, shape, scan.patterns.dtype),
        "valid": mapped_valid(scan, turn, shape),
        "probe": None if scan.probe is None else turn(scan.probe),
        "geometry": geometry,
        "notes": (*scan.notes, f"The frames were turned: {CODES[code]} (orientation {code})."),
    }
    if scan.positions_px is not None and code & TRANSPOSE:
        before = relative_pixel(scan.geometry, scan.frame_shape)
        after = relative_pixel(geometry, shape)
        turned_scan["positions_px"] = scan.positions_px * np.divide(before, after)
    return replace(scan, **turned_scan)


def turned(array: NDArray[Any], code: int, near: bool = False) -> NDArray[Any]:
    """Turn the last two axes of an array (..., H, W); far-field ones about [H//2, W//2]."""
    if code & TRANSPOSE:
        array = np.swapaxes(array, -1, -2)
    for bit, axis in ((UP_DOWN, -2), (LEFT_RIGHT, -1)):
        if code & bit:
            array = np.flip(array, axis)
            if not near and array.shape[axis] % 2 == 0:
                array = np.roll(array, 1, axis)
    return array


def compose(first: int, second: int) -> int:
    """Return the code that does what one code and then another do.

    Raises:
        OptionsError: There is no such code.
    """
    first, second = check_code(first), check_code(second)
    flips = first & BOTH
    if second & TRANSPOSE:  # the transposition exchanges the flips that were done before it
        flips = (flips >> 1) | ((flips & 1) << 1)
    return ((first ^ second) & TRANSPOSE) | (flips ^ (second & BOTH))


def inverse(code: int) -> int:
    """Return the code that undoes a code.

    Raises:
        OptionsError: There is no such code.
    """
    return next(other for other in CODES if compose(code, other) == 0)


def classes(propagation: str) -> tuple[tuple[int, ...], ...]:
    """Return which codes diffraction cannot tell apart.

    Far field: pairs that differ by a flip both ways, for a frame flipped both ways is that of the
    complex conjugate of probe and object. Near field: every code is alone.
    """
    if propagation == "near":
        return tuple((code,) for code in CODES)
    return tuple((code, code ^ BOTH) for code in CODES if code < code ^ BOTH)


def check_code(code: Any) -> int:
    """Return a code.

    Raises:
        OptionsError: It is no whole number from 0 to 7.
    """
    if isinstance(code, bool) or not isinstance(code, int | np.integer) or code not in CODES:
        raise OptionsError(f"orientation is {code!r}; it must be a whole number from 0 to 7")
    return int(code)


def relative_pixel(geometry: Geometry, shape: tuple[int, int]) -> Pair:
    """Return the object pixel (height, width) in any unit; unknown detector pixels are square."""
    if geometry.propagation == "near":
        return geometry.detector_pixel_m or (1.0, 1.0)
    height, width = geometry.pixel_angle_rad or geometry.detector_pixel_m or (1.0, 1.0)
    return 1 / (shape[0] * height), 1 / (shape[1] * width)


def _transposed(geometry: Geometry) -> Geometry:
    swapped = {
        name: pair[::-1]
        for name in ("detector_pixel_m", "detector_pixel_rad")
        if (pair := getattr(geometry, name)) is not None
    }
    return replace(geometry, **swapped)
