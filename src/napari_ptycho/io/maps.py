"""Maps into HDF5: one image with its unit, its pixel, and how it came about."""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho import __version__
from napari_ptycho.io.forms.hdf5 import created

DATASET = "map"


def write_map(
    image: NDArray[Any],
    path: str | os.PathLike[str],
    *,
    pixel_m: tuple[float, float] | None,
    title: str,
    unit: str,
    about: Mapping[str, Any],
) -> None:
    """Write a map as the dataset "map" of an HDF5 file.

    Its attributes: "title", "unit", "pixel_size_m" (height, width; absent where unknown), "about"
    (JSON) and "written_by".

    Args:
        image: (H, W) real or complex; real ones are kept in single precision.
        path: The file to write.
        pixel_m: Pixel (height, width) in metres, or None.
        title: What it shows.
        unit: Of its values.
        about: How it came about: plain values.

    Raises:
        FileError: The folder is missing, the disk is full, or `about` holds no plain values.
    """
    kind = np.complex64 if image.dtype.kind == "c" else np.float32
    with created(path) as file:
        data = file.create_dataset(DATASET, data=image.astype(kind), compression="gzip")
        data.attrs.update({"title": title, "unit": unit, "about": json.dumps(dict(about))})
        data.attrs["written_by"] = f"napari-ptycho {__version__}"
        if pixel_m is not None:
            data.attrs["pixel_size_m"] = np.array(pixel_m, np.float64)
