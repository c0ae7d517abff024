"""What the numbers in a stack of frames mean, found by looking at them.

Detectors and programs write counts as intensity or as its square root, with zero frequency in the
middle or at the corner, and mark dead pixels with codes among the counts. `Survey` looks, `plan`
decides, `Plan` undoes, each of them for a part of the frames at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.model.arrays import Bools

ZONE = 0.05  # share of a frame's area that counts as "the middle" or "the corner"
CLEAR = 2.0  # one must be this many times brighter than the other
CEILINGS = {4095, 16383, 65535, 2**24 - 1, 2**32 - 1, 2**32}
"""Largest values of 12 to 32 bit counters; the last is what float32 makes of 2**32 - 1."""


@dataclass(frozen=True)
class Plan:
    """How stored frames become counts with zero frequency at [H//2, W//2]."""

    dtype: np.dtype[Any]
    """Of the counts."""
    wrapped: bool = False
    """int16 that began as uint16: negative numbers are counts above 32767."""
    ceiling: float | None = None
    """From this value on a pixel is not measured."""
    squared: bool = False
    """The file holds amplitudes."""
    shifted: bool = False
    """The file has zero frequency at the corner."""
    patchy: bool = False
    """The codes mark different pixels in different frames."""

    def counts(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return (n, H, W) counts of stored frames; pixels that hold a code become 0."""
        block = native(block, self.wrapped)
        good = measured(block, self.ceiling)
        if self.squared:
            with np.errstate(over="ignore", invalid="ignore"):
                block = np.rint(np.square(block, dtype=np.float64))
        counts = block if good.all() else np.where(good, block, 0)
        same_size = counts.dtype.kind == "i" and counts.dtype.itemsize == self.dtype.itemsize
        counts = counts.view(self.dtype) if same_size else counts.astype(self.dtype, copy=False)
        return self.centred(counts)

    def valid(self, block: NDArray[Any]) -> Bools:
        """Return (n, H, W) bool of stored frames: True where no code stands."""
        return self.centred(measured(native(block, self.wrapped), self.ceiling))

    def centred(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array (..., H, W) with the middle where a Scan has it."""
        return np.fft.fftshift(array, axes=(-2, -1)) if self.shifted else array


def native(block: NDArray[Any], wrapped: bool) -> NDArray[Any]:
    """Return a block in this machine's byte order; wrapped int16 as the uint16 it was."""
    block = block.astype(block.dtype.newbyteorder("="), copy=False)
    return block.view(np.uint16) if wrapped else block


def measured(block: NDArray[Any], ceiling: float | None) -> Bools:
    """Return where a block holds counts: not negative, finite, below the largest value."""
    if block.dtype.kind == "f":
        good = (block >= 0) & (block < np.inf)
    else:  # as unsigned, negative numbers are beyond the largest positive one
        unsigned = block.view(f"u{block.dtype.itemsize}")
        good = unsigned < np.iinfo(block.dtype).max
    if ceiling is not None:
        good &= block < ceiling
    return np.asarray(good)


class Survey:
    """What is seen in some or all frames of a stack (H, W), pixel by pixel."""

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any], wrapped: bool) -> None:
        self.dtype, self.wrapped, self.frames = dtype, wrapped, 0
        self.lowest = np.full(shape, np.inf)
        self.highest = np.zeros(shape)
        self.total = np.zeros(shape)
        self.seen = np.zeros(shape, np.int64)
        self.whole, self.whole_squares, self.any_square = True, True, False
        self.codes: set[str] = set()

    def add(self, block: NDArray[Any]) -> None:
        """Look at (n, H, W) stored frames."""
        block = native(block, self.wrapped)
        good = measured(block, None)
        self._name_codes(block, good)
        counts = np.where(good, block, 0)
        if block.dtype.kind == "f":
            self._look_for_squares(counts)
        self.frames += len(block)
        self.seen += good.sum(axis=0)
        self.total += counts.sum(axis=0, dtype=np.float64)
        self.highest = np.maximum(self.highest, counts.max(axis=0))
        self.lowest = np.minimum(self.lowest, np.where(good, block, np.inf).min(axis=0))

    def _name_codes(self, block: NDArray[Any], good: Bools) -> None:
        if good.all():
            return
        bad = block[~good]
        if block.dtype.kind != "f":
            top = np.iinfo(block.dtype).max
            if (bad == top).any():
                self.codes.add(str(top))
        elif not np.isfinite(bad).all():
            self.codes.add("not a number")
        if (bad < 0).any():
            self.codes.add("negative numbers")

    def _look_for_squares(self, counts: NDArray[Any]) -> None:
        if self.whole:
            self.whole = bool((counts == np.rint(counts)).all())
        if self.whole_squares:
            squares = np.square(counts[counts > 0], dtype=np.float64)
            squares = squares[squares < 1e4]  # above, float32 cannot tell
            self.any_square |= bool(len(squares))
            near = np.abs(squares - np.rint(squares)) <= 1e-6 * squares + 1e-6
            self.whole_squares = bool(near.all())

    @property
    def amplitudes(self) -> bool:
        """Whether the numbers are square roots of whole numbers and not whole themselves."""
        return not self.whole and self.whole_squares and self.any_square

    def ceiling(self) -> float | None:
        """Return the largest value if it is a counter's full scale that some pixel always has."""
        top = float(self.highest.max())
        if self.frames < 2 or top not in CEILINGS:
            return None
        always = (self.lowest == top) & (self.seen == self.frames)
        return top if always.any() else None

    def bad(self, ceiling: float | None) -> tuple[Bools, Bools]:
        """Return where a code stands in any frame, and where in all frames: two (H, W) bool."""
        any_, all_ = self.seen < self.frames, self.seen == 0
        if ceiling is not None:
            any_ = any_ | (self.highest >= ceiling)
            all_ = all_ | ((self.lowest >= ceiling) & (self.seen == self.frames))
        return any_, all_

    def brightness(self, usable: Bools) -> tuple[float, float] | None:
        """Return mean counts per pixel in the corner and in the middle, None if not to be told."""
        height, width = usable.shape
        if min(height, width) < 8:
            return None
        middle = np.zeros(usable.shape, bool)
        half = [max(1, round(ZONE**0.5 * length / 2)) for length in usable.shape]
        middle[
            height // 2 - half[0] : height // 2 + half[0] + 1,
            width // 2 - half[1] : width // 2 + half[1] + 1,
        ] = True
        zones = [np.fft.ifftshift(middle) & usable, middle & usable]
        if not all(zone.any() for zone in zones):
            return None
        corner, centre = (float(self.total[zone].mean()) / max(1, self.frames) for zone in zones)
        return corner, centre


