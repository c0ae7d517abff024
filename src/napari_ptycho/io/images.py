"""Single images: TIFF and NPY, in and out."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_ptycho.errors import FileError
from napari_ptycho.io.archive import open_archive
from napari_ptycho.io.atomic import written
from napari_ptycho.io.files import NPY, TIFF, existing, kind_of, read_head, translated
from napari_ptycho.io.tiff_check import check_chain, check_page


def is_image(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds an image, by its first bytes: TIFF or NPY.

    Raises:
        FileError: It is absent or cannot be read.
    """
    return kind_of(read_head(existing(path))) in (TIFF, NPY)


def read_image(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an image (H, W), real or complex.

    Raises:
        FileError: The file is absent or broken, or holds no single image.
    """
    path = existing(path)
    kind = kind_of(read_head(path))
    if kind == TIFF:
        image = _read_tiff(path)
    elif kind == NPY:
        with open_archive(path, NPY) as archive:
            image = archive.load("")
    else:
        raise FileError(f"{path.name}: neither TIFF nor NPY; images are read from these")
    if image.ndim != 2 or image.dtype.kind not in "buifc":
        raise FileError(
            f"{path.name}: {image.dtype} of shape {image.shape}; need one image (H, W) of numbers"
        )
    return image


def _read_tiff(path: Path) -> NDArray[Any]:
    with translated(path):
        check_chain(path)
    with translated(path), tifffile.TiffFile(path) as file:
        series = file.series[0]
        if sum(length > 1 for length in series.shape) > 2:
            raise FileError(
                f"{path.name}: {series.dtype} of shape {series.shape}; need one image (H, W) of "
                "numbers"
            )
        for page in series.pages:
            check_page(path, page)
        return np.squeeze(series.asarray())


def about_image(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return how an image came about, as `write_image` noted it; empty where nothing is noted.

    Raises:
        FileError: The file is absent or broken.
    """
    path = existing(path)
    if kind_of(read_head(path)) != TIFF:
        return {}
    with translated(path), tifffile.TiffFile(path) as file:
        text = file.pages.first.description
    try:
        about = json.loads(text)
    except ValueError:  # somebody else's words
        return {}
    return about if isinstance(about, dict) else {}


def write_image(
    image: NDArray[Any], path: str | os.PathLike[str], about: Mapping[str, Any]
) -> None:
    """Write an image (H, W), or a stack (K, H, W), as TIFF, or as NPY where the name ends so.

    Args:
        image: Real numbers go into a TIFF as float32; complex ones need NPY.
        path: The file to write.
        about: How it came about: plain values, the TIFF's description as JSON.

    Raises:
        FileError: The folder is missing, the disk is full, or a complex image has no ".npy".
    """
    name = Path(path)
    if name.suffix.lower() == ".npy":
        with written(path) as temporary, temporary.open("wb") as file:
            np.save(file, image, allow_pickle=False)
        return
    if image.dtype.kind == "c":
        raise FileError(f"{name.name}: a TIFF cannot hold complex numbers; call it .npy")
    with written(path) as temporary:
        tifffile.imwrite(
            temporary, image.astype(np.float32), description=json.dumps(about), metadata=None
        )
