"""What the first bytes of an HDF5 file say: how long it should be, and whether it is written."""

import struct
from enum import Enum

SIGNATURE = b"\x89HDF\r\n\x1a\n"
WRITE, SWMR_WRITE = 1, 4
"""Bits of the consistency flags."""


class Writer(Enum):
    """What a program that writes a file has said in it; a dead one cannot take it back."""

    NONE = "none"
    """Nobody writes, or a program of the old format (before HDF5 1.10), which says nothing."""
    ALONE = "alone"
    """It is open for writing, and cannot be read before it is closed."""
    SWMR = "swmr"
    """It is written so that others may read (single writer, multiple readers)."""


def is_old(head: bytes) -> bool:
    """Whether an HDF5 file is of the format before 1.10, which does not say that it is written."""
    return head.startswith(SIGNATURE) and head[8:9] < b"\x03"


def writer_of(head: bytes) -> Writer:
    """Return what the superblock says of a writer."""
    if not head.startswith(SIGNATURE) or len(head) < 12 or head[8] != 3 or not head[11] & WRITE:
        return Writer.NONE
    return Writer.SWMR if head[11] & SWMR_WRITE else Writer.ALONE


def stored_size(head: bytes) -> int | None:
    """Return the length the superblock promises, for the usual 8-byte addresses."""
    version = head[8] if len(head) > 48 else 255
    if version in (0, 1) and head[13] == 8:
        return int(struct.unpack_from("<Q", head, 40 if version == 0 else 44)[0])
    if version in (2, 3) and head[9] == 8:
        return int(struct.unpack_from("<Q", head, 28)[0])
    return None
