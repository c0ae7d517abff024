"""From a path to an open container and the format that reads it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

from napari_ptycho import io
from napari_ptycho.errors import FileError, NeedsLayout
from napari_ptycho.io import archive, files, formats, hdf5
from napari_ptycho.io.formats import Format

READABLE = (
    "Scans and reconstructions are read from HDF5, NumPy, MATLAB, TIFF, Merlin and EMPAD files "
    "('napari-ptycho formats' lists them)."
)


def known_formats() -> dict[str, Format]:
    """Return the formats by the names of their modules, in the order in which they are asked."""
    package = formats.__name__
    return {name: import_module(f"{package}.{name}").FORMAT for name in io.FORMATS}


@contextmanager
def opened(
    path: str | os.PathLike[str], told: Callable[[Any], Format | None] | None = None
) -> Iterator[tuple[Format, Any]]:
    """Open a file (or a folder of frames) and find its format.

    Args:
        path: The file.
        told: Returns the format of an open HDF5 file where a person chose it.

    Raises:
        FileError: It cannot be opened, or no format recognises it.
    """
    path = Path(path)
    with files.translated(path, "find"):
        path = path.expanduser()
        is_folder = path.is_dir()
    path = path if is_folder else files.existing(path)
    head = b"" if is_folder else files.read_head(path)
    container, opener = _container(path, head, is_folder)
    with opener as content:
        with files.translated(path):
            known = [form for form in known_formats().values() if container in form.containers]
            form = told(content) if told and container == formats.HDF5_FILE else None
            form = form or next((form for form in known if form.recognises(content)), None)
        if form is None:
            raise _unknown(path, container, content, head)
        yield form, content


def _container(path: Path, head: bytes, is_folder: bool) -> tuple[str, Any]:
    """Return what kind of container a path is, and a context that opens it."""
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
    if container == formats.FOLDER:
        return FileError(f"{path}: is a folder; give the file inside it")
    if container == formats.RAW_FILE:
        return FileError(f"{path.name}: this is {files.stranger(head)}. {READABLE}")
    held = ""
    if container in (formats.HDF5_FILE, formats.ARRAYS):
        names = list(content) if container == formats.HDF5_FILE else content.names
        held = f" (it holds: {', '.join(map(str, names[:10])) or 'no arrays'})"
    said = f"{path.name}: {container} of no known layout{held}."
    if container != formats.HDF5_FILE:
        return FileError(f"{said} {READABLE}")
    return NeedsLayout(
        f"{said} Say which part is what: in the window by Browse…, else with 'napari-ptycho browse'"
    )
