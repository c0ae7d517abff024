"""The loop that drives every engine: epochs, what happens between them, and what can go wrong."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import torch

from napari_ptycho.engines.frames import Frames, Ids
from napari_ptycho.engines.guard import Guard
from napari_ptycho.engines.method import Method
from napari_ptycho.engines.options import DipOptions, DmOptions, EngineOptions
from napari_ptycho.engines.regularise import Denoiser, Hook, nothing
from napari_ptycho.engines.share import ALONE, Share
from napari_ptycho.engines.state import LiveState, Tree
from napari_ptycho.engines.table import method_of
from napari_ptycho.engines.tidy import tidy_object_, tidy_probe_
from napari_ptycho.engines.work import Work
from napari_ptycho.errors import JobError
from napari_ptycho.physics.propagate import Propagator
from napari_ptycho.torch_state import load_random

ANNEALED = 0.1  # the steps at the end of the run, as a share of the first
MOVED_PX = 0.5  # positions that move more than this break the momentum


class Loop:
    """One engine at work on a scan: passes over all positions, and all it needs to go on later."""

    def __init__(
        self,
        frames: Frames,
        state: LiveState,
        beam: Propagator,
        options: EngineOptions,
        share: Share = ALONE,
        hook: Hook = nothing,
    ) -> None:
        self.state, self.options, self.hook = state, options, hook
        self.first = len(state.history["error"])
        self.random = torch.Generator().manual_seed(options.seed + self.first)
        self.drawn = self.random.get_state()  # as the epoch began
        self.work = Work(frames, state, beam, options, share)
        self.denoiser = Denoiser(self.work)
        self.method = method_of(self.work)
        self.guard = Guard(state, self.method, _patient(options))
        self.epoch, self.step = 0, 0
        self.whole = False
        """Whether a run could go on from the state that was yielded last."""

    def epochs(self) -> Iterator[LiveState]:
        """Go over all positions, again and again; yield after every batch, call `hook` between."""
        while self.epoch < self.options.epochs:
            if not self.step:
                self._begin()
            yield from self._batches()
            yield from self._end()

    def _begin(self) -> None:
        epoch = self.epoch
        if self.denoiser.joins(epoch):
            self.method.joined()
        self.guard.begin_epoch()
        self.work.begin_epoch(epoch)
        factor = self.guard.factor * annealing(epoch, self.options)
        self.method.begin_epoch(factor, self.first + epoch >= self.options.probe_start)
        self.drawn = self.random.get_state()

    def _batches(self) -> Iterator[LiveState]:
        steps, state = self.work.steps, self.state
        left = islice(self.method.batches(self.random), self.step, None)
        with closing(self.work.frames.ahead(left)) as batches:
            for ids in batches:
                _step(self.method, ids)
                self.step += 1
                state.done = min(self.epoch + self.step / steps, self.epoch + 1)
                if self.step < steps:
                    yield from self._whole()

    def _end(self) -> Iterator[LiveState]:
        method, work, state = self.method, self.work, self.state
        left = 1 - (self.epoch + 1) / self.options.epochs
        for _ in method.pieces(left):
            yield state
        method.end_epoch(left)
        work.look()
        work.end_epoch(self.epoch)
        state.history["error"].append(work.error)
        if self.guard.accepts(work.error, self.first + self.epoch + 1):
            for _ in self.denoiser.pieces(self.epoch + 1):
                yield state
            self.hook(state)
            _between(method, left, self.guard.factor)
        state.done = self.epoch + 1.0
        self.epoch, self.step = self.epoch + 1, 0
        yield from self._whole()

    def _whole(self) -> Iterator[LiveState]:
        self.whole = True
        yield self.state
        self.whole = False

    def saved(self) -> dict[str, Any]:
        """Return all that changes while it works, at a state that is `whole`."""
        midway = self.step > 0
        return {
            "epoch": self.epoch,
            "step": self.step,
            "random": self.drawn if midway else self.random.get_state(),
            "state": self.state.saved(),
            "work": self.work.saved(),
            "denoiser": self.denoiser.saved(),
            "method": self.method.saved(midway),
            "guard": self.guard.saved(midway),
        }

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned, on the same start."""
        self.epoch, self.step = tree["epoch"], tree["step"]
        load_random(self.random, tree["random"])
        self.drawn = self.random.get_state()
        self.state.restore(tree["state"])
        self.denoiser.restore(tree["denoiser"])
        self.work.restore(tree["work"])
        self.method.restore(tree["method"])
        self.guard.restore(tree["guard"])


def epochs(
    frames: Frames, state: LiveState, beam: Propagator, options: EngineOptions
) -> Iterator[LiveState]:
    """Go over all positions, again and again; yield after every batch."""
    yield from Loop(frames, state, beam, options).epochs()


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
