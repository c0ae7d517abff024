"""Two halves of a scan whose noise is independent: thinned photons, or every other position.

A count that is Poisson of mean m, with each of its photons tossed to one half or the other, gives
two counts that are Poisson of means f m and (1 - f) m and independent of each other. What is
reconstructed from one half has therefore seen nothing of the noise of the other: the two stop a
denoiser, and tell the resolution without a bias. Counts that are no photons (a gain, a flat field,
a square root) are not Poisson, and thinning them would give correlated halves: they are refused.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Ints
from napari_ptycho.prepare.lazy import promised, read, runs
from napari_ptycho.prepare.raster import find_raster

NAMES = ("half A", "half B")
LOOKED_AT = 16  # frames that tell whether counts may be photons
LIT = 16  # pixels with counts from which on a common divisor is no accident
SMALL, MANY = 256, 1000  # counts below SMALL are looked at for gaps; pixels that make a gap one
OFFER = "split it by positions instead"


def thin(scan: Scan, fraction: float = 0.5, seed: int = 0) -> tuple[Scan, Scan]:
    """Split the photons of a scan into two independent Poisson scans.

    Every photon goes to the first half with the probability `fraction`, else to the second: the
    counts of the halves are n1 ~ Bin(n, fraction) and n - n1, in the dtype of n. The photons of a
    frame are drawn by a generator of its own, keyed by the seed and the number of the frame, so
    that it does not matter how and in which order a lazy scan is read.

    Args:
        scan: N patterns of photon counts: whole numbers, in any dtype. A lazy scan gives lazy ones.
        fraction: Mean share of the photons in the first half, between 0 and 1.
        seed: Of the draw, 0 .. 2**64 - 1.

    Returns:
        The two scans. A probe of the scan, whose power is the photons of a frame, is scaled to
        theirs; everything else is kept. Saturated pixels are thinned like all others: mask them
        before.

    Raises:
        OptionsError: `fraction` or `seed` is out of its range.
        ScanError: The patterns hold no photon counts: fractions, amplitudes, or counts with the
            multiples or gaps of a gain. A lazy scan is judged from some frames now, and each frame
            when it is read.
    """
    if not 0 < fraction < 1:
        raise OptionsError(f"fraction is {fraction!r}; it must lie between 0 and 1")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise OptionsError(f"seed is {seed!r}; it must be a whole number from 0 to 2^64 - 1")
    _refuse_other_than_photons(scan)
    first, second = (_Thinned(scan, fraction, seed, kept) for kept in (True, False))
    counts = _promised(first), _promised(second)
    if not scan.is_lazy:
        one = first[:]
        counts = one, (scan.patterns - one).astype(scan.patterns.dtype, copy=False)
    shares = fraction, 1 - fraction
    came = scan.sources.get("patterns", "unknown")
    done = f"thinned by {fraction:g} (seed {seed})"
    halves = [
        replace(
            scan,
            patterns=patterns,
            probe=None if scan.probe is None else scan.probe * np.float32(math.sqrt(share)),
            name=f"{scan.name} · {name}",
            sources={**scan.sources, "patterns": f"{name}, {done} from {came}"},
            notes=(
                *scan.notes,
                f"The photons were split at random (seed {seed}); this is {name} with a share of "
                f"{share:g} of them.",
            ),
        )
        for patterns, share, name in zip(counts, shares, NAMES, strict=True)
    ]
    return halves[0], halves[1]


def alternate(scan: Scan) -> tuple[Scan, Scan]:
    """Split a scan into odd and even positions: for counts that are no photons.

    Args:
        scan: At least two frames. A lazy scan gives lazy ones.

    Returns:
        The two scans. Those of a raster are the black and the white fields of a checkerboard, so
        that both cover the area evenly; of any other scan, every second frame along the path.

    Raises:
        ScanError: There is only one frame.
    """
    odd = parity(scan)
    kind = "the path" if find_raster(scan) is None else "a checkerboard over lines and columns"
    halves = [
        replace(
            take(scan, np.flatnonzero(odd == half)),
            name=f"{scan.name} · {name}",
            notes=(
                *scan.notes,
                f"Of {len(scan)} patterns, {int((odd == half).sum())} were kept as {name}: every "
                f"other one along {kind}.",
            ),
        )
        for half, name in enumerate(NAMES)
    ]
    return halves[0], halves[1]


def parity(scan: Scan) -> Ints:
    """Tell the halves of odd and even positions apart: (N,), 0 for half A and 1 for half B.

    Raises:
        ScanError: There is only one frame.
    """
    if len(scan) < 2:
        raise ScanError(f"{scan.name}: 1 pattern; two halves need at least 2")
    along = np.arange(len(scan)) % 2
    raster = find_raster(scan)
    if raster is None:
        return along
    board = (raster.line + raster.index) % 2
    return board if 0 < board.sum() < len(board) else along


def take(scan: Scan, frames: Ints) -> Scan:
    """Return a scan of only some frames, ascending; lazy ones stay lazy."""

    def some(values: Any) -> Any:
        return None if values is None else values[frames]

    assert scan.valid is not None  # set on construction
    came = scan.sources.get("patterns", "unknown")
    return replace(
        scan,
        patterns=scan.patterns[frames],
        positions_m=some(scan.positions_m),
        positions_px=some(scan.positions_px),
        valid=scan.valid if scan.valid.ndim == 2 else scan.valid[frames],
        exposure=some(scan.exposure),
        sources={**scan.sources, "patterns": f"{len(frames)} of {len(scan)} frames from {came}"},
    )


@dataclass(frozen=True, eq=False)
class _Thinned:
    """(N, H, W) counts of one half, drawn where they are indexed."""

    scan: Scan
    fraction: float
    seed: int
    first: bool
    """Whether this is the half of `fraction`; the other one is what it leaves."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, H, W)."""
        return len(self.scan), *self.scan.frame_shape

    @property
    def ndim(self) -> int:
        """3."""
        return 3

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the scan's counts."""
        return np.dtype(self.scan.patterns.dtype)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        wanted = np.arange(len(self.scan))[first]
        frames, places = np.unique(wanted, return_inverse=True)
        block = np.empty((len(frames), *self.shape[1:]), self.dtype)
        source, at = self.scan.patterns, 0
        for run in runs(frames, source.chunks[0][0] if self.scan.is_lazy else len(source)):
            part = source[int(run[0]) : int(run[-1]) + 1]
            part = read(part) if self.scan.is_lazy else part
            for number in run.tolist():
                block[at] = self._half(number, part[number - int(run[0])])
                at += 1
        if len(frames) < wanted.size or not np.array_equal(wanted.ravel(), frames):
            block = block[places]
        block = block.reshape(*wanted.shape, *self.shape[1:])
        return np.asarray(block[(..., *rest)] if wanted.ndim == 0 else block[(slice(None), *rest)])

    def _half(self, number: int, frame: NDArray[Any]) -> NDArray[Any]:
        """Return the counts of one frame (H, W) that this half gets."""
        lit = _photons(self.scan, number, frame)
        random = np.random.Generator(np.random.Philox(key=np.array([self.seed, number], np.uint64)))
        one = np.zeros_like(frame)
        one[lit] = random.binomial(frame[lit].astype(np.int64), self.fraction)
        return one if self.first else frame - one


