"""Pages of a TIFF file looked at before they are read: their order, and what they claim."""

import struct
from pathlib import Path
from typing import Any

from napari_ptycho.errors import FileError
from napari_ptycho.io.archive import BOMB_BYTES, BOMB_FACTOR
from napari_ptycho.prepare.text import size as size_text

_CLASSIC, _BIG = ("H", 12, "I"), ("Q", 20, "Q")
"""Formats of the number of tags, bytes of a tag, and of where the next page is."""


def check_chain(path: Path) -> None:
    """Go from page to page without reading any; tifffile would go in circles for ever.

    Args:
        path: A file with the first bytes of a TIFF.

    Raises:
        FileError: A page is followed by one that was there before.
    """
    size = path.stat().st_size
    seen: set[int] = set()
    with path.open("rb") as file:
        head = file.read(16)
        order = "<" if head[:2] == b"II" else ">"
        big = head[2:4] in (b"+\0", b"\0+")
        count, tag, offset = _BIG if big else _CLASSIC
        at = struct.unpack_from(order + offset, head, 8 if big else 4)[0]
        while 0 < at < size:
            if at in seen:
                raise FileError(
                    f"{path.name}: page {len(seen)} is followed by one that came before; the file "
                    "is damaged"
                )
            seen.add(at)
            file.seek(at)
            tags = file.read(struct.calcsize(count))
            if len(tags) < struct.calcsize(count):
                return
            file.seek(struct.unpack(order + count, tags)[0] * tag, 1)
            following = file.read(struct.calcsize(offset))
            if len(following) < struct.calcsize(offset):
                return
            at = struct.unpack(order + offset, following)[0]


def check_page(path: Path, page: Any) -> None:
    """Refuse a page that claims more than its file can hold.

    Args:
        path: The file.
        page: A `TiffPage` or `TiffFrame` of it.

    Raises:
        FileError: It does.
    """
    packed, there = page.compression != 1, path.stat().st_size
    most = max(BOMB_BYTES, BOMB_FACTOR * there) if packed else sum(page.databytecounts)
    ends = map(sum, zip(page.dataoffsets, page.databytecounts, strict=True))
    if page.nbytes > most or max(ends, default=there + 1) > there:
        raise FileError(
            f"{path.name}: an image of {size_text(page.nbytes)} in a file of {size_text(there)}; "
            "it is damaged or still being written"
        )
