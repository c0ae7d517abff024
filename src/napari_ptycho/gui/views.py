"""What layers show of a scan or a reconstruction: plain arrays, made in a job's thread.

Layers must only be touched in the window's thread, so everything that costs time (means over all
frames, removing the phase ramp, percentiles) is done here before, and handed over ready to show.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.gui.spots import Spots, spots
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.model.summary import Row, summary
from napari_ptycho.physics.align import flatten, illuminated
from napari_ptycho.prepare import find_raster
from napari_ptycho.prepare.raster import Raster

if TYPE_CHECKING:
    from napari_ptycho.gui.opening import Opening
    from napari_ptycho.gui.recipe_source import Told
    from napari_ptycho.recipes.recipe import BinningOptions

Image = NDArray[np.float32]
Limits = tuple[float, float]
READ_BYTES = 2**30
"""How much of a scan is read to show its mean; of a larger one, the first frames."""
BEGINNING_BYTES = 32 * 2**20
"""How much of one that stays on disk: its first frame should be there in less than a second."""
SAMPLED = 200_000  # pixels that percentiles are taken from
PERCENT = (0.5, 99.5)
POWERS = 4  # modes whose power is told
GAP_PX = 2  # between the tiles of the probe modes


class LogStack:
    """log10(1 + counts) of N patterns, computed for the frames that napari asks for.

    It is what napari calls array-like: it has a shape, a type, and can be indexed.
    """

    def __init__(self, patterns: Any) -> None:
        self._patterns = patterns
        self.shape: tuple[int, ...] = tuple(patterns.shape)
        self.ndim = len(self.shape)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: Any) -> Image:
        return np.log10(1 + np.asarray(self._patterns[key], np.float32))

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)


def _told_in_memory() -> "Told":
    from napari_ptycho.gui.recipe_source import IN_MEMORY

    return IN_MEMORY


def _not_binned() -> "BinningOptions":
    from napari_ptycho.recipes.recipe import BinningOptions

    return BinningOptions()


@dataclass(frozen=True, eq=False)
class ScanView:
    """A scan, ready to show."""

    scan: Scan
    patterns: LogStack
    """(N, H, W) log10(1 + counts)."""
    mean: Image
    """(H, W) log10(1 + mean counts) over the first `frames_read` frames."""
    counts: Floats
    """(N,) valid counts per pattern; NaN where not read."""
    frames_read: int
    brightest: float
    """log10(1 + counts) of the brightest valid pixel that was read."""
    rows: tuple[Row, ...]
    """The scan as a table: what was read and from where."""
    raster: Raster | None
    """Rows and columns, where the positions are a raster."""
    opening: "Opening | None" = None
    """The file it was read from, and how; None for a sample or a binned scan."""
    as_read: "ScanView | None" = None
    """The scan before its frames were masked, cut or turned, where they were."""
    told: "Told" = field(default_factory=_told_in_memory)
    """How it came about (before it was binned), for a recipe; a sentence where none can tell."""
    bins: "BinningOptions" = field(default_factory=_not_binned)
    """How it was binned."""


def view_scan(scan: Scan) -> ScanView:
    """Read (up to `READ_BYTES` of) a scan and return what layers show of it."""
    total, brightest, read = np.zeros(scan.frame_shape), 0.0, 0
    counts = np.full(len(scan), np.nan)
    blocks = [scan.beginning(BEGINNING_BYTES)] if scan.is_lazy else scan.blocks()
    for frames, block in blocks:
        lit = np.where(scan.valid_of(frames), block, 0)
        total += lit.sum(axis=0, dtype=np.float64)
        counts[frames] = lit.sum(axis=(1, 2), dtype=np.float64)
        brightest, read = max(brightest, float(lit.max())), frames.stop
        if read * block.nbytes / len(block) >= READ_BYTES:
            break
    return ScanView(
        scan=scan,
        patterns=LogStack(scan.patterns),
        mean=np.log10(1 + total / read).astype(np.float32),
        counts=counts,
        frames_read=read,
        brightest=float(np.log10(1 + brightest)),
        rows=summary(scan),
        raster=find_raster(scan),
    )


@dataclass(frozen=True, eq=False)
class Picture:
    """A reconstruction, ready to show."""

    of: Reconstruction
    phase: Image
    """(H, W) rad, without global phase and ramp."""
    amplitude: Image
    """(H, W)."""
    probe: Image
    """Amplitudes of the modes, tiled beside each other: sqrt photons per pixel."""
    phase_limits: Limits
    """Where the phase of the illuminated area lies."""
    amplitude_limits: Limits
    spots: Spots
    """Where the windows lie, and what is known there."""
    powers: str
    """Of the probe modes in words: " (92 | 8 %)"; "" for a single one."""


def picture(reconstruction: Reconstruction) -> Picture:
    """Return what layers show of a reconstruction (0.05 s at 500 x 500, 0.3 s at 1000 x 1000)."""
    flat, known = flatten(reconstruction), illuminated(reconstruction)
    phase, amplitude = np.angle(flat).astype(np.float32), np.abs(flat)
    return Picture(
        of=reconstruction,
        phase=phase,
        amplitude=amplitude,
        probe=tiled(np.abs(reconstruction.probe)),
        phase_limits=contrast(phase[known]),
        amplitude_limits=contrast(amplitude[known]),
        spots=spots(reconstruction),
        powers=_powers(reconstruction),
    )


def _powers(reconstruction: Reconstruction) -> str:
    if reconstruction.n_modes == 1:
        return ""
    power = (np.abs(reconstruction.probe) ** 2).sum(axis=(1, 2), dtype=np.float64)
    shares = [f"{share:.0%}".rstrip("%") for share in power / power.sum()]
    more = " | …" * (len(shares) > POWERS)
    return f" ({' | '.join(shares[:POWERS])}{more} %)"


class ReconstructionView:
    """The newest state of a job, and a picture that may be a little older until the job ends."""

    def __init__(self, reconstruction: Reconstruction, shown: Picture) -> None:
        self.reconstruction, self.picture = reconstruction, shown

    def complete(self) -> None:
        """Bring the picture up to date."""
        if self.picture.of is not self.reconstruction:
            self.picture = picture(self.reconstruction)


def viewed(job: Iterator[Update[Reconstruction]]) -> Iterator[Update[ReconstructionView]]:
    """Turn the results of a job into views, in at most a tenth of the time; the last is complete.

    Closing this closes the job.
    """
    return redrawn(job, picture, ReconstructionView)


def redrawn(
    job: Iterator[Update[Any]], draw: Callable[[Any], Any], view_of: Callable[[Any, Any], Any]
) -> Iterator[Update[Any]]:
    """Draw the results of a job in at most a tenth of the time.

    Args:
        job: The job; closing this closes it.
        draw: Returns what layers show of a result.
        view_of: Makes a view of the newest result and of a drawing that may be older; its
            `complete` is called on the last one, to bring the drawing up to date.
    """
    view, drawing, due = None, None, 0.0
    try:
        for update in job:
            began = time.monotonic()
            if drawing is None or began >= due:
                drawing = draw(update.result)
                due = time.monotonic() + 9 * (time.monotonic() - began)
            view = view_of(update.result, drawing)
            yield Update(update.done, update.total, update.history, view, update.notes)
    finally:
        getattr(job, "close", lambda: None)()
        if view is not None:
            view.complete()


def tiled(modes: NDArray[np.floating[Any]], columns: int = 0) -> Image:
    """Lay M images (M, h, w) beside each other in rows, so many in each or nearly square.

    A stack would need the slider that the patterns use, and be blank where its M images end.
    """
    count, h, w = modes.shape
    columns = columns or int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    sheet = np.zeros(
        (rows * (h + GAP_PX) - GAP_PX, columns * (w + GAP_PX) - GAP_PX), dtype=np.float32
    )
    for i, mode in enumerate(modes):
        y, x = i // columns * (h + GAP_PX), i % columns * (w + GAP_PX)
        sheet[y : y + h, x : x + w] = mode
    return sheet


def spread_limits(spread: Image) -> Limits:
    """Return limits of a spread from 0 on; where it is 0, nothing is known of it."""
    known = spread[spread > 0]
    return (0.0, contrast(known)[1]) if known.size else (0.0, 1.0)


def contrast(values: Image) -> Limits:
    """Return between which percentiles an image lies: limits that napari can use."""
    few = values[:: max(1, values.size // SAMPLED)]
    low, high = (float(value) for value in np.percentile(few, PERCENT))
    if high - low < 1e-3:  # a flat image: room around it, as napari needs low < high
        return low - 0.5, high + 0.5
    return low, high
