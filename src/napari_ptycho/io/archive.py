"""NumPy archives, read without ever running code from them or filling the memory by surprise."""

import bz2
import gzip
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from napari_ptycho.errors import FileError
from napari_ptycho.io.files import BZ2, GZIP, NPY, ZIP, kind_of, stranger, translated
from napari_ptycho.prepare.text import size as size_text

BOMB_FACTOR = 300
"""Data that unpack to more than this many times their size are refused, ..."""
BOMB_BYTES = 256 * 2**20
"""... if they unpack to more than this."""
IN_MEMORY_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Header:
    """Shape and type of a stored array, known before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return the shape of a stored array, whether it lies column by column, and its type."""
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, turned, dtype = read(stream)
    return tuple(shape), bool(turned), dtype


class Archive:
    """The arrays of an .npz file, or the one array of an .npy file (then named "")."""

    def __init__(self, path: Path, stream: IO[bytes], kind: str) -> None:
        self.path, self._stream = path, stream
        self._zip = zipfile.ZipFile(stream) if kind == ZIP else None
        self._members = {"": ""}
        if self._zip is not None:
            names = [name for name in self._zip.namelist() if name.endswith(".npy")]
            self._members = {name.removesuffix(".npy"): name for name in names}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays, in the order of the file."""
        return tuple(self._members)

    @property
    def is_bare(self) -> bool:
        """Whether this is an .npy file: one array without a name."""
        return self._zip is None

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def header(self, name: str) -> Header:
        """Return shape and type of an array.

        Raises:
            FileError: It is damaged, or pickled.
        """
        with self._opened(name) as stream:
            return self._header(name, stream)

    def load(self, name: str) -> NDArray[Any]:
        """Return an array.

        Raises:
            FileError: It is damaged, pickled, cut short, or far larger than its file.
        """
        with self._opened(name) as stream, translated(self.path):
            header = self._header(name, stream)
            self._check_size(name, header)
            stream.seek(0)
            return np.asarray(npy.read_array(stream, allow_pickle=False))

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        with translated(self.path):
            if self._zip is None:
                self._stream.seek(0)
                yield self._stream
            else:
                with self._zip.open(self._members[name]) as stream:
                    yield stream

    def _header(self, name: str, stream: IO[bytes]) -> Header:
        shape, _, dtype = read_header(stream)
        if dtype.hasobject:
            raise FileError(
                f"{self.path.name}: array '{name}' is pickled; pickles can run code and are never "
                "opened; save it again as plain numbers"
            )
        return Header(shape, dtype)

    def _check_size(self, name: str, header: Header) -> None:
        needed = prod(header.shape) * header.dtype.itemsize
        if self._zip is None:
            self._stream.seek(0, 2)
            there = packed = self._stream.tell()
        else:
            info = self._zip.getinfo(self._members[name])
            there, packed = info.file_size, info.compress_size
        if needed > there:
            raise FileError(
                f"{self.path.name}: array '{name}' should hold {size_text(needed)} but only "
                f"{size_text(there)} are there; the file is damaged"
            )
        check_growth(self.path, there, packed)


def check_growth(path: Path, unpacked: int, packed: int) -> None:
    """Refuse data that grow beyond reason when unpacked.

    Raises:
        FileError: They do.
    """
    if unpacked > max(BOMB_BYTES, BOMB_FACTOR * packed):
        raise FileError(
            f"{path.name}: {size_text(packed)} unpack to more than {size_text(unpacked)}, over "
            f"{BOMB_FACTOR} times as much; this is refused as a trap; unpack the file yourself if "
            "you trust it"
        )


@contextmanager
def open_archive(path: Path, kind: str) -> Iterator[Archive]:
    """Open an .npz or .npy file, or one inside .bz2 or .gz, for reading.

    Args:
        path: The file.
        kind: What its first bytes say: zip, npy, bz2 or gzip.

    Raises:
        FileError: It is damaged, grows beyond reason, or holds something else.
    """
    with translated(path), path.open("rb") as file:
        if kind in (BZ2, GZIP):
            with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as unpacked:
                inner = _unpack(path, file, kind, unpacked)
                yield Archive(path, unpacked, inner)
        else:
            yield Archive(path, file, kind)


def _unpack(path: Path, file: IO[bytes], kind: str, target: IO[bytes]) -> str:
    packed, unpacked = path.stat().st_size, 0
    source: Any = bz2.BZ2File(file) if kind == BZ2 else gzip.GzipFile(fileobj=file)
    with source:
        head = source.read(4096)
        inner = kind_of(head)
        if inner not in (ZIP, NPY):
            what = f"an {inner} file" if inner else stranger(head)
            raise FileError(
                f"{path.name}: {kind} data holding {what}; only .npz and .npy are read packed, "
                "unpack it first"
            )
        block = head
        while block:
            unpacked += len(block)
            check_growth(path, unpacked, packed)
            target.write(block)
            block = source.read(2**20)
    target.seek(0)
    return inner
