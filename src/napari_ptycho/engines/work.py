"""What one engine works with, and the steps that all engines share."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_ptycho.engines.frames import Frames, Ids, roomy
from napari_ptycho.engines.illumination import Illumination
from napari_ptycho.engines.options import EngineOptions
from napari_ptycho.engines.positions import Positions
from napari_ptycho.engines.share import ALONE, Share
from napari_ptycho.engines.state import LiveState, Tree
from napari_ptycho.physics.propagate import (
    TINY,
    Propagator,
    abs2,
    modulus_change_,
    poisson_change_,
    unlikelihood,
)
from napari_ptycho.physics.windows import cut, exit_waves
from napari_ptycho.torch_state import tensor_of

LATE = 5  # epochs before background and variations are estimated: the sample comes first
BACKGROUND_LEVEL = 0.1  # quantile of the mean pattern that it begins with everywhere: where the
# beam is bright a background cannot be told from it, and stays as it begins


@dataclass
class Batch:
    """Some frames on their way through the model."""

    ids: Ids
    probe: Tensor
    """(1 or B, M, h, w) the probe over each."""
    waves: Tensor
    """(B, M, h, w) exit waves."""
    change: Tensor
    """(B, M, h, w) what the counts ask the exit waves to change by."""


@dataclass
class Work:
    """One engine's data, state and buffers."""

    frames: Frames
    state: LiveState
    beam: Propagator
    options: Any
    share: Share = ALONE
    light: Illumination = field(init=False)
    positions: Positions = field(init=False)

    def __post_init__(self) -> None:
        options: EngineOptions = self.options
        self.light = Illumination(self.state, options, self.share)
        self.positions = Positions(self.state, self.light, options, self.share)
        self.held, self.used = self.frames.ids[:0], np.ones(len(self.frames.totals), bool)
        self._set_order(self.frames.ids)
        h, w = self.state.probe.shape[1:]
        where = self.frames.device
        self.shape = (int(h), int(w))
        self.size = 0
        self._make_room()
        self.power = torch.zeros((h, w), device=where)
        poisson = getattr(options, "likelihood", "amplitude") == "poisson"
        self.replace_ = poisson_change_ if poisson else modulus_change_
        self.misfits = torch.zeros(len(self.state.misfits), device=where)
        self.seen = torch.zeros((2, h, w), device=where)
        self.first = len(self.state.history["error"])
        self.going_on = self.first > LATE

    def _set_order(self, order: Ids) -> None:
        """Set the own frames that the engine goes by, in the order of engines that keep waves."""
        self.order = order
        self.slot = np.zeros(len(self.used), np.int64)
        self.slot[order] = np.arange(len(order))
        self.count = int(self.used.sum())

    def _make_room(self) -> None:
        """Get a buffer for the largest batch."""
        size = len(self.in_order()[0])
        if size > self.size:
            self.size = size
            shape = (size, self.light.waves, *self.shape)
            self.waves = roomy(shape, torch.complex64, self.frames.device)

    def hold_out(self, held: Ids) -> None:
        """Keep some frames of the scan from object and probe; each process knows all of them."""
        self.used[held] = False
        self.positions.apart = held
        own = self.frames.ids
        self.held = own[~self.used[own]]
        self._set_order(own[self.used[own]])
        self._make_room()

    def join(self) -> None:
        """Go by all frames from now on; those that were held out are the last in order."""
        self.used[:] = True
        self.positions.apart = self.held[:0]
        self._set_order(np.concatenate([self.order, self.held]))
        self.held = self.held[:0]
        self._make_room()

    def shrink(self, size: int) -> None:
        """Make batches smaller, and the buffers with them."""
        self.options = replace(self.options, batch=size)
        self.size = size
        self.waves = self.waves[:size].clone()

    def saved(self) -> dict[str, Any]:
        """Return what it remembers, and what an epoch under way has said."""
        return {
            "batch": self.options.batch,
            "misfits": self.misfits,
            "seen": self.seen,
            "light": self.light.saved(),
            "positions": self.positions.saved(),
        }

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned."""
        if tree["batch"] != self.options.batch:
            self.shrink(tree["batch"])
        self.misfits.copy_(tensor_of(tree["misfits"]))
        self.seen.copy_(tensor_of(tree["seen"]))
        self.light.restore(tree["light"])
        self.positions.restore(tree["positions"])

    def forward(self, ids: Ids) -> Batch:
        """Compute exit waves of some frames, and what the counts ask them to change by."""
        probe, exits = self.exits(ids)
        wave = self.compare_(self.beam.to_detector(exits), ids)
        return Batch(ids, probe, exits, self.beam.to_sample(wave))

    def exits(self, ids: Ids) -> tuple[Tensor, Tensor]:
        """Return the probe over frames, and exit waves that the next call overwrites."""
        probe = self.light.probe(ids)
        out, corners = self.waves[: len(ids)], self.state.corners[ids]
        return probe, exit_waves(self.state.object, probe, corners, out, self.power)

    def look(self) -> None:
        """Note the misfits of frames that are held out, and where they themselves should lie."""
        for ids in self._parts(self.held):
            probe, exits = self.exits(ids)
            wave = self._replaced(self.beam.to_detector(exits), ids, self.frames.pick(ids))
            if self.positions.slopes and not self.options.positions_affine:
                self.positions.watch(ids, self.beam.to_sample(wave), probe)

    def unlikelihood(self) -> float:
        """Return how unlikely the frames are that are held out: their Poisson misfit."""
        total = torch.zeros(1, device=self.frames.device)
        for ids in self._parts(self.held):
            wave = self.beam.to_detector(self.exits(ids)[1])
            amplitude, valid, at = self.frames.pick(ids)
            counts = (wave, amplitude, valid, at, self.state.background)
            total += unlikelihood(*counts, self.options.flux).sum()
        self.share.sum_(total)
        return float(total)

    def _parts(self, ids: Ids) -> list[Ids]:
        """Return frames in parts that fit the buffer."""
        return np.array_split(ids, -(-len(ids) // self.size)) if len(ids) else []

    def compare_(self, wave: Tensor, ids: Ids) -> Tensor:
        """Turn a detector wave into its change, in place; note misfits and background."""
        counts = self.frames.pick(ids)
        if self.options.background:
            self._note_background(wave, *counts)
        return self._replaced(wave, ids, counts)

    def _replaced(self, wave: Tensor, ids: Ids, counts: tuple[Tensor, Tensor, Ids]) -> Tensor:
        found = self.replace_(wave, *counts, self.state.background)
        if found.device.type == "cpu":
            self.misfits.numpy()[ids] = found.numpy()
        else:
            self.misfits[torch.from_numpy(ids).to(found.device)] = found
        return wave

    def windows(self, ids: Ids) -> Tensor:
        """Return the object under some frames, (B, h, w)."""
        return cut(self.state.object, self.state.corners[ids], self.shape)

    def pull(self, batch: Batch, plain: Tensor) -> Tensor:
        """Return the pull on the shared probe; let illumination and positions learn.

        Args:
            batch: From `forward`; the object must still be as it was then.
            plain: (M, h, w) sum of conj(window) change, where the engine has it anyway.
        """
        self.positions.watch(batch.ids, batch.change, batch.probe)
        if self.light.plain:
            return self.light.unshift(plain)
        return self.light.pull(batch.ids, batch.change, self.windows(batch.ids))

    @property
    def needs_windows(self) -> bool:
        """Whether `pull` must be called before the object moves."""
        return not self.light.plain or self.positions.slopes

    def _note_background(self, wave: Tensor, amplitude: Tensor, valid: Tensor, at: Ids) -> None:
        rows = torch.from_numpy(at).to(wave.device)
        good = valid[rows] if len(valid) > 1 else valid.expand(len(at), -1, -1)
        model = abs2(wave).sum(dim=1).add_(self.state.background)
        self.seen[0] += (amplitude[rows].square() / model).mul_(good).sum(dim=0)
        self.seen[1] += good.sum(dim=0)

    def begin_epoch(self, epoch: int) -> None:
        """Get ready for one more pass over the positions."""
        with_probe = self.first + epoch >= self.options.probe_start
        self.light.begin_epoch(late=with_probe and (self.going_on or epoch >= LATE))
        self.positions.begin_epoch(epoch)
        self.seen.zero_()
        if self.options.background and epoch == (0 if self.going_on else LATE):
            self._begin_background()

    def _begin_background(self) -> None:
        """Start from the level of the darkest pixels, unless a background is known already."""
        if float(self.state.background.max()) > 2 * TINY:
            return
        total = torch.zeros(self.shape, device=self.frames.device)
        for ids in self._parts(self.order):
            amplitude, _, at = self.frames.pick(ids)
            total += amplitude[torch.from_numpy(at).to(amplitude.device)].square().sum(dim=0)
        self.share.sum_(total)
        level = torch.quantile(total.flatten() / self.count, BACKGROUND_LEVEL)
        self.state.background.fill_(float(level) + TINY)

    def end_epoch(self, epoch: int) -> None:
        """Apply what the frames of the epoch said, apart from object and probe."""
        self.share.sum_(self.misfits)
        self.state.misfits = self.misfits.cpu().double().numpy()
        self.misfits.zero_()
        self.light.end_epoch()
        if self.options.background and (self.going_on or epoch >= LATE):
            self.share.sum_(self.seen)
            ratio = self.seen[0] / self.seen[1].clamp_min(1)
            ratio = torch.where(self.seen[1] > 0, ratio, torch.zeros_like(ratio))
            self.state.background.mul_(ratio).clamp_min_(TINY)

    def batches(self, order: Ids) -> list[Ids]:
        """Return frames, in some order, as batches."""
        return self.share.batches(order, self.count, self.options.batch)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.share.steps(self.count, self.options.batch)

    @property
    def error(self) -> float:
        """Misfit of the last epoch, of the frames the engine goes by, relative to their counts."""
        return float(self.state.misfits[self.used].sum() / self.frames.totals[self.used].sum())

    def counted(self, ids: Ids) -> int:
        """Return the frames that a step takes over all processes, the same number in each."""
        if self.share.size == 1:
            return len(ids)
        return round(self.count / self.steps)

    def in_order(self) -> list[Ids]:
        """Return all own frames in order, in batches."""
        return self.batches(self.order)

    def random_batches(self, random: torch.Generator) -> Iterator[Ids]:
        """Yield the frames of an epoch in random order, in batches.

        Where the probe is shifted and the positions have few fractions, as whole positions have on
        a coarser grid, the frames of a batch share theirs: the probe is shifted once for all.
        """
        own = self.order
        order = own[torch.randperm(len(own), generator=random).numpy()]
        groups = self._groups(order)
        batches = [batch for group in groups for batch in self.batches(group)]
        if len(groups) > 1:
            turns = torch.randperm(len(batches), generator=random).tolist()
            batches = [batches[turn] for turn in turns]
        yield from batches

    def _groups(self, order: Ids) -> list[Ids]:
        shifted = self.options.shifts or self.options.reduction > 1
        if not shifted or self.light.per_frame or self.share.size > 1:
            return [order]
        kinds, of = np.unique(self.state.fractions[order], axis=0, return_inverse=True)
        if len(kinds) * self.size > len(order):
            return [order]
        return [order[of.ravel() == kind] for kind in range(len(kinds))]
