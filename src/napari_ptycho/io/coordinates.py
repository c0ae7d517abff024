"""Where things lie in the object: lengths from its middle, as most formats count them.

Lengths are in metres, or in object pixels where the pixel size is unknown.
"""

import numpy as np

from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.model.geometry import Pair

ONE_PIXEL = (1.0, 1.0)


def pixel_of(reconstruction: Reconstruction) -> Pair:
    """Return the object pixel (height, width) in metres, (1, 1) if it is unknown."""
    return reconstruction.pixel_size_m or ONE_PIXEL


def unit_of(reconstruction: Reconstruction) -> str:
    """Return the unit of `centres` and `axis`, "m" or "pixel"."""
    return "pixel" if reconstruction.pixel_size_m is None else "m"


def centres(reconstruction: Reconstruction) -> Floats:
    """Return the (N, 2) middles (y, x) of the windows, from the middle of the object."""
    half = (np.array(reconstruction.probe.shape[1:]) - reconstruction.object.shape) / 2
    return np.asarray((reconstruction.positions_px + half) * pixel_of(reconstruction))


def corners(places: Floats, shape: tuple[int, ...], window: tuple[int, ...], pixel: Pair) -> Floats:
    """Return the (N, 2) corners in pixels of what `centres` returned.

    Args:
        places: (N, 2) middles (y, x) from the middle of the object.
        shape: Of the object (H, W).
        window: Of the probe (h, w).
        pixel: Object pixel (height, width) in the unit of `places`.
    """
    half = (np.array(window) - shape) / 2
    # A billionth of a pixel: else 31.5 comes back as 31.499..., which rounds to another window.
    return np.asarray(np.round(places / pixel - half, 9) + 0.0)


def axis(length: int, pixel: float) -> Floats:
    """Return (length,) places of the middles of pixels, from the middle of them all."""
    return np.asarray((np.arange(length) + 0.5 - length / 2) * pixel, np.float64)


def in_metres(scan: Scan) -> Floats | None:
    """Return the (N, 2) positions (y, x) in metres, None where the scale is unknown."""
    if scan.positions_m is not None:
        return scan.positions_m
    return None if scan.pixel_size_m is None else np.asarray(scan.positions_px) * scan.pixel_size_m
