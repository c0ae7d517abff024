"""Scans of EMPAD detectors: .raw, frames of 130 x 128 float32 without a header.

The last two rows of a frame are no pixels. Nothing in the file says what it is, so its size and its
numbers must fit.
"""

from math import isqrt
from pathlib import Path

import numpy as np

from napari_ptycho.io import electrons, rasters
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.files import read_head, stranger
from napari_ptycho.io.formats import RAW_FILE, Format
from napari_ptycho.io.raw_frames import RawFrames
from napari_ptycho.model import Scan

ROWS, COLUMNS = 128, 128
EXTRA_ROWS = 2
FRAME_BYTES = (ROWS + EXTRA_ROWS) * COLUMNS * 4
LARGEST = 1e9
"""Of a pixel; float32 of other data are mostly far larger, far smaller, or no numbers."""
SMALLEST = 1e-9


def recognises(path: Path) -> bool:
    """Whether a file has the size of whole frames, and pixels that can be readings."""
    size = path.stat().st_size
    if size == 0 or size % FRAME_BYTES or stranger(read_head(path)) != "of an unknown kind":
        return False
    sizes = np.abs(_frames(path, 1)[0].astype(np.float64))
    plausible = (sizes == 0) | ((sizes > SMALLEST) & (sizes < LARGEST))
    return bool(plausible.all() and sizes.any())


def _frames(path: Path, n: int) -> RawFrames:
    after = EXTRA_ROWS * COLUMNS * 4
    return RawFrames(path, (n, ROWS, COLUMNS), "<f4", 0, (0, after))


def read_scan(path: Path, request: Request) -> Scan:
    """Read the frames; the scan is a square raster where they make one.

    Raises:
        NeedsPositions: The steps of the raster are not said.
    """
    n = path.stat().st_size // FRAME_BYTES
    side = isqrt(n)
    draft = Draft(path, _frames(path, n), None, geometry={"particle": "electron"})
    draft.sources |= {"patterns": "file", "probe": "unknown"}
    draft.notes.append("The file has no header: frames of 130 x 128 are those of an EMPAD.")
    shape = (side, side) if side * side == n else None
    return rasters.scan(draft, electrons.intensities(request), f"{n} frames of an EMPAD", shape)


FORMAT = Format(
    title="EMPAD frames (.raw)",
    containers=(RAW_FILE,),
    recognises=recognises,
    read_scan=read_scan,
)
