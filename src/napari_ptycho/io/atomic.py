"""Writing: a file appears whole or not at all."""

import gc
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_ptycho.errors import FileError
from napari_ptycho.io.files import translated
from napari_ptycho.io.frames import in_use

STALE_S = 3600.0
"""A temporary file that nobody has written to for so long was left by a process that died."""
PATIENCE_S = 2.0 if os.name == "nt" else 0.0
"""Windows replaces no file that somebody reads at that moment: so long is waited for its end."""


@contextmanager
def written(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes the name of `path` when the block ends well.

    What processes that died have left of the same file is removed then.

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
            with _one_sentence(target):
                yield temporary
            _sync(temporary, os.O_RDWR)
            _replace(temporary, target)
        if os.name == "posix":
            with suppress(OSError):  # not every network disk can, and the file is there
                _sync(target.parent, os.O_RDONLY)
        _clear(target)
    finally:
        temporary.unlink(missing_ok=True)


def _replace(temporary: Path, target: Path) -> None:
    """Give a file its name, in the place of an older one; wait for who reads that."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            os.replace(temporary, target)  # noqa: PTH105
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.01)
        else:
            return


@contextmanager
def _one_sentence(target: Path) -> Iterator[None]:
    """Say what HDF5 and NumPy mean when the disk is full.

    Raises:
        FileError: They could not write.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        text = str(error)
        found = re.search(r"error message = '([^']+)'", text)
        if found is None and not re.search(r"\d+ requested and \d+ written", text):
            raise
        reason = found[1] if found else "No space left on device, or the file may not grow so large"
        raise FileError(f"{target.name}: could not write it: {reason}") from error


def _clear(target: Path) -> None:
    """Remove temporary files of a target that are `STALE_S` old."""
    left = re.compile(re.escape(f".{target.name}.") + r"[0-9a-f]{8}\.tmp")
    with suppress(OSError):  # somebody else removed it, or may
        for path in target.parent.iterdir():
            if left.fullmatch(path.name) and time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()


def _sync(path: Path, mode: int) -> None:
    """Make the system put a file (or the list of names in a folder) on the disk now."""
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
