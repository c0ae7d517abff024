"""Look at stored frames, decide what they are, and make counts of them, now or when read."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.io.counts import NOTHING, Plan, Survey, Told, began_unsigned
from napari_ptycho.io.decide import plan
from napari_ptycho.io.frames import Frames
from napari_ptycho.model.arrays import Bools

BLOCK_BYTES = 32 * 2**20
SAMPLE_FRAMES, LEAST_FRAMES = 64, 4
SAMPLE_BYTES, SAMPLE_CHUNKS = 64 * 2**20, 2**18
"""Beyond, fewer of the frames in a file are looked at."""


@dataclass(frozen=True)
class Interpreted:
    """Counts, and how they were made."""

    patterns: Any
    """(N, H, W) counts, lazy if the frames were."""
    valid: Any
    """None where no code stands, else (H, W), or (N, H, W) if it changes with the frame."""
    plan: Plan
    notes: list[str]


@dataclass(frozen=True)
class Decided:
    """What stored frames are, by a look at them."""

    plan: Plan
    notes: list[str]
    valid: Bools | None
    """(H, W) True = measured, laid out as in a Scan; None where all is, or it changes by frame."""
    lit: bool
    """Whether there was a count in any of them."""


def interpret(
    frames: "NDArray[Any] | Frames", own: Bools | None, near: bool, told: Told = NOTHING
) -> Interpreted:
    """Make counts of stored frames.

    Args:
        frames: (N, H, W). In memory all are looked at; of those in a file, a sample.
        own: (H, W) or (N, H, W), the mask that came with the frames, laid out as they are.
        near: Near-field frames are images: zero frequency is not looked for.
        told: What need not be found from the data, and what corrects the frames.
    """
    return made_by(decide(frames, own, near, told), frames)


def decide(
    frames: "NDArray[Any] | Frames", own: Bools | None, near: bool, told: Told = NOTHING
) -> Decided:
    """Look at stored frames and decide what they are; the arguments are those of `interpret`."""
    usable: Bools = np.ones(frames.shape[1:], bool) if own is None else own
    if usable.ndim == 3:
        usable = np.logical_or.reduce(usable, axis=0)
    lazy = isinstance(frames, Frames)
    dtype = np.dtype(frames.dtype)
    survey = Survey(
        (usable.shape[0], usable.shape[1]), dtype, began_unsigned(_blocks(frames), dtype), told
    )
    for block in _blocks(frames):
        survey.add(block)
    decided, notes = plan(survey, usable, near, whole_stack=not lazy)
    if isinstance(frames, Frames) and (advice := frames.advice()):
        notes.append(advice)
    if told.corrects:
        notes.append(_corrected(frames, decided))
    anywhere, everywhere = survey.bad(decided.ceiling)
    same = anywhere.any() and not decided.patchy
    valid = decided.centred(~everywhere) if same else None
    return Decided(decided, notes, valid, bool(survey.total.any()))


def made_by(decided: Decided, frames: "NDArray[Any] | Frames") -> Interpreted:
    """Make counts of stored frames by what was decided, maybe from others of the same scan."""
    lazy, marked = isinstance(frames, Frames), decided.valid
    if isinstance(frames, Frames):
        patterns, by_frame = _lazily(frames, decided.plan)
    else:
        patterns, by_frame = _at_once(frames, decided.plan)
    if decided.plan.patchy:
        marked = by_frame
    if decided.plan.told.corrects and not lazy:
        marked = _together(by_frame)
    return Interpreted(patterns, marked, decided.plan, list(decided.notes))


def _corrected(frames: "NDArray[Any] | Frames", decided: Plan) -> str:
    """Return a sentence on the dark frame and the flat field."""
    negative = n = 0
    for block in _blocks(frames):
        negative, n = negative + int(decided.negative(block).sum()), n + block.size
    told = decided.told
    steps = ["The dark frame was subtracted"] if told.dark is not None else []
    if told.flat is not None:
        steps.append("the frames were divided by the flat field")
    done = " and ".join(steps)
    some = " of a sample" if isinstance(frames, Frames) else ""
    return (
        f"{done[0].upper()}{done[1:]}; {negative / max(1, n):.2%} of the pixels{some} became "
        "negative and were masked frame by frame."
    )


def _together(marked: Bools) -> Bools | None:
    """Return None where all is measured, (H, W) where all frames agree, else (N, H, W)."""
    if marked.all():
        return None
    first: Bools = marked[0]
    return first if (marked == first).all() else marked


def _blocks(frames: "NDArray[Any] | Frames") -> Iterator[NDArray[Any]]:
    """Yield all frames in memory, or a sample of those in a file: runs from all over the scan.

    The first frames come last: they are then at hand when they are shown.
    """
    n = frames.shape[0]
    if not isinstance(frames, Frames):
        step = max(1, BLOCK_BYTES // max(1, frames[0].nbytes))
        yield from (frames[first : first + step] for first in range(0, n, step))
        return
    wanted = _sampled(frames)
    together = min(frames.chunks[0] if frames.chunks else 1, wanted)
    starts = np.linspace(0, max(0, n - together), max(2, wanted // together))
    for first in np.unique(starts.astype(int) // together * together)[::-1]:
        yield frames[first : first + together]


def _sampled(frames: Frames) -> int:
    """Return how many frames are looked at: fewer if they are large, or cut into many chunks."""
    height, width = frames.shape[1:]
    fit = SAMPLE_BYTES // max(1, height * width * frames.dtype.itemsize)
    if frames.chunks:
        pieces = math.ceil(height / frames.chunks[1]) * math.ceil(width / frames.chunks[2])
        fit = min(fit, SAMPLE_CHUNKS // pieces)
    return min(SAMPLE_FRAMES, max(LEAST_FRAMES, fit))


def _at_once(frames: NDArray[Any], decided: Plan) -> tuple[NDArray[Any], Bools | None]:
    patterns = np.empty(frames.shape, decided.dtype)
    marked = np.empty(frames.shape, bool) if decided.patchy else None
    first = 0
    for block in _blocks(frames):
        part = slice(first, first + len(block))
        patterns[part] = decided.counts(block)
        if marked is not None:
            marked[part] = decided.valid(block)
        first += len(block)
    return patterns, marked


def _lazily(frames: Frames, decided: Plan) -> tuple[Any, Any]:
    patterns = frames.lazy(decided.counts, decided.dtype)
    return patterns, frames.lazy(decided.valid, np.dtype(bool)) if decided.patchy else None
