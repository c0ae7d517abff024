"""The scratch space on a disk, for frames that do not fit into memory."""

import shutil
import tempfile
from pathlib import Path

import psutil

from napari_ptycho.errors import JobError
from napari_ptycho.prepare.text import size

IN_RAM = ("tmpfs", "ramfs")


def folder() -> Path:
    """Return where scratch files lie: $TMPDIR, else what the system has for them."""
    return Path(tempfile.gettempdir())


def free() -> int:
    """Return the bytes that are free there."""
    return shutil.disk_usage(folder()).free


def check(needed: int) -> None:
    """Refuse what does not fit.

    Args:
        needed: Bytes.

    Raises:
        JobError: There is too little room.
    """
    if needed > (there := free()):
        raise JobError(
            f"the frames need {size(needed)} of scratch space, but {folder()} has {size(there)} "
            "free; set TMPDIR to a folder on a larger disk"
        )


def in_ram() -> bool:
    """Whether the scratch space takes RAM itself, where that can be told."""
    place = folder().resolve()
    mounted = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    above = next((path for path in (place, *place.parents) if path in mounted), None)
    return above is not None and mounted[above] in IN_RAM


def note(needed: int) -> str:
    """Return what reading frames from disk takes there, in words."""
    text = f"{size(needed)} in {folder()}, where {size(free())} are free"
    if in_ram():
        return f"{text}; that folder lies in RAM, set TMPDIR to one on a disk"
    return text
