"""What is to be seen of the patterns: a mean, the newest, the counts; every frame is read once."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.live.reading import read_frames
from napari_ptycho.live.watched import Shown
from napari_ptycho.model import Scan
from napari_ptycho.networks.inputs import counts_of

PART_BYTES, PART = 2**24, 128
"""Counts, and frames, that are taken at once: a turn stays short."""


def first_frames(scan: Scan, count: int) -> Scan:
    """Return the first frames of a scan, lazy as it is."""
    return scan if count == len(scan) else _cut(scan, slice(0, count), scan.patterns[:count])


def part_of(scan: Scan, first: int) -> Scan:
    """Return the next frames from `first` on, read into memory, as many as a turn takes."""
    frame_bytes = int(np.prod(scan.frame_shape)) * np.dtype(scan.patterns.dtype).itemsize
    most = min(PART, max(1, PART_BYTES // frame_bytes))
    frames = slice(first, min(len(scan), first + most))
    return _cut(scan, frames, read_frames(scan.patterns, frames))


def piece_of(part: Scan, frames: slice) -> Scan:
    """Return some of the frames of a part."""
    return _cut(part, frames, part.patterns[frames])


def _cut(scan: Scan, frames: slice, patterns: Any) -> Scan:
    def cut(values: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if values is None else values[frames]

    return replace(
        scan,
        patterns=patterns,
        positions_m=cut(scan.positions_m),
        positions_px=cut(scan.positions_px),
        valid=scan.valid_of(frames),
        exposure=cut(scan.exposure),
    )


def joined(parts: Sequence[Scan]) -> Scan:
    """Return frames that follow each other as one scan in memory."""
    if len(parts) == 1:
        return parts[0]

    def together(name: str) -> NDArray[Any] | None:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else np.concatenate(values)

    first = parts[0]
    per_frame = first.valid is not None and first.valid.ndim == 3
    return replace(
        first,
        patterns=together("patterns"),
        positions_m=together("positions_m"),
        positions_px=together("positions_px"),
        exposure=together("exposure"),
        valid=together("valid") if per_frame else first.valid,
    )


class Patterns:
    """Sums over the frames so far."""

    def __init__(self, newest: int) -> None:
        """Begin with nothing; keep so many of the newest frames at hand."""
        self._most = newest
        self._sum = np.zeros(0)
        self._counts: list[NDArray[np.float64]] = []
        self._newest: NDArray[Any] = np.zeros(0)
        self._brightest = 0.0
        self.count = 0

    @property
    def lit(self) -> bool:
        """Whether there was light in a valid pixel."""
        return self._brightest > 0

    def add(self, part: Scan) -> None:
        """Take frames in."""
        lit = counts_of(part, slice(None), part.patterns)
        total = lit.sum(axis=0, dtype=np.float64)
        self._sum = total if self.count == 0 else self._sum + total
        self._counts.append(lit.sum(axis=(1, 2), dtype=np.float64))
        self._brightest = max(self._brightest, float(lit.max()))
        recent = part.patterns[-self._most :]
        if self.count and len(recent) < self._most:
            recent = np.concatenate([self._newest[len(recent) - self._most :], recent])
        self._newest = recent
        self.count += len(part)

    def shown(self, scan: Scan) -> Shown:
        """Return what is to be seen; `scan` holds all frames so far, and perhaps some more."""
        self._counts = [np.concatenate(self._counts)]
        return Shown(
            scan=first_frames(scan, self.count),
            mean=(self._sum / self.count).astype(np.float32),
            counts=self._counts[0],
            brightest=self._brightest,
            newest=self._newest.copy(),
        )