def began_unsigned(blocks: Iterator[NDArray[Any]], dtype: np.dtype[Any]) -> bool:
    """Whether int16 frames are uint16 ones gone over the top: many large negative numbers."""
    if dtype.kind != "i" or dtype.itemsize != 2:
        return False
    negative = large = top = 0
    for block in blocks:
        negative += int((block < 0).sum())
        large += int((block < -1024).sum())
        top = max(top, int(block.max(initial=0)))
    return top > 16384 and large > 0 and 2 * large >= negative


def plan(survey: Survey, usable: Bools, near: bool, whole_stack: bool) -> tuple[Plan, list[str]]:
    """Decide what stored frames are, and say so.

    Args:
        survey: What was seen.
        usable: (H, W) True where the file's own mask, as it is stored, calls a pixel good.
        near: Near-field frames are images: they have no zero frequency.
        whole_stack: Whether the survey saw every frame (else dtypes stay wide enough for more).

    Returns:
        The plan, and a sentence for each decision.
    """
    ceiling = survey.ceiling()
    anywhere, everywhere = survey.bad(ceiling)
    shifted, notes = _where_is_zero(survey, usable & ~anywhere, near)
    squared = survey.amplitudes
    dtype = _dtype(survey, everywhere, squared, whole_stack)
    decided = Plan(
        dtype=dtype,
        wrapped=survey.wrapped,
        ceiling=ceiling,
        squared=squared,
        shifted=shifted,
        patchy=bool(((anywhere != everywhere) & usable).any()),
    )
    if survey.wrapped:
        notes.append("Counts above 32767 were stored as negative int16; 65536 was added to them.")
    notes += _kind_notes(survey, squared)
    if np.dtype(dtype) != survey.dtype.newbyteorder("=") and not survey.wrapped and not squared:
        notes.append(f"Counts were stored as {survey.dtype}; they are kept, unchanged, as {dtype}.")
    return decided, notes + _code_notes(survey, ceiling, usable, whole_stack)


def _where_is_zero(survey: Survey, usable: Bools, near: bool) -> tuple[bool, list[str]]:
    means = None if near else survey.brightness(usable)
    if means is None:
        return False, []
    corner, centre = means
    told = f"mean counts per pixel: {corner:.3g} at the corner, {centre:.3g} in the middle"
    if corner > CLEAR * centre:
        return True, [f"Zero frequency was at the corner and was moved to the middle ({told})."]
    if centre > CLEAR * corner:
        return False, []
    return False, [f"Zero frequency is taken to be in the middle; the frames do not tell ({told})."]


def _dtype(survey: Survey, everywhere: Bools, squared: bool, whole_stack: bool) -> np.dtype[Any]:
    kind, size = survey.dtype.kind, survey.dtype.itemsize
    counts = survey.whole or squared
    if counts and whole_stack:
        top = float(survey.highest[~everywhere].max(initial=0))
        top = round(top**2) if squared else top
        if top < 2**63:
            return np.min_scalar_type(int(top))
    if kind == "f":
        return np.dtype(f"f{max(4, size)}")
    return np.dtype(f"u{size}")


def _kind_notes(survey: Survey, squared: bool) -> list[str]:
    if squared:
        return ["The file holds amplitudes (their squares are whole numbers); they were squared."]
    if survey.whole:
        return []
    return [
        "Neither the values nor their squares are whole numbers; they are taken as intensities, "
        "not amplitudes."
    ]


def _code_notes(
    survey: Survey, ceiling: float | None, usable: Bools, whole_stack: bool
) -> list[str]:
    anywhere, everywhere = (bad & usable for bad in survey.bad(ceiling))
    if not anywhere.any():
        return []
    codes = sorted(survey.codes) + ([f"{ceiling:.0f}"] if ceiling is not None else [])
    looked = "" if whole_stack else f" among the {survey.frames} frames looked at"
    if (anywhere == everywhere).all():
        rest = "" if whole_stack else " Where a code stands elsewhere, the count is read as 0."
        return [
            f"{int(everywhere.sum())} of {everywhere.size} pixels hold dead-pixel codes "
            f"({', '.join(codes)}) in all frames{looked} and were masked.{rest}"
        ]
    return [
        f"Dead-pixel codes ({', '.join(codes)}) stand at {int(anywhere.sum())} of {anywhere.size} "
        f"pixels, not the same in all frames{looked}; they were masked frame by frame."
    ]
