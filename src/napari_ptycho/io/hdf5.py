"""The one way into HDF5 files: broken links, filters and missing parts become sentences."""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from scipy.constants import e

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io import chunks, heaps
from napari_ptycho.io.attributes import Attributes
from napari_ptycho.io.files import HDF5, existing, kind_of, read_head, stranger
from napari_ptycho.io.handles import appended, handle
from napari_ptycho.prepare.text import size as size_text

LENGTHS = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0),
    "cm": 1e-2,
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e-3),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "micrometre"), 1e-6),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-9),
    **dict.fromkeys(("a", "å", "angstrom"), 1e-10),
    "pm": 1e-12,
}
"""Unit in lower case -> metres."""
ENERGIES = {"ev": 1.0, "kev": 1e3, "mev": 1e6, "gev": 1e9, "j": 1 / e}
"""Unit in lower case -> electronvolts."""
DEEPEST = 20
"""Virtual datasets made of virtual datasets: more levels are refused."""
MOST_CHUNK_BYTES = 2**30
FRAMES_NDIM = 3
"""Growing frames are checked when they are read, and not again at each look."""
BITSHUFFLE = dict(hdf5plugin.Bitshuffle())
"""Arguments of `create_dataset` for bitshuffle-LZ4."""
_Place = tuple[Path, str]


