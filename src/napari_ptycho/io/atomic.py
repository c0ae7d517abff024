"""Writing: a file appears whole or not at all."""

import gc
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_ptycho.errors import FileError
from napari_ptycho.io.files import translated
from napari_ptycho.io.frames import in_use


@contextmanager
def written(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes the name of `path` when the block ends well.

    Raises:
        FileError: The folder is missing, the path is a folder, a lazy scan still reads the file,
            or writing failed; nothing is left behind then, and an older file stays as it was.
    """
    target = Path(os.path.realpath(Path(path).expanduser()))
    if target.is_dir():
        raise FileError(f"{path}: is a folder; give the name of a file in it")
    if not target.parent.is_dir():
        raise FileError(f"{path}: the folder {target.parent} does not exist; make it first")
    if in_use(target):
        gc.collect()  # a scan that nobody holds any more may wait for the collector
    if in_use(target):
        raise FileError(
            f"{target.name}: an open scan still reads its patterns from this file; "
            "write to another name"
        )
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with translated(target, "write"):
            yield temporary
            _sync(temporary, os.O_RDWR)
            os.replace(temporary, target)  # noqa: PTH105
        if os.name == "posix":
            with suppress(OSError):  # not every network disk can, and the file is there
                _sync(target.parent, os.O_RDONLY)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path, mode: int) -> None:
    """Make the system put a file (or the list of names in a folder) on the disk now."""
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
