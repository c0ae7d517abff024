"""Heaps of texts in HDF5 files looked at before they are read: a damaged one is read for ever.

HDF5 keeps texts of any length in collections ("GCOL"), one object after the other, each with its
size; an object that says it needs no room makes the library stay at it.
"""

from pathlib import Path
from struct import unpack_from

from napari_ptycho.errors import FileError
from napari_ptycho.io.files import translated

LARGEST = 32 * 2**20
"""Of files that are looked at."""
MARK = b"GCOL\x01\x00\x00\x00"
HEAD = 16
"""Bytes before the objects of a collection, and before the content of each object."""


def check(path: Path) -> None:
    """Refuse a file with a collection of texts that has no end.

    Raises:
        FileError: It has one.
    """
    if path.stat().st_size > LARGEST:
        return
    with translated(path):
        held = path.read_bytes()
    at = held.find(MARK)
    while at >= 0:
        if _is_endless(held, at):
            raise FileError(f"{path.name}: the HDF5 file is damaged: its texts have no end")
        at = held.find(MARK, at + len(MARK))


def _is_endless(held: bytes, start: int) -> bool:
    if start + HEAD > len(held):
        return False
    end = min(len(held), start + unpack_from("<Q", held, start + 8)[0])
    at = start + HEAD
    while at + HEAD <= end:
        number, size = unpack_from("<H6xQ", held, at)
        # As the library reckons, in 64 bits; object 0 is the free space with its own head.
        needed = size if number == 0 else (HEAD + (size + 7) // 8 * 8) % 2**64
        if needed == 0:
            return True
        at += needed
    return False