@contextmanager
def open_file(path: str | os.PathLike[str], growing: bool = False) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Args:
        path: The file.
        growing: Whether it may still be written: see `handles.appended`.

    Raises:
        FileError: Not there, not HDF5, cut short, or held by a program that writes it.
    """
    path = existing(path)
    head = read_head(path)
    if kind_of(head) != HDF5:
        raise FileError(f"{path.name}: not an HDF5 file, but {stranger(head)}")
    if growing:
        with appended(path) as file:
            yield file
        return
    heaps.check(path)
    file = handle(path)
    try:
        yield file
    finally:
        file.close()


def find(file: h5py.File, name: str) -> h5py.Dataset | None:
    """Return a dataset that can be read, or None if the file has no such name.

    A group stands for its child `data`, as some beamlines nest it.

    Raises:
        FileError: A link on the way is broken, a filter or a virtual source is missing, or a
            compressed part is damaged.
    """
    found: Any = file
    for part in name.strip("/").split("/"):
        if not isinstance(found, h5py.Group):
            return None
        link = found.get(part, getlink=True)
        below = found.get(part)
        if below is None:
            if link is not None and not isinstance(link, h5py.HardLink):
                raise FileError(f"{_owner(file)}: {_broken(name, link)}")
            return None
        found = below
    if isinstance(found, h5py.Group):
        found = found.get("data")
    if not isinstance(found, h5py.Dataset):
        return None
    _check_type(found, file)
    _check_filters(found, file)
    _check_storage(found, file)
    _check_virtual(found, file)
    _check_parts(found)
    return found


def _check_parts(dataset: h5py.Dataset) -> None:
    if not dataset.file.swmr_mode or dataset.ndim < FRAMES_NDIM:
        chunks.check_small(dataset)


def _check_type(dataset: h5py.Dataset, file: h5py.File) -> None:
    if dataset.id.get_type().get_class() == h5py.h5t.VLEN:
        raise FileError(
            f"{_owner(file)}: '{dataset.name}' holds lists of varying length; need an array"
        )


def require(file: h5py.File, name: str, what: str) -> h5py.Dataset:
    """Return a dataset that must be there.

    Args:
        file: An open file.
        name: Path inside the file.
        what: What must have it: "a CXI scan".

    Raises:
        ScanError: No such dataset.
        FileError: It is there but cannot be read: see `find`.
    """
    found = find(file, name)
    if found is None:
        raise ScanError(f"{_owner(file)}: no dataset '{name}', which {what} must have")
    return found


def _owner(file: h5py.File) -> str:
    return Path(file.filename).name


def _broken(name: str, link: Any) -> str:
    if isinstance(link, h5py.ExternalLink):
        return (
            f"'{name}' lies in another file, {link.filename} ({link.path}), which is not there or "
            "lacks it; put it beside this file"
        )
    return f"'{name}' is a link to '{link.path}', which is not in the file"


def _check_filters(dataset: h5py.Dataset, file: h5py.File) -> None:
    properties = dataset.id.get_create_plist()
    for index in range(properties.get_nfilters()):
        code, _, _, label = properties.get_filter(index)
        if not h5py.h5z.filter_avail(code):
            raise FileError(
                f"{_owner(file)}: '{dataset.name}' is compressed with filter {code} "
                f"({label.decode(errors='replace')}), which hdf5plugin does not bring; "
                "repack the file with another one"
            )


def _check_storage(dataset: h5py.Dataset, file: h5py.File) -> None:
    """Refuse chunks that fill the memory, and devices that never end in place of raw files."""
    chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    if dataset.chunks and chunk > MOST_CHUNK_BYTES:
        raise FileError(
            f"{_owner(file)}: '{dataset.name}' has chunks of {size_text(chunk)}, of which every "
            "frame needs a whole one in memory; repack the file with smaller ones"
        )
    folder = Path(dataset.file.filename).parent
    for name, _, _ in dataset.external or ():
        if not (folder / name).is_file():
            raise FileError(
                f"{_owner(file)}: '{dataset.name}' lies in the raw file {name}, which is not "
                "there; put it beside this file"
            )


def virtual_files(dataset: h5py.Dataset) -> tuple[Path, ...]:
    """Return the other files a virtual dataset is made of."""
    if not dataset.is_virtual:
        return ()
    folder = Path(dataset.file.filename).parent
    names = {source.file_name for source in dataset.virtual_sources()} - {"."}
    # A pattern like data_%b.h5 stands for data_0.h5, data_1.h5, ...
    return tuple(folder / name.replace("%b", "0") for name in sorted(names))


def _check_virtual(dataset: h5py.Dataset, file: h5py.File, above: tuple[_Place, ...] = ()) -> None:
    """Refuse a virtual dataset with a missing part: HDF5 would read it as zeros.

    One that is made of itself is refused too: HDF5 would end the process.

    Args:
        dataset: Of any kind.
        file: That the user opened.
        above: The virtual datasets that this one is a part of.
    """
    if not dataset.is_virtual:
        return
    lost = [path for path in virtual_files(dataset) if not path.is_file() and not _here(path)]
    if lost:
        raise FileError(
            f"{_owner(file)}: '{dataset.name}' is put together from other files, of which "
            f"{len(lost)} are missing ({lost[0].name}, ...); put them beside this file"
        )
    trail = (*above, _place(dataset))
    if trail[-1] in above or len(above) > DEEPEST:
        raise FileError(f"{_owner(file)}: '{dataset.name}' is put together from itself; repair it")
    sources = {(source.file_name, source.dset_name) for source in dataset.virtual_sources()}
    for other, name in sorted(sources):
        with _opened(dataset, other.replace("%b", "0")) as opened:
            part = opened.get(name.replace("%b", "0"))
            if part is None and "%b" not in other + name:
                raise FileError(
                    f"{_owner(file)}: '{dataset.name}' is put together from '{name}' in "
                    f"{_owner(dataset.file) if other == '.' else other}, which lacks it"
                )
            if isinstance(part, h5py.Dataset):
                chunks.check_small(part)
                _check_virtual(part, file, trail)


def _place(dataset: h5py.Dataset) -> _Place:
    return Path(dataset.file.filename).resolve(), str(dataset.name)


@contextmanager
def _opened(dataset: h5py.Dataset, other: str) -> Iterator[h5py.File]:
    """Open the file that holds a part of a virtual dataset."""
    if other == ".":
        yield dataset.file
        return
    path = Path(dataset.file.filename).parent / other
    with open_file(path if path.is_file() else path.name) as opened:
        yield opened


def _here(path: Path) -> bool:
    return Path(path.name).is_file()  # HDF5 looks in the working folder too


def names(file: h5py.File, path: str) -> list[str]:
    """Return the names in a group; none where there is no group."""
    group = file.get(path)
    return list(group) if isinstance(group, h5py.Group) else []


def number(dataset: h5py.Dataset | None, factors: Mapping[str, float]) -> float | None:
    """Return the first number of a dataset in base units, by its `units` attribute if it has one.

    Zero, NaN and infinity are how files say "not known", and give None; so does a unit that
    `factors` does not have.
    """
    if dataset is None or dataset.dtype.kind not in "uif" or not dataset.size:
        return None
    value = decimal(np.ravel(dataset[(0,) * dataset.ndim])[0])
    factor = factors.get(unit(dataset).lower(), None) if unit(dataset) else 1.0
    if factor is None or value == 0 or not np.isfinite(value):
        return None
    return value * factor


def decimal(number: np.generic) -> float:
    """Return the decimal that was meant: 1.12, where float32 holds 1.1200000047..."""
    return float(str(number))


def unit(dataset: h5py.Dataset) -> str:
    """Return the `units` attribute of a dataset, "" if there is none."""
    value = Attributes(dataset).get("units", "")
    return (value.decode(errors="replace") if isinstance(value, bytes) else str(value)).strip()


def text(value: Any) -> str:
    """Return a string attribute, or a dataset of one, as str; "" of a dataset of many."""
    if isinstance(value, h5py.Dataset):
        _check_virtual(value, value.file)
        value = value[()] if value.size == 1 else ""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