def _promised(half: _Thinned) -> Any:
    if not half.scan.is_lazy:
        return None
    return promised(half, half.scan.patterns.chunks[0], "thinned")


def _photons(scan: Scan, number: int, frame: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels (H, W) of a frame that hold photons: whole numbers above 0.

    Raises:
        ScanError: A valid pixel holds something else than a whole number.
    """
    dtype = frame.dtype
    most = 2**63 - 1 if dtype.kind != "f" else 2 ** (np.finfo(dtype).nmant + 1)
    whole = frame <= (most if dtype.kind == "f" else min(most, np.iinfo(dtype).max))
    if dtype.kind == "f":
        whole &= frame == np.rint(frame)
    lit = whole & (frame > 0)
    odd = ~lit & (frame != 0)
    if odd.any():
        odd &= _valid(scan, number)
        if odd.any():
            raise ScanError(
                f"{scan.name}: pattern {number} has a count of {frame[odd][0]:g}; halves of "
                f"photons need whole numbers from 0 to {most:g}, or {OFFER}"
            )
    return np.asarray(lit)


def _valid(scan: Scan, number: int) -> NDArray[np.bool_]:
    good = scan.valid_of(slice(number, number + 1))
    return good if good.ndim == 2 else good[0]


def _refuse_other_than_photons(scan: Scan) -> None:
    """Look at some frames.

    Raises:
        ScanError: Their counts are no photons.
    """
    divisor, lit, small = 0, 0, np.zeros(SMALL, np.int64)
    for number in np.unique(np.linspace(0, len(scan) - 1, LOOKED_AT).round().astype(int)).tolist():
        frame = np.asarray(scan.patterns[number])
        _refuse_amplitudes(scan, frame[_valid(scan, number)])
        counts = frame[_photons(scan, number, frame) & _valid(scan, number)].astype(np.int64)
        lit += len(counts)
        if divisor != 1 and len(counts):
            divisor = math.gcd(divisor, int(np.gcd.reduce(counts)))
        small += np.bincount(counts[counts < SMALL], minlength=SMALL)
    if divisor > 1 and lit >= LIT:
        raise ScanError(
            f"{scan.name}: all counts are multiples of {divisor}, as of a detector whose gain is "
            f"{divisor} per photon; halves of photons need single ones: divide the counts by "
            f"{divisor}, or {OFFER}"
        )
    # Of Poisson counts, whatever their means, so many k + 1 never come without any k.
    gap = np.flatnonzero((small[1:-1] == 0) & (small[2:] >= MANY)) + 1
    if len(gap):
        raise ScanError(
            f"{scan.name}: {small[gap[0] + 1]} pixels hold {gap[0] + 1} counts and none holds "
            f"{gap[0]}, as after a gain or rounding; halves of photons need Poisson counts: {OFFER}"
        )


def _refuse_amplitudes(scan: Scan, values: NDArray[Any]) -> None:
    if values.dtype.kind != "f" or not len(values):
        return
    squares = np.square(values[values < 100], dtype=np.float64)  # above, float32 cannot tell
    near = np.abs(squares - np.rint(squares)) <= 1e-6 * squares + 1e-6
    if near.all() and not (values == np.rint(values)).all():
        raise ScanError(
            f"{scan.name}: the patterns look like amplitudes (their squares are whole numbers); "
            f"halves of photons need counts: square them, or {OFFER}"
        )
