"""The loop that drives every engine: epochs, what happens between them, and what can go wrong."""

from collections.abc import Iterator

import torch

from napari_ptycho.engines.frames import Frames, Ids
from napari_ptycho.engines.guard import Guard
from napari_ptycho.engines.method import Method
from napari_ptycho.engines.options import DipOptions, DmOptions, EngineOptions
from napari_ptycho.engines.regularise import Denoiser, Hook, nothing
from napari_ptycho.engines.share import ALONE, Share
from napari_ptycho.engines.state import LiveState
from napari_ptycho.engines.table import method_of
from napari_ptycho.engines.tidy import tidy_object_, tidy_probe_
from napari_ptycho.engines.work import Work
from napari_ptycho.errors import JobError
from napari_ptycho.physics.propagate import Propagator

ANNEALED = 0.1  # the steps at the end of the run, as a share of the first
MOVED_PX = 0.5  # positions that move more than this break the momentum


def epochs(
    frames: Frames,
    state: LiveState,
    beam: Propagator,
    options: EngineOptions,
    share: Share = ALONE,
    hook: Hook = nothing,
) -> Iterator[LiveState]:
    """Go over all positions, again and again; yield after every batch, call `hook` between."""
    first = len(state.history["error"])
    random = torch.Generator().manual_seed(options.seed + first)
    work = Work(frames, state, beam, options, share)
    denoiser = Denoiser(work)
    method = method_of(work)
    guard = Guard(state, method, _patient(options))
    for epoch in range(options.epochs):
        if denoiser.joins(epoch):
            method.joined()
        guard.begin_epoch()
        work.begin_epoch(epoch)
        factor = guard.factor * annealing(epoch, options)
        method.begin_epoch(factor, first + epoch >= options.probe_start)
        steps = work.steps
        for step, ids in enumerate(method.batches(random)):
            _step(method, ids)
            state.done = min(epoch + (step + 1) / steps, epoch + 1)
            if step + 1 < steps:
                yield state
        left = 1 - (epoch + 1) / options.epochs
        for _ in method.pieces(left):
            yield state
        method.end_epoch(left)
        work.look()
        work.end_epoch(epoch)
        state.history["error"].append(work.error)
        if guard.accepts(work.error, first + epoch + 1):
            for _ in denoiser.pieces(epoch + 1):
                yield state
            hook(state)
            _between(method, left, guard.factor)
        state.done = epoch + 1.0
        yield state


def _patient(options: EngineOptions) -> bool:
    """Whether the error rises and falls by nature: only a broken state counts as divergence."""
    restless = isinstance(options, DmOptions | DipOptions)
    return restless or options.positions == "annealing" or options.denoiser != "none"


def _step(method: Method, ids: Ids) -> None:
    """Take one step; where the device's memory does not suffice, several smaller ones.

    Raises:
        JobError: Not even one frame fits.
    """
    at = 0
    while at < len(ids):
        part = ids[at : at + method.work.size]
        try:
            method.step(part)
        except torch.OutOfMemoryError as error:
            _halve(method, error)
        else:
            at += len(part)


def _halve(method: Method, error: Exception) -> None:
    """Work with batches half as large from now on."""
    work = method.work
    if work.share.size > 1:
        raise JobError("a GPU ran out of memory; choose a smaller batch") from error
    if work.size == 1:
        raise JobError(
            "the device has not enough memory for a single frame; use the CPU"
        ) from error
    work.shrink(work.size // 2)
    method.shrink()
    work.state.notes.append(f"out of memory: {work.size} positions at once from now on")


def _between(method: Method, left: float, share: float) -> None:
    """Apply what is known of positions, probe and object; fix the scale."""
    work = method.work
    state, options = work.state, work.options
    moved = work.positions.end_epoch(work.frames, work.beam, left, share)
    tidy_object_(state, options)
    jumped = tidy_probe_(state, options)
    if jumped or moved > MOVED_PX:
        method.restart()
    method.scaled(state.fix_scale())
    unitary = work.light.orthogonalise()
    if unitary is not None:
        method.turned(unitary)


def annealing(epoch: int, options: EngineOptions) -> float:
    """Return the factor on the steps: 1, then falling geometrically over the last part."""
    falling = round(options.epochs * getattr(options, "anneal", 0.0))
    late = epoch + 1 - (options.epochs - falling)
    return 1.0 if late <= 0 else ANNEALED ** (late / falling)
