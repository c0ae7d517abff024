"""Paths before anything is parsed: is it there, what do its first bytes say, what went wrong."""

import lzma
import os
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from napari_ptycho.errors import FileError
from napari_ptycho.io.superblock import SIGNATURE

HDF5, ZIP, NPY, BZ2, GZIP = "HDF5", "zip", "npy", "bz2", "gzip"
TIFF, MIB, MATLAB = "TIFF", "Merlin", "MATLAB"
HEAD_BYTES = 4096
_MASTER = re.compile(r"(.+)_master\.\w+")
_PART = re.compile(r"(.+)_data_\d+\.\w+")

_MAGIC = {
    SIGNATURE: HDF5,
    b"PK\x03\x04": ZIP,
    b"PK\x05\x06": ZIP,
    b"\x93NUMPY": NPY,
    b"BZh": BZ2,
    b"\x1f\x8b": GZIP,
    b"II*\x00": TIFF,
    b"MM\x00*": TIFF,
    b"II+\x00": TIFF,
    b"MM\x00+": TIFF,
    b"MQ1,": MIB,
    b"MATLAB 5.0": MATLAB,
}
_CONVERT = (
    "open it in HyperSpy (with RosettaSciIO) and save it as .hspy, or in py4DSTEM and save as .h5"
)
_STRANGERS = {
    b"version https://git-lfs": "a Git LFS pointer, not the data; fetch it with 'git lfs pull'",
    b"/annex/objects/": "a git-annex pointer, not the data; fetch it with 'git annex get'",
    b"\x89PNG": "a PNG image",
    b"\x00\x00\x00\x03\x00": f"a DigitalMicrograph (DM3) file; {_CONVERT}",
    b"\x00\x00\x00\x04\x00": f"a DigitalMicrograph (DM4) file; {_CONVERT}",
    b"II\x97\x01": f"a TIA (.ser) file; {_CONVERT}",
    b"\xed\xfe\x00\x00": f"a StreamPix (.seq) file; {_CONVERT}",
    b"\x80\x04\x95": "a Python pickle, which is never opened because it can run code",
    b"\x80\x05\x95": "a Python pickle, which is never opened because it can run code",
}
_ENDINGS = (
    *(".npz", ".npy", ".bz2", ".gz", ".h5", ".hdf5", ".hdf", ".cxi", ".nxs", ".mat"),
    *(".ptyd", ".ptyr", ".hspy", ".emd", ".tif", ".tiff", ".mib", ".raw"),
)
_FAILURES = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    RuntimeError,
    ArithmeticError,
    AssertionError,
    SyntaxError,
    tokenize.TokenError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)


@contextmanager
def translated(path: Path, doing: str = "read") -> Iterator[None]:
    """Turn whatever a library raises over a broken file into one sentence.

    Raises:
        FileError: Anything went wrong that is not yet a PtychoError.
    """
    try:
        yield
    except MemoryError as error:
        raise FileError(f"{path.name}: not enough memory to {doing} it") from error
    except _FAILURES as error:
        text = f"{error}".strip("'\" ") or type(error).__name__
        raise FileError(f"{path.name}: could not {doing} it: {text}") from error


def name_of(path: Path) -> str:
    """Return a file's name without the endings that tell its format."""
    name = path.name
    while name.lower().endswith(_ENDINGS):
        name = name.rpartition(".")[0]
    return name or path.name


def without_parts(paths: Sequence[Path]) -> list[Path]:
    """Return the files without those whose frames another of them links to.

    People drop all that a detector has written: NAME_master.h5 with its NAME_data_000001.h5, ...
    """
    masters = {(path.parent, found[1]) for path in paths if (found := _MASTER.fullmatch(path.name))}
    parts = [_PART.fullmatch(path.name) for path in paths]
    return [
        path
        for path, part in zip(paths, parts, strict=True)
        if not part or (path.parent, part[1]) not in masters
    ]


def existing(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that is there and holds something.

    Raises:
        FileError: No such file, a folder, or an empty file.
    """
    path = Path(path)
    with translated(path, "find"):
        path = path.expanduser()
        if path.is_dir():
            raise FileError(f"{path}: is a folder; give the file inside it")
        if not path.is_file():
            raise FileError(f"{path}: no such file")
        if path.stat().st_size == 0:
            raise FileError(f"{path.name}: the file is empty (0 bytes)")
    return path


def kind_of(head: bytes) -> str | None:
    """Return the container (HDF5, zip, npy, ...) that the first bytes name, else None."""
    # MATLAB v7.3 and others put a block of their own, of 512 bytes times a power of two, in front.
    if any(head.startswith(SIGNATURE, start) for start in (512, 1024, 2048)):
        return HDF5
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


def stranger(head: bytes) -> str:
    """Say what a file of no known container seems to be."""
    for magic, what in _STRANGERS.items():
        if head.startswith(magic):
            return what
    if b"<html" in head[:512].lower() or b"<!doctype" in head[:512].lower():
        return "a web page (a failed download?), not the data"
    text = bytes(range(32, 127)) + b"\n\r\t\f"
    if not head.translate(None, text):
        return "a text file"
    return "of an unknown kind"


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file.

    Raises:
        FileError: It may not be read.
    """
    with translated(path, "open"), path.open("rb") as file:
        return file.read(HEAD_BYTES)
