"""What the frames of a scan show on average, pixel by pixel: for the centre and for bad pixels."""

import weakref
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.prepare.halves import take

LAZY_FRAMES, RUN = 128, 16
"""Of a lazy scan so many frames are read, in runs that are spread over the scan."""


@dataclass(frozen=True, eq=False)
class Survey:
    """Sums over frames."""

    total: Floats
    """(H, W) counts of the frames in which a pixel is valid."""
    seen: Floats
    """(H, W) number of these frames."""
    highest: Floats
    """(H, W) largest count of a pixel while it was valid."""
    frames: int
    """Number of frames looked at."""

    @property
    def mean(self) -> Floats:
        """(H, W) mean counts; 0 where a pixel is never valid."""
        return np.divide(self.total, self.seen, out=np.zeros_like(self.total), where=self.seen > 0)


_known: "weakref.WeakKeyDictionary[Scan, Survey]" = weakref.WeakKeyDictionary()


def survey(scan: Scan) -> Survey:
    """Look at all frames in memory, or at some of a lazy scan; asked again, it knows.

    Raises:
        ScanError: Frames read from disk hold NaN or negative counts.
    """
    if scan not in _known:
        total, seen, highest = (np.zeros(scan.frame_shape) for _ in range(3))
        read = 0
        for part in _parts(scan):
            for frames, block in part.blocks():
                valid = np.broadcast_to(part.valid_of(frames), block.shape)
                total += np.sum(block, axis=0, dtype=np.float64, where=valid)
                seen += valid.sum(axis=0)
                largest = np.max(block, axis=0, where=valid, initial=0)
                highest = np.maximum(highest, largest)
                read += len(block)
        _known[scan] = Survey(total, seen, highest, read)
    return _known[scan]


def _parts(scan: Scan) -> Iterator[Scan]:
    if not scan.is_lazy or len(scan) <= LAZY_FRAMES:
        yield scan
        return
    for start in np.linspace(0, len(scan) - RUN, LAZY_FRAMES // RUN).astype(int):
        yield take(scan, np.arange(start, start + RUN))
