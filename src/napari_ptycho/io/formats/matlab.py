"""Scans in MATLAB files of version 5 to 7.2, read here: SciPy's reader crashes on damaged ones.

A file is a header of 128 bytes and elements: a tag (type, length), then data, at multiples of 8
bytes. An element is a matrix, or one packed with zlib. A matrix has elements of its own: flags,
dimensions, name, the real part column by column, and the imaginary part. Only arrays of numbers are
read; structures, cells, text and objects are passed over. (Version 7.3 is HDF5.)
"""

import struct
import zlib
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import FileError
from napari_ptycho.io.archive import Header, check_growth
from napari_ptycho.io.draft import Request
from napari_ptycho.io.formats import MATLAB_FILE, Format, arrays
from napari_ptycho.model import Scan
from napari_ptycho.prepare.text import size as size_text

HEADER, TAG = 128, 8
MATRIX, COMPRESSED = 14, 15
STORED = {
    **{1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"},
    **{12: "i8", 13: "u8"},
}
"""Type of an element -> NumPy's."""
CLASSES = {
    **{6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4"},
    **{14: "i8", 15: "u8"},
}
"""Class of a matrix of numbers -> NumPy's."""
COMPLEX = 0x0800
FRONT_BYTES = 1024
"""In which flags, dimensions and name of a matrix lie."""
MOST_AXES, MOST_ELEMENTS = 8, 10_000


@dataclass(frozen=True)
class _Matrix:
    """A matrix of numbers, before its numbers are read."""

    name: str
    header: Header
    start: int
    """Place of its tag in the file."""
    length: int
    packed: bool
    numbers: int
    """Place of the tag of its real part, from its own tag on."""


class MatFile:
    """The arrays of numbers in a MATLAB file; see `array_axes.Arrays`."""

    is_bare = False

    def __init__(self, path: Path) -> None:
        """Read the names and shapes.

        Raises:
            FileError: The file is damaged.
        """
        self.path = path
        with path.open("rb") as file:
            self._order = ">" if file.read(HEADER)[126:128] == b"MI" else "<"
            self._matrices = self._listed(file, path.stat().st_size)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays, in the order of the file."""
        return tuple(self._matrices)

    def __contains__(self, name: str) -> bool:
        return name in self._matrices

    def header(self, name: str) -> Header:
        """Return shape and type of an array."""
        return self._matrices[name].header

    def load(self, name: str) -> NDArray[Any]:
        """Return an array, rows first as MATLAB shows it.

        Raises:
            FileError: It is damaged, cut short, or far larger than its file.
        """
        matrix = self._matrices[name]
        count = prod(matrix.header.shape)
        needed = count * matrix.header.dtype.itemsize
        check_growth(self.path, needed, matrix.length)
        most = matrix.numbers + 2 * TAG + needed + 2 * TAG
        with self.path.open("rb") as file:
            file.seek(matrix.start)
            data = self._data(file, matrix.length, matrix.packed, most)
        real, end = self._part(data, matrix.numbers, count, name)
        values = real.astype(matrix.header.dtype)
        if matrix.header.dtype.kind == "c":
            values += 1j * self._part(data, end, count, name)[0]
        return np.asarray(values.reshape(matrix.header.shape, order="F"))

    def _listed(self, file: IO[bytes], size: int) -> dict[str, _Matrix]:
        found: dict[str, _Matrix] = {}
        start = HEADER
        for _ in range(MOST_ELEMENTS):
            file.seek(start)
            tag = file.read(TAG)
            if len(tag) < TAG:
                break
            kind, length = struct.unpack(f"{self._order}II", tag)
            if start + TAG + length > size:
                raise FileError(
                    f"{self.path.name}: the file is incomplete, {size_text(size)} of "
                    f"{size_text(start + TAG + length)} or more; copy it again"
                )
            if kind in (MATRIX, COMPRESSED):
                packed = kind == COMPRESSED
                matrix = self._matrix(file, (start, length, packed))
                if matrix is not None:
                    found[matrix.name] = matrix
            start += TAG + length + (0 if kind == COMPRESSED else -length % 8)
        return found

    def _data(self, file: IO[bytes], length: int, packed: bool, most: int) -> bytes:
        """Return an unpacked element with its tag, as many bytes as are wanted."""
        if not packed:
            return file.read(min(TAG + length, most))
        file.seek(TAG, 1)
        return zlib.decompressobj().decompress(file.read(length), most)

    def _matrix(self, file: IO[bytes], place: tuple[int, int, bool]) -> _Matrix | None:
        """Return the matrix at (start, length, whether packed), None if it holds no numbers."""
        start, length, packed = place
        file.seek(start)
        data = self._data(file, length, packed, FRONT_BYTES)
        _, flag_bytes, at = self._element(data, TAG)
        flags = int.from_bytes(flag_bytes[:4], "big" if self._order == ">" else "little")
        _, lengths, at = self._element(data, at)
        kind, name_bytes, at = self._element(data, at)
        name = name_bytes.decode("latin-1")
        dtype = CLASSES.get(flags & 0xFF)
        shape = np.frombuffer(lengths[: len(lengths) // 4 * 4], f"{self._order}i4").tolist()
        if dtype is None or kind != 1 or not 2 <= len(shape) <= MOST_AXES or min(shape) < 0:
            return None
        if flags & COMPLEX:
            dtype = "c8" if dtype == "f4" else "c16"
        header = Header(tuple(shape), np.dtype(dtype))
        return _Matrix(name, header, start, length, packed, at)

    def _tag(self, data: bytes, at: int) -> tuple[int, int, int, int]:
        """Return type of the element at a place, where its data begin and end, the next place."""
        if at + TAG > len(data):
            raise FileError(f"{self.path.name}: an array ends too early; the file is damaged")
        kind, length = struct.unpack_from(f"{self._order}II", data, at)
        if kind >> 16:  # a short element: type, length and up to four bytes of data in 8
            return kind & 0xFFFF, at + 4, at + 4 + (kind >> 16), at + TAG
        begin = at + TAG
        return kind, begin, begin + length, begin + length + (-length % 8)

    def _element(self, data: bytes, at: int) -> tuple[int, bytes, int]:
        """Return type and bytes of the element at a place, and the next place."""
        kind, begin, end, following = self._tag(data, at)
        return kind, data[begin:end], following

    def _part(self, data: bytes, at: int, count: int, name: str) -> tuple[NDArray[Any], int]:
        """Return the numbers of a real or imaginary part, and the next place."""
        kind, begin, end, following = self._tag(data, at)
        if kind not in STORED:
            raise FileError(f"{self.path.name}: '{name}' holds numbers of unknown type {kind}")
        dtype = np.dtype(f"{self._order}{STORED[kind]}")
        if begin + count * dtype.itemsize > min(end, len(data)):
            raise FileError(f"{self.path.name}: '{name}' is cut short; the file is damaged")
        return np.frombuffer(data, dtype, count, begin), following


def recognises(path: Path) -> bool:
    """Whether a MATLAB file holds an array of frames."""
    return arrays.recognises(MatFile(path))


def read_scan(path: Path, request: Request) -> Scan:
    """Read a scan; frames of (H, H, N) or (H, H, ny, nx), as MATLAB stacks them, are told by that.

    Raises:
        FileError: The file is damaged.
        ScanError: It holds no scan, or frames alone: see `arrays.read_scan`.
    """
    file = MatFile(path)
    shape = file.header(arrays.frames_in(file, request.layout)).shape
    if len(shape) > 2 and shape[0] == shape[1] and shape[-1] != shape[-2]:
        request = replace(request, layout=replace(request.layout, frame_axes="first"))
    return arrays.read_scan(file, request)


FORMAT = Format(
    title="MATLAB scans (.mat up to version 7.2)",
    containers=(MATLAB_FILE,),
    recognises=recognises,
    read_scan=read_scan,
    checked="files written with SciPy",
)
