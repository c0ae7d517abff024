"""Files in, models out, and back: scans and reconstructions.

A file is recognised by its content; the extension is ignored. A new format is one module with a
`FORMAT` and one line in `FORMATS`.
"""

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ptycho.errors import FileError, NeedsLayout
from napari_ptycho.model import Geometry, Reconstruction, Scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ptycho.io.formats import Format
    from napari_ptycho.io.layout import Layout

__all__ = [
    "about_image",
    "is_image",
    "read_image",
    "read_reconstruction",
    "read_scan",
    "write_image",
    "write_reconstruction",
    "write_scan",
]

FORMATS = ("scanfile", "product", "cxi", "arrays")
"""Modules, in the order in which they are asked."""
_LAZY_ABOVE_BYTES = 2**30


def read_scan(
    path: str | os.PathLike[str],
    geometry: Geometry | Mapping[str, Any] | None = None,
    lazy_above_bytes: int = _LAZY_ABOVE_BYTES,
    layout: "Layout | None" = None,
    positions: str | os.PathLike[str] | None = None,
) -> Scan:
    """Read a scan from a file of any format in `FORMATS`.

    Where zero frequency is, whether counts or amplitudes are stored, and which values mark dead
    pixels is found from the data; each decision is a sentence in `Scan.notes`, and
    `Scan.sources` says where each field came from.

    Args:
        path: The file.
        geometry: What the file does not say or says wrongly. A mapping replaces the `Geometry`
            fields it names; a `Geometry` replaces those it knows, and always the propagation.
            Near-field frames are taken as images, without a zero frequency to look for.
        lazy_above_bytes: Patterns in HDF5 larger than this stay on disk until they are read.
        layout: How the file is to be read, where the person says it; what it leaves open, the
            format or a saved preset that fits the file (`presets`) decides.
        positions: A second file with the positions: HDF5, CSV, TXT, NPY.

    Raises:
        FileError: The file is absent, broken, or of no known format; `NeedsLayout` where the HDF5
            browser could help.
        ScanError: It lacks or contradicts what a scan needs; `NeedsPositions` where only the
            positions are missing.
        OptionsError: `geometry` names an unknown field or holds no number.
    """
    from napari_ptycho.io.draft import Request
    from napari_ptycho.io.files import translated
    from napari_ptycho.io.layout import Layout

    second = None if positions is None else Path(positions)
    request = Request(geometry, lazy_above_bytes, layout or Layout(), second)
    with _opened(path) as (form, content):
        if form.read_scan is None:
            raise FileError(
                f"{Path(path).name}: holds a reconstruction ({form.title}), not a scan; "
                "open it with read_reconstruction"
            )
        with translated(Path(path)):
            return form.read_scan(content, request)


def read_reconstruction(path: str | os.PathLike[str]) -> Reconstruction:
    """Read a reconstruction: our own, or a product of Ptychodus (.h5 or .npz).

    Raises:
        FileError: The file is absent, broken, or holds no reconstruction.
        ScanError: What it holds contradicts itself.
    """
    from napari_ptycho.io.files import translated

    with _opened(path) as (form, content):
        if form.read_reconstruction is None:
            raise FileError(
                f"{Path(path).name}: holds a scan ({form.title}), not a reconstruction; "
                "open it with read_scan"
            )
        with translated(Path(path)):
            return form.read_reconstruction(content)


def write_scan(scan: Scan, path: str | os.PathLike[str]) -> None:
    """Write a scan to our HDF5, block by block, so that a lazy one never fills the memory.

    Raises:
        FileError: The folder is missing, the disk is full, or the scan is read from this file.
    """
    from napari_ptycho.io import scanfile

    scanfile.write(scan, path)


def write_reconstruction(reconstruction: Reconstruction, path: str | os.PathLike[str]) -> None:
    """Write a reconstruction to an HDF5 file that Ptychodus opens as a product.

    Raises:
        FileError: The folder is missing or the disk is full.
        ScanError: The provenance holds what JSON cannot.
    """
    from napari_ptycho.io import product

    product.write(reconstruction, path)


