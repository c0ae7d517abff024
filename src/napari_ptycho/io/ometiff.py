"""TIFF with the size of its pixels: OME and ImageJ."""

import os
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_ptycho.errors import FileError
from napari_ptycho.io.atomic import written
from napari_ptycho.io.settings import CREATOR, as_json
from napari_ptycho.model import Reconstruction
from napari_ptycho.model.geometry import Pair

CHANNELS = ("phase_rad", "amplitude")
BLOCK_BYTES = 32 * 2**20
CLASSIC_BYTES = 4 * 10**9
"""A TIFF of the first kind ends at 4 GiB."""


def write_ome(reconstruction: Reconstruction, path: str | os.PathLike[str]) -> None:
    """Write phase (rad, as it is in the object) and amplitude as channels of an OME-TIFF.

    Raises:
        FileError: The folder is missing or the disk is full.
    """
    about = as_json(reconstruction, errors=reconstruction.errors)
    _write(_channels(reconstruction), path, reconstruction.pixel_size_m, CHANNELS, about)


def write_imagej(reconstruction: Reconstruction, path: str | os.PathLike[str]) -> None:
    """Write phase (rad, as it is in the object) and amplitude as an ImageJ stack of two channels.

    Raises:
        FileError: The folder is missing or the disk is full.
    """
    metadata: dict[str, Any] = {"axes": "CYX", "Labels": list(CHANNELS)}
    metadata["Info"] = as_json(reconstruction, errors=reconstruction.errors)
    more: dict[str, Any] = {}
    if reconstruction.pixel_size_m is not None:
        height, width = reconstruction.pixel_size_m
        metadata["unit"] = "um"
        more["resolution"] = (1e-6 / width, 1e-6 / height)
    with written(path) as temporary:
        tifffile.imwrite(
            temporary, _channels(reconstruction), imagej=True, metadata=metadata, **more
        )


def _channels(reconstruction: Reconstruction) -> NDArray[np.float32]:
    object_ = reconstruction.object
    return np.stack([np.angle(object_), np.abs(object_)]).astype(np.float32)


def write_tiff(
    image: Any, path: str | os.PathLike[str], pixel_m: Pair | None, names: tuple[str, ...] = ()
) -> None:
    """Write an OME-TIFF: see `io.write_tiff`."""
    _write(image, path, pixel_m, names, "")


def _write(
    image: Any, path: str | os.PathLike[str], pixel_m: Pair | None, names: Sequence[str], about: str
) -> None:
    dtype = np.dtype(image.dtype)
    if dtype.kind == "c":
        raise FileError(f"{Path(path).name}: a TIFF cannot hold complex numbers")
    shape = tuple(int(length) for length in image.shape)
    stored = _stored(dtype)
    leading = "C" if names else "T"
    metadata: dict[str, Any] = {"axes": f"{leading}YX"[-len(shape) :], "Creator": CREATOR}
    if about:
        metadata["Description"] = about
    if names:
        metadata["Channel"] = {"Name": list(names)}
    if pixel_m is not None:
        for axis, side in zip("YX", pixel_m, strict=True):
            metadata |= {f"PhysicalSize{axis}": side * 1e9, f"PhysicalSize{axis}Unit": "nm"}
    with written(path) as temporary:
        tifffile.imwrite(
            temporary,
            _pages(image, stored),
            shape=shape,
            dtype=stored,
            ome=True,
            bigtiff=prod(shape) * stored.itemsize > CLASSIC_BYTES,
            photometric="minisblack",
            metadata=metadata,
        )


def _stored(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of the pixels; OME knows no integers of 64 bit."""
    if dtype.kind in "iu" and dtype.itemsize == 8:
        return np.dtype(np.float64)
    return np.dtype({"b": np.uint8, "f": np.float32}.get(dtype.kind, dtype))


def _pages(image: Any, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """Yield the pages, read some at a time."""
    if image.ndim == 2:
        yield np.asarray(image).astype(dtype)
        return
    together = max(1, BLOCK_BYTES // max(1, int(np.prod(image.shape[1:])) * dtype.itemsize))
    for first in range(0, image.shape[0], together):
        yield from np.asarray(image[first : first + together]).astype(dtype)
