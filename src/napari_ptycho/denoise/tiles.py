"""Images that do not fit: cut into overlapping tiles, a network each, and blended again."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Self

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


class Told(NamedTuple):
    """What stays of the result of a tile beside its image."""

    done: int
    curves: Mapping[str, tuple[float, ...]]
    grid: Mapping[int, float]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, result: Denoised) -> Self:
        """Return what stays of a result."""
        return cls(result.done, result.curves, result.grid, result.notes)

    def tree(self) -> dict[str, Any]:
        """Return it as a tree (see `io.autosave.flat`)."""
        curves = {name: np.array(values) for name, values in self.curves.items()}
        return {**self._asdict(), "curves": curves}

    @classmethod
    def of_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Return what `tree` has made a tree of."""
        curves = {name: tuple(values.tolist()) for name, values in tree["curves"].items()}
        grid = {int(period): score for period, score in tree["grid"].items()}
        return cls(tree["done"], curves, grid, tuple(tree["notes"]))


class Sheet:
    """The tiles that are done, blended; the image itself elsewhere."""

    def __init__(self, image: Image, side: int, members: int) -> None:
        """Begin with no tile.

        Args:
            image: (H, W).
            side: Of the tiles, at most.
            members: Networks of an ensemble.
        """
        self.image, self.side = image, side
        self.places = boxes((int(image.shape[0]), int(image.shape[1])), side)
        dtype = np.complex128 if image.dtype.kind == "c" else np.float64
        self.total: Any = np.zeros((members, *image.shape), dtype)
        self.weight: Floats = np.zeros(image.shape)
        self.before: list[Told] = []
        """Of the tiles that are done."""

    @property
    def note(self) -> str:
        """What the user should know of it."""
        return (
            f"the image was cut into {len(self.places)} overlapping tiles of up to {self.side} "
            "pixels a side"
        )

    def add(self, result: Denoised) -> None:
        """Add the next tile."""
        box = self.places[len(self.before)]
        ramp = _ramp(result.members.shape[1:])
        self.total[(slice(None), *box)] += result.members * ramp
        self.weight[box] += ramp
        self.before.append(Told.of(result))

    def members(self) -> Image:
        """Return the members (K, H, W)."""
        done = self.weight > 0
        blended = self.total / np.where(done, self.weight, 1)
        return np.where(done, blended, self.image).astype(self.image.dtype)

    def state(self) -> dict[str, Any]:
        """Return the tiles that are done, as a tree (see `io.autosave.flat`)."""
        return {
            "side": self.side,
            "total": self.total,
            "weight": self.weight,
            "before": [one.tree() for one in self.before],
        }

    def load(self, tree: Mapping[str, Any]) -> None:
        """Have the tiles of another sheet of the same image."""
        self.total[:], self.weight[:] = tree["total"], tree["weight"]
        self.before = [Told.of_tree(one) for one in tree["before"]]


def _ramp(shape: tuple[int, ...]) -> Floats:
    """Return a weight (h, w) that falls towards the edges."""
    sides = [np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)) for n in shape]
    edges = [np.minimum(side, max(1, n // OVERLAP)) for side, n in zip(sides, shape, strict=True)]
    return np.asarray(np.outer(*edges), np.float64)


def tiled(sheet: Sheet, options: DenoiseOptions, job: Job) -> Iterator[Update[Denoised]]:
    """Denoise the tiles of a sheet that are not done, one by one.

    The curves of the tiles follow each other. Past outputs are not kept.

    Args:
        sheet: The image, and the tiles that are done.
        options: Of each tile.
        job: Denoises a part of the image.
    """
    total = float(len(sheet.places) * options.iterations)
    result: Denoised | None = None
    for number in range(len(sheet.before), len(sheet.places)):
        result = None
        for update in job(sheet.places[number], replace(options, tile=0)):
            result = update.result
            whole = _joined(sheet, result, sheet.places[number])
            done = number * options.iterations + update.done
            yield Update(done, total, whole.curves, whole, (*whole.notes, *update.notes))
        sheet.add(_reached(result))
    last = _joined(sheet, _reached(result))
    yield Update(total, total, last.curves, last, last.notes)


def _reached(result: Denoised | None) -> Denoised:
    """Return the result of a tile, which its first update has brought."""
    if result is None:
        raise JobError("a tile ended before it reached a result")
    return result


def _joined(sheet: Sheet, newest: Denoised, box: Box | None = None) -> Denoised:
    """Return the tiles so far as one result; the newest is under way in its box, or done."""
    results = sheet.before if box is None else [*sheet.before, Told.of(newest)]
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
        notes=(sheet.note, *notes),
        run=None,
    )
