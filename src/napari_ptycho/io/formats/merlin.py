"""Scans of Merlin (Medipix) detectors: .mib, with an optional .hdr beside it.

Each frame has a header of text before it: "MQ1,000001,00384,01,0256,0256,U08, ...", which is
number, bytes of the header, chips, columns, rows and type; then pixels, the high byte first. The
shape of the scan is not in the file.
"""

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path

from napari_ptycho.errors import FileError
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.formats import MIB_FILE, Format, rasters
from napari_ptycho.io.formats.raw_frames import RawFrames
from napari_ptycho.model import Scan
from napari_ptycho.prepare.text import size as size_text

HEADER = re.compile(rb"MQ1,\s*(\d+),\s*(\d+),\s*(\d+),\s*(\d+),\s*(\d+),\s*([A-Z]\d\d),")
FRONT_BYTES = 256
TYPES = {b"U08": ">u1", b"U16": ">u2", b"U32": ">u4"}
MOST_SIDE = 2**16
TABLE_BYTES = 2**16
LINES = ("ScanX", "Frames per Trigger (Number)")
"""What a .hdr calls the frames of a line; 1 says nothing."""


@dataclass(frozen=True)
class _Header:
    length: int
    shape: tuple[int, int]
    dtype: str

    @property
    def frame_bytes(self) -> int:
        return prod(self.shape) * int(self.dtype[-1])


def recognises(path: Path) -> bool:
    """Whether a file begins with the header of a frame."""
    with path.open("rb") as file:
        return HEADER.match(file.read(FRONT_BYTES)) is not None


def read_scan(path: Path, request: Request) -> Scan:
    """Read the frames; positions come from a second file or a raster.

    Raises:
        NeedsPositions: There are none; the sentence names the rasters that fit.
        FileError: The frames are packed (R64), cut short, or without a header.
    """
    header = _header(path, 0)
    stride, size = header.length + header.frame_bytes, path.stat().st_size
    n = size // stride
    if n == 0:
        raise FileError(
            f"{path.name}: the file is incomplete, {size_text(size)} of {size_text(stride)} for "
            "its first frame; copy it again, or wait until it is written"
        )
    notes = []
    if size % stride:
        notes.append(
            f"The last frame is cut short ({size % stride} of {stride} bytes) and was left out; "
            f"{n} are whole."
        )
    if n > 1 and _header(path, (n - 1) * stride) != header:
        raise FileError(f"{path.name}: its last frame is not like the first; the file is damaged")
    frames = RawFrames(path, (n, *header.shape), header.dtype, 0, (header.length, 0))
    sources = {"patterns": "file", "probe": "unknown"}
    draft = Draft(path, frames, None, sources=sources, notes=notes)
    return rasters.scan(draft, request, f"{n} frames", _raster(path, n, notes))


def _header(path: Path, start: int) -> _Header:
    """Return the header at a place.

    Raises:
        FileError: There is none, or the frames are packed.
    """
    with path.open("rb") as file:
        file.seek(start)
        found = HEADER.match(file.read(FRONT_BYTES))
    if found is None:
        raise FileError(f"{path.name}: no frame begins at byte {start}; the file is damaged")
    _, length, _, columns, rows = (int(text) for text in found.groups()[:5])
    kind = found.group(6)
    if kind not in TYPES:
        raise FileError(
            f"{path.name}: its frames are {kind.decode()}; raw (R64) frames keep the bits of each "
            "chip apart: save them as U08, U16 or U32"
        )
    if not (0 < rows <= MOST_SIDE and 0 < columns <= MOST_SIDE) or length < found.end():
        raise FileError(
            f"{path.name}: frames of {rows} x {columns} after a header of {length} bytes; the file "
            "is damaged"
        )
    return _Header(length, (rows, columns), TYPES[kind])


def _raster(path: Path, n: int, notes: list[str]) -> tuple[int, int] | None:
    """Return (rows, columns) if the .hdr beside the file tells a line that fits the frames."""
    table = path.with_suffix(".hdr")
    if not table.is_file():
        return None
    with table.open("rb") as file:
        text = file.read(TABLE_BYTES).decode("latin-1")
    for name in LINES:
        found = re.search(rf"^{re.escape(name)}:\s*(\d{{1,9}})\s*$", text, re.MULTILINE)
        columns = int(found.group(1)) if found else 0
        if columns > 1 and n % columns == 0:
            notes.append(f"{table.name}: '{name}' is {columns}, taken as the columns of the scan.")
            return n // columns, columns
    return None


FORMAT = Format(
    title="Merlin frames (.mib)",
    containers=(MIB_FILE,),
    recognises=recognises,
    read_scan=read_scan,
)
