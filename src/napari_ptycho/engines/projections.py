"""The difference map and RAAR: projections of all exit waves at once.

With the model P O and the modulus projection Pi, RAAR (Luke 2005) in its converging sign,

    w <- beta w + (1 - 2 beta) P O + beta Pi(2 P O - w)   =   P O + beta (Pi - 1)(2 P O - w),

and beta = 1 is the difference map (Thibault et al. 2009; Elser 2003). Then object and probe are
those that fit all waves best, O = sum conj(P) w / sum |P|^2 and P = sum conj(O) w / sum |O|^2, by
turns. (The opposite sign of the last term of Luke's formula, found elsewhere, does not converge
above beta 0.6; the tests compare with a simulated truth.)
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from napari_ptycho.engines.frames import Ids, roomy
from napari_ptycho.engines.method import Method
from napari_ptycho.engines.state import Tree
from napari_ptycho.engines.work import Batch, Work
from napari_ptycho.physics.propagate import TINY, abs2
from napari_ptycho.physics.windows import add_, add_light_, exit_waves
from napari_ptycho.torch_state import tensor_of

INERTIA = 1e-3  # of the object, relative to the mean light: keeps what is hardly lit where it is


class Projections(Method):
    """DM and RAAR; `waves` holds the exit waves of all own frames."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.beta = getattr(work.options, "relaxation", 1.0)
        self.waves: Tensor | None = None
        self.known = 0  # frames, the first in order, whose waves are
        self.mean: Tensor | None = None
        self.averaged = 0

    def restart(self) -> None:
        """Take the model's waves anew in the next epoch."""
        self.known = 0

    def turned(self, unitary: Tensor) -> None:
        """Mix the modes of the waves."""
        if self.waves is not None:
            for at in range(0, len(self.waves), self.work.size):
                part = self.waves[at : at + self.work.size]
                modes = part.view(len(part), len(unitary), -1, *self.work.shape)
                part.copy_(torch.einsum("nm,bmlyx->bnlyx", unitary, modes).flatten(1, 2))

    def batches(self, random: torch.Generator) -> Iterator[Ids]:
        """Yield all frames in order: it does not matter here, and memory likes it."""
        yield from self.work.in_order()

    def begin_epoch(self, factor: float, with_probe: bool) -> None:
        """Get ready to collect what object and probe will be."""
        super().begin_epoch(factor, with_probe)
        if self.waves is None:
            self.waves = self._room()
        self._clear()

    def _room(self) -> Tensor:
        work = self.work
        shape = (len(work.frames.ids), work.light.waves, *work.shape)
        return roomy(shape, torch.complex64, work.frames.device)

    def saved(self, midway: bool) -> dict[str, Any]:
        """Return the waves that are known, the objects averaged so far, and the epoch's sums."""
        tree = super().saved(midway)
        tree |= {"known": self.known, "mean": self.mean, "averaged": self.averaged}
        if self.known or midway:
            tree["waves"] = self.waves
        return {**tree, "up": self.up, "down": self.down} if midway else tree

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned."""
        super().restore(tree)
        self.known, self.averaged = tree["known"], tree["averaged"]
        if tree["mean"] is not None:
            self.mean = tensor_of(tree["mean"]).to(self.work.frames.device)
        if "waves" in tree:
            self.waves = self._room()
            self.waves.copy_(tensor_of(tree["waves"]))
        if "up" in tree:
            self._clear()
            self.up.copy_(tensor_of(tree["up"]))
            self.down.copy_(tensor_of(tree["down"]))

    def _clear(self) -> None:
        state = self.work.state
        self.up, self.down = torch.zeros_like(state.object), torch.zeros_like(state.object.real)
        self.pull, self.power = torch.zeros_like(state.probe), torch.zeros_like(state.background)

    def step(self, ids: Ids) -> None:
        """Project the waves of some frames, and collect the new object."""
        work = self.work
        own = self._own(ids)
        probe = work.light.probe(ids)
        corners = work.state.corners[ids]
        out = work.waves[: len(ids)]
        model = exit_waves(work.state.object, probe, corners, out, work.power)
        known = max(0, self.known - int(work.slot[ids[0]]))
        own[known:] = model[known:]
        mirrored = 2 * model - own
        change = work.beam.to_sample(self._projected(mirrored, ids))
        off = work.compare_(work.beam.to_detector(model), ids)
        own.copy_(model).add_(change, alpha=self.beta)
        self._learn(Batch(ids, probe, model, off))
        self._collect_object(Batch(ids, probe, own, change))

    def _learn(self, batch: Batch) -> None:
        """Let positions and illumination learn from what the model itself is off by."""
        work = self.work
        if not work.positions.slopes and work.light.plain:
            return
        change = work.beam.to_sample(batch.change)
        work.positions.watch(batch.ids, change, batch.probe)
        if not work.light.plain:
            work.light.pull(batch.ids, change, work.windows(batch.ids))

    def _projected(self, waves: Tensor, ids: Ids) -> Tensor:
        """Return the change of waves at the detector, without noting their misfit."""
        work = self.work
        amplitude, valid, at = work.frames.pick(ids)
        wave = work.beam.to_detector(waves)
        work.replace_(wave, amplitude, valid, at, work.state.background)
        return wave

    def _own(self, ids: Ids) -> Tensor:
        assert self.waves is not None  # made by begin_epoch
        first = int(self.work.slot[ids[0]])
        return self.waves[first : first + len(ids)]

    def _collect_object(self, batch: Batch) -> None:
        corners = self.work.state.corners[batch.ids]
        add_(self.up, corners, (batch.probe.conj() * batch.waves).sum(dim=1))
        add_light_(self.down, corners, batch.probe)

    def end_epoch(self, left: float) -> None:
        """Fit object and probe to the waves, by turns."""
        self.known = len(self.work.order)
        for turn in range(self.work.options.overlaps):
            if turn:
                self._clear()
                for ids in self.work.in_order():
                    probe = self.work.light.probe(ids)
                    self._collect_object(Batch(ids, probe, self._own(ids), self._own(ids)))
            self._set_object()
            if not self.with_probe:
                break
            self._set_probe()
        self._average(left)

    def _set_object(self) -> None:
        self.work.share.sum_(self.up, self.down)
        image = self.work.state.object
        inertia = INERTIA * self.down.mean()
        image.copy_((self.up + inertia * image) / (self.down + inertia))

    def _set_probe(self) -> None:
        work, state = self.work, self.work.state
        pull, power = torch.zeros_like(state.probe), torch.zeros_like(state.background)
        for ids in work.in_order():
            probe, windows = work.light.probe(ids), work.windows(ids)
            # The adjoint of a unitary shift is its inverse: of w - P O, so that what does not
            # belong to the shared probe (flux, variations) stays out of it.
            rest = self._own(ids) - windows.unsqueeze(1) * probe
            pull += work.light.adjoint(ids, rest, windows)
            power += abs2(windows).sum(dim=0)
        work.share.sum_(pull, power)
        state.probe.add_(pull / (power + 1e-9 * power.mean() + TINY))

    def _average(self, left: float) -> None:
        """Replace the object of the last epoch by the mean of the last ones: DM does not settle."""
        options = self.work.options
        if left >= options.average:
            return
        image = self.work.state.object
        self.mean = image.clone() if self.mean is None else self.mean + image
        self.averaged += 1
        if left == 0:
            image.copy_(self.mean / self.averaged)
