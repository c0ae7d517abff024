"""What the numbers in a stack of frames mean, found by looking at them.

Detectors and programs write counts as intensity or as its square root, with zero frequency in the
middle or at the corner, and mark dead pixels with codes among the counts. `Survey` looks, `plan`
(in `decide`) decides, `Plan` undoes, each of them for a part of the frames at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.model.arrays import Bools

ZONE = 0.05  # share of a frame's area that counts as "the middle" or "the corner"
CEILINGS = {4095, 16383, 65535, 2**24 - 1, 2**32 - 1, 2**32}
"""Largest values of 12 to 32 bit counters; the last is what float32 makes of 2**32 - 1."""


@dataclass(frozen=True, eq=False)
class Told:
    """What a person or a format says about stored frames; the rest is found from the data."""

    values: str = "auto"
    """auto, intensity or amplitude."""
    zero_frequency: str = "auto"
    """auto, middle or corner."""
    bad_values: tuple[float, ...] = ()
    """Values that mark pixels as not measured."""
    dark: NDArray[Any] | None = None
    """(H, W) to be subtracted from the intensities, laid out as the frames are."""
    flat: NDArray[Any] | None = None
    """(H, W) to be divided by, positive where it says something."""

    @property
    def corrects(self) -> bool:
        """Whether there is a dark frame or a flat field."""
        return self.dark is not None or self.flat is not None

    def corrected(self, intensities: NDArray[Any]) -> NDArray[Any]:
        """Return (..., H, W) float64 without the dark frame, divided by the flat field."""
        made = np.asarray(intensities, np.float64)
        if self.dark is not None:
            made = made - self.dark
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return made if self.flat is None else made / self.flat


NOTHING = Told()


@dataclass(frozen=True, eq=False)
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
    whole: bool = True
    """The counts are whole numbers, as squares of amplitudes are but for rounding."""
    told: Told = NOTHING

    def counts(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return (n, H, W) counts of stored frames; pixels that are not measured become 0."""
        block, good = self._made(block)
        counts = block if good.all() else np.where(good, block, 0)
        same_size = counts.dtype.kind == "i" and counts.dtype.itemsize == self.dtype.itemsize
        counts = counts.view(self.dtype) if same_size else counts.astype(self.dtype, copy=False)
        return self.centred(counts)

    def valid(self, block: NDArray[Any]) -> Bools:
        """Return (n, H, W) bool of stored frames: True where a pixel is measured."""
        return self.centred(self._made(block)[1])

    def negative(self, block: NDArray[Any]) -> Bools:
        """Return (n, H, W) bool of stored frames: True where the dark frame was more."""
        coded = measured(native(block, self.wrapped), self.ceiling, self.told.bad_values)
        return coded & (self.told.corrected(self._intensities(block)) < 0)

    def _made(self, block: NDArray[Any]) -> tuple[NDArray[Any], Bools]:
        """Return intensities of stored frames, and where they are measured."""
        good = measured(native(block, self.wrapped), self.ceiling, self.told.bad_values)
        made = self._intensities(block)
        if not self.told.corrects:
            return made, good
        with np.errstate(over="ignore", invalid="ignore"):
            made = self.told.corrected(made).astype(self.dtype)
        return made, good & (made >= 0) & (made < np.inf)

    def _intensities(self, block: NDArray[Any]) -> NDArray[Any]:
        block = native(block, self.wrapped)
        if not self.squared:
            return block
        with np.errstate(over="ignore", invalid="ignore"):
            block = np.square(block, dtype=np.float64)
        return np.rint(block) if self.whole else block

    def centred(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array (..., H, W) with the middle where a Scan has it."""
        return np.fft.fftshift(array, axes=(-2, -1)) if self.shifted else array


def native(block: NDArray[Any], wrapped: bool) -> NDArray[Any]:
    """Return a block in this machine's byte order; wrapped int16 as the uint16 it was."""
    block = block.astype(block.dtype.newbyteorder("="), copy=False)
    return block.view(np.uint16) if wrapped else block


def measured(block: NDArray[Any], ceiling: float | None, codes: Sequence[float] = ()) -> Bools:
    """Return where a block holds counts: not negative, finite, no code, below the largest value."""
    if block.dtype.kind == "f":
        good = (block >= 0) & (block < np.inf)
    else:  # as unsigned, negative numbers are beyond the largest positive one
        unsigned = block.view(f"u{block.dtype.itemsize}")
        good = unsigned < np.iinfo(block.dtype).max
    if ceiling is not None:
        good &= block < ceiling
    for code in codes:
        good &= block != code
    return np.asarray(good)


class Survey:
    """What is seen in some or all frames of a stack (H, W), pixel by pixel."""

    def __init__(
        self, shape: tuple[int, int], dtype: np.dtype[Any], wrapped: bool, told: Told = NOTHING
    ) -> None:
        self.dtype, self.wrapped, self.told, self.frames = dtype, wrapped, told, 0
        self.lowest = np.full(shape, np.inf)
        self.highest = np.zeros(shape)
        self.total = np.zeros(shape)
        self.seen = np.zeros(shape, np.int64)
        self.whole, self.whole_squares, self.any_square = True, True, False
        self.codes: set[str] = set()

    def add(self, block: NDArray[Any]) -> None:
        """Look at (n, H, W) stored frames."""
        block = native(block, self.wrapped)
        good = measured(block, None, self.told.bad_values)
        self._name_codes(block, good)
        whole = bool(good.all())
        counts = block if whole else np.where(good, block, 0)
        if block.dtype.kind == "f":
            self._look_for_squares(counts)
        self.frames += len(block)
        self.seen += len(block) if whole else good.sum(axis=0)
        self.total += counts.sum(axis=0, dtype=np.float64)
        self.highest = np.maximum(self.highest, counts.max(axis=0))
        measured_only = block if whole else np.where(good, block, np.inf)
        self.lowest = np.minimum(self.lowest, measured_only.min(axis=0))

    def _name_codes(self, block: NDArray[Any], good: Bools) -> None:
        if good.all():
            return
        bad = block[~good]
        self.codes.update(f"{code:.12g}" for code in self.told.bad_values if (bad == code).any())
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
            whole = np.rint(squares)  # a square below 1/2 is not the root of a count, but small
            near = (whole >= 1) & (np.abs(squares - whole) <= 1e-6 * squares + 1e-6)
            self.whole_squares = bool(near.all())

    @property
    def amplitudes(self) -> bool:
        """Whether the numbers are square roots of whole numbers and not whole themselves."""
        return not self.whole and self.whole_squares and self.any_square

    @property
    def squared(self) -> bool:
        """Whether the frames are amplitudes, as told or else as found."""
        return self.amplitudes if self.told.values == "auto" else self.told.values == "amplitude"

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
        mean = self.total / np.maximum(1, self.seen)
        if self.told.corrects and not self.squared:
            mean = np.nan_to_num(self.told.corrected(mean), nan=0, posinf=0, neginf=0)
        corner, centre = (float(mean[zone].mean()) for zone in zones)
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
