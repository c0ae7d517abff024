"""Digests of what is read: whether a file is still the one that a result was made from."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from napari_ptycho import __version__
from napari_ptycho.errors import FileError
from napari_ptycho.io.files import HDF5, kind_of, read_head, translated
from napari_ptycho.recipes.recipe import SAMPLE

DIGEST_BYTES = 16


def of_scan(scan: str) -> str:
    """Return a digest of a scan: of the bytes of its file, and of all files that it is made of.

    Those are the files that HDF5 links to (a DECTRIS master has its frames elsewhere) and the files
    in a folder. A sample is known by its key and the version of this program.

    Args:
        scan: A file, a folder, or "sample:KEY".

    Raises:
        FileError: A file is absent or cannot be read.
    """
    digest = blake2()
    if scan.startswith(SAMPLE):
        digest.update(f"{scan} {__version__}".encode())
        return digest.hexdigest()
    paths = parts(Path(scan))
    if len(paths) == 1:
        return of_file(paths[0])
    for path in paths:
        digest.update(f"{path.name} {of_file(path)}\n".encode())
    return digest.hexdigest()


def of_file(path: Path) -> str:
    """Return a digest of the bytes of a file.

    Raises:
        FileError: It is absent or cannot be read.
    """
    with translated(path), path.open("rb") as file:
        return hashlib.file_digest(file, blake2).hexdigest()


def blake2() -> "hashlib.blake2b":
    """Return an empty digest of the kind and length that reports carry."""
    return hashlib.blake2b(digest_size=DIGEST_BYTES)


def parts(path: Path) -> list[Path]:
    """Return the files that a scan is made of, its own first.

    Raises:
        FileError: There is no such file or folder, or it cannot be read.
    """
    if path.is_dir():
        with translated(path, "list"):
            found = sorted(one for one in path.iterdir() if one.is_file())
        return [one for one in found if not one.name.startswith(".")]
    if not path.is_file():
        raise FileError(f"{path}: no such file")
    found, left = [path], [path]
    while left:
        for one in sorted(set(_linked(left.pop()))):
            if one.is_file() and one not in found:
                found.append(one)
                left.append(one)
    return found


def _linked(path: Path) -> Iterator[Path]:
    """Yield the files that an HDF5 file refers to."""
    if kind_of(read_head(path)) != HDF5:
        return
    import h5py

    from napari_ptycho.io import hdf5

    names: list[str] = []
    virtual: list[Path] = []

    def link(_: str, one: object) -> None:
        if isinstance(one, h5py.ExternalLink):
            names.append(one.filename)

    def thing(_: str, one: object) -> None:
        if isinstance(one, h5py.Dataset):
            virtual.extend(hdf5.virtual_files(one))
            names.extend(name for name, *_ in one.external or ())

    with hdf5.open_file(path) as file:
        file.visititems_links(link)
        file.visititems(thing)
    yield from (path.parent / name for name in names)
    yield from virtual
