"""Images that do not fit: cut into overlapping tiles, a network each, and blended again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_ptycho.denoise.options import DenoiseOptions
from napari_ptycho.denoise.result import Denoised, Image, Past
from napari_ptycho.errors import JobError
from napari_ptycho.job import Update
from napari_ptycho.model.arrays import Floats

BYTES_PER_PIXEL = {
    "skip": 1500,
    "arch1": 450,
    "arch1-bilinear": 800,
    "arch2": 3000,
    "arch2-bilinear": 7000,
}
"""Of a training step; measured on a CPU at 512 x 512 and 1024 x 1024 and rounded up."""
USED = 0.8  # share of the free memory that is counted on
STEP, LEAST = 64, 64  # pixels by which tiles are chosen, and the smallest
OVERLAP = 8  # tiles overlap by this part of their side
Box = tuple[slice, slice]
Job = Callable[[Box, DenoiseOptions], Iterator[Update[Denoised]]]


def tile_side(
    shape: tuple[int, int], options: DenoiseOptions, free_bytes: int, together: int
) -> int:
    """Return the side of the tiles that an image is cut into; 0 if it is not.

    Args:
        shape: Of the image, (H, W).
        options: The side that is asked for, or 0, and the networks.
        free_bytes: Memory that the device has left.
        together: Networks that are computed at once.

    Raises:
        JobError: Not even a small tile fits.
    """
    if options.tile:
        return max(options.tile, LEAST) if max(shape) > max(options.tile, LEAST) else 0
    each = max(BYTES_PER_PIXEL[name] for name in options.members()) * together
    if shape[0] * shape[1] * each <= USED * free_bytes:
        return 0
    side = int(np.sqrt(USED * free_bytes / each)) // STEP * STEP
    if side < LEAST:
        raise JobError(
            f"a tile of {LEAST} x {LEAST} pixels needs {LEAST**2 * each / 1e6:.0f} MB but "
            f"{free_bytes / 1e6:.0f} MB are free; choose a smaller architecture, or the CPU"
        )
    return side


def boxes(shape: tuple[int, int], side: int) -> list[Box]:
    """Return where the tiles lie: they cover the image and overlap, none is larger than `side`."""
    rows, columns = (_spans(n, side) for n in shape)
    return [(row, column) for row in rows for column in columns]


def _spans(n: int, side: int) -> list[slice]:
    if n <= side:
        return [slice(0, n)]
    overlap = side // OVERLAP
    count = -(-(n - overlap) // (side - overlap))
    starts = np.rint(np.linspace(0, n - side, count)).astype(int)
    return [slice(int(start), int(start) + side) for start in starts]


@dataclass
class _Sheet:
    """The tiles that are done, blended; the image itself elsewhere."""

    image: Image
    total: Any
    weight: Floats

    def add(self, box: Box, members: Image) -> None:
        """Add a tile (K, h, w)."""
        ramp = _ramp(members.shape[1:])
        self.total[(slice(None), *box)] += members * ramp
        self.weight[box] += ramp

    def members(self) -> Image:
        """Return the members (K, H, W)."""
        done = self.weight > 0
        blended = self.total / np.where(done, self.weight, 1)
        return np.where(done, blended, self.image).astype(self.image.dtype)


def _ramp(shape: tuple[int, ...]) -> Floats:
    """Return a weight (h, w) that falls towards the edges."""
    sides = [np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)) for n in shape]
    edges = [np.minimum(side, max(1, n // OVERLAP)) for side, n in zip(sides, shape, strict=True)]
    return np.asarray(np.outer(*edges), np.float64)


def tiled(image: Image, side: int, options: DenoiseOptions, job: Job) -> Iterator[Update[Denoised]]:
    """Denoise an image tile by tile; `job` denoises a part of it.

    The curves of the tiles follow each other. Past outputs are not kept.
    """
    places = boxes((int(image.shape[0]), int(image.shape[1])), side)
    note = f"the image was cut into {len(places)} overlapping tiles of up to {side} pixels a side"
    sheet: _Sheet | None = None
    before: list[Denoised] = []
    for number, box in enumerate(places):
        for update in job(box, replace(options, tile=0)):
            result = update.result
            if sheet is None:
                dtype = np.complex128 if image.dtype.kind == "c" else np.float64
                room = np.zeros((len(result.members), *image.shape), dtype)
                sheet = _Sheet(image, room, np.zeros(image.shape))
            whole = _joined(sheet, [*before, result], (box, note))
            done = number * options.iterations + update.done
            total = float(len(places) * options.iterations)
            yield Update(done, total, whole.curves, whole, (*whole.notes, *update.notes))
        sheet_of(sheet).add(box, result.members)
        before.append(result)
    last = _joined(sheet_of(sheet), before, (None, note))
    yield Update(total, total, last.curves, last, last.notes)


def sheet_of(sheet: _Sheet | None) -> _Sheet:
    """Return the sheet, which the first update of the first tile has made."""
    if sheet is None:
        raise JobError("a tile ended before it reached a result")
    return sheet


def _joined(sheet: _Sheet, results: list[Denoised], of: tuple[Box | None, str]) -> Denoised:
    """Return the tiles so far as one result."""
    box, note = of
    newest = results[-1]
    members = sheet.members()
    if box is not None:
        members[(slice(None), *box)] = newest.members
    whole = members.mean(axis=0).astype(sheet.image.dtype)
    latest = whole.copy()
    if box is not None:
        latest[box] = newest.latest
    names = [name for name in newest.curves if name != "grid_db"]
    curves = {name: tuple(v for one in results for v in one.curves[name]) for name in names}
    worst = {p: max(one.grid[p] for one in results if p in one.grid) for p in newest.grid}
    notes = tuple(dict.fromkeys(n for one in results for n in one.notes))
    return replace(
        newest,
        image=whole,
        latest=latest,
        iteration=sum(one.done for one in results[:-1]) + newest.iteration,
        done=sum(one.done for one in results),
        members=members,
        past=Past(),
        curves=curves,
        grid=worst,
        stopped=box is None,
        notes=(note, *notes),
        run=None,
    )