def is_image(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds a single image (TIFF or NPY), by its first bytes.

    Raises:
        FileError: It is absent or cannot be read.
    """
    from napari_ptycho.io import images

    return images.is_image(path)


def read_image(path: str | os.PathLike[str]) -> "NDArray[Any]":
    """Read an image (H, W), real or complex, from TIFF or NPY.

    Raises:
        FileError: The file is absent or broken, or holds no single image.
    """
    from napari_ptycho.io import images

    return images.read_image(path)


def about_image(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return how a TIFF came about, as `write_image` noted it; empty where nothing is noted.

    Raises:
        FileError: The file is absent or broken.
    """
    from napari_ptycho.io import images

    return images.about_image(path)


def write_image(
    image: "NDArray[Any]", path: str | os.PathLike[str], about: Mapping[str, Any]
) -> None:
    """Write an image or a stack as TIFF (or NPY, by its name), with how it came about.

    Raises:
        FileError: The folder is missing, the disk is full, or a complex image has no ".npy".
    """
    from napari_ptycho.io import images

    images.write_image(image, path, about)


def _formats() -> "list[Format]":
    return [importlib.import_module(f"{__name__}.{name}").FORMAT for name in FORMATS]


@contextmanager
def _opened(path: str | os.PathLike[str]) -> "Iterator[tuple[Format, Any]]":
    """Open a file (or a folder of frames) and find its format.

    Raises:
        FileError: It cannot be opened, or no format recognises it.
    """
    from napari_ptycho.io import files

    path = Path(path)
    with files.translated(path, "find"):
        path = path.expanduser()
        is_folder = path.is_dir()
    path = path if is_folder else files.existing(path)
    head = b"" if is_folder else files.read_head(path)
    container, opener = _container(path, head, is_folder)
    with opener as content:
        with files.translated(path):
            known = [form for form in _formats() if container in form.containers]
            form = next((form for form in known if form.recognises(content)), None)
        if form is None:
            raise _unknown(path, container, content, head)
        yield form, content


def _container(path: Path, head: bytes, is_folder: bool) -> tuple[str, Any]:
    """Return what kind of container a path is, and a context that opens it."""
    from napari_ptycho.io import archive, files, formats, hdf5

    if is_folder:
        return formats.FOLDER, nullcontext(path)
    kind = files.kind_of(head)
    if kind == files.HDF5:
        return formats.HDF5_FILE, hdf5.open_file(path)
    if kind in (files.ZIP, files.NPY, files.BZ2, files.GZIP):
        return formats.ARRAYS, archive.open_archive(path, str(kind))
    named = {
        files.TIFF: formats.TIFF_FILE,
        files.MIB: formats.MIB_FILE,
        files.MATLAB: formats.MATLAB_FILE,
    }
    return named.get(kind or "", formats.RAW_FILE), nullcontext(path)


def _unknown(path: Path, container: str, content: Any, head: bytes) -> FileError:
    """Return why a file is of no known format, and what could help."""
    from napari_ptycho.io import files, formats

    if container == formats.FOLDER:
        return FileError(f"{path}: is a folder; give the file inside it")
    if container == formats.RAW_FILE:
        return FileError(f"{path.name}: this is {files.stranger(head)}. {_readable()}")
    held = ""
    if container in (formats.HDF5_FILE, formats.ARRAYS):
        names = list(content) if container == formats.HDF5_FILE else content.names
        held = f" (it holds: {', '.join(map(str, names[:10])) or 'no arrays'})"
    error = NeedsLayout if container == formats.HDF5_FILE else FileError
    return error(f"{path.name}: {container} of no known layout{held}. {_readable()}")


def _readable() -> str:
    return "Can be read: " + "; ".join(form.title for form in _formats()) + "."
