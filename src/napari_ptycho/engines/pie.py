"""ePIE, rPIE and mPIE: one step, two weights, and a push.

rPIE (Maiden, Johnson & Li 2017) for one position j, with M incoherent modes and the change
d_m = to_sample(projected) - P_m O_j:

    O_j += step  sum_m conj(P_m) d_m / ((1 - alpha) D + alpha max D),   D = sum_m |P_m|^2
    P_m += step  conj(O_j) d_m       / ((1 - beta) E + beta max E),     E = |O_j|^2

alpha = beta = 1 is ePIE (Maiden & Rodenburg 2009). A batch of B positions is one step in which both
numerators and D, E are summed over the batch, each where it lies on the object; with B = 1 that is
the textbook update.
"""

from typing import Any

import torch
from torch import Tensor

from napari_ptycho.engines.frames import Ids
from napari_ptycho.engines.method import Method
from napari_ptycho.engines.momentum import Momentum, Pushed
from napari_ptycho.engines.state import Tree
from napari_ptycho.engines.work import Batch, Work
from napari_ptycho.physics.windows import add_, add_light_, cut, move_probe_, update_


class Pie(Method):
    """ePIE and rPIE."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        # ePIE is rPIE with both weights at 1.
        self.alpha = getattr(work.options, "object_alpha", 1.0)
        self.beta = getattr(work.options, "probe_alpha", 1.0)
        self.own = torch.zeros_like(work.waves[0])  # more than the probe's modes in fly-scans

    def step(self, ids: Ids) -> None:
        """Update object and probe from some frames, both from their values before the step."""
        work, options = self.work, self.work.options
        batch = work.forward(ids)
        pull = work.pull(batch, self.own) if work.needs_windows else None
        if work.share.size > 1:
            pull = self._move_together(batch, pull)
        else:
            own = self._move_object(batch)
            pull = work.light.unshift(own) if pull is None else pull
        if self.with_probe and options.probe_step > 0:
            step = options.probe_step * self.factor
            move_probe_(work.state.probe, pull, work.power, step, self.beta)

    def _move_object(self, batch: Batch) -> Tensor:
        """Move the object; return the sum of conj(window) change, of the object before."""
        state, step = self.work.state, self.work.options.object_step
        corners, weights = state.corners[batch.ids], (step * self.factor, self.alpha)
        update_(state.object, batch.change, batch.probe, corners, weights, self.own)
        return self.own

    def _move_together(self, batch: Batch, pull: Tensor | None) -> Tensor:
        """Do the same step with the sums taken over several processes."""
        work, state = self.work, self.work.state
        corners = state.corners[batch.ids]
        moved = torch.zeros_like(state.object)
        light = torch.zeros(state.shape, device=moved.device)
        if pull is None:
            windows = cut(state.object, corners, work.shape)
            own = (batch.change * windows.conj().unsqueeze(1)).sum(dim=0)
            pull = work.light.unshift(own)
        add_(moved, corners, (batch.change * batch.probe.conj()).sum(dim=1))
        add_light_(light, corners, batch.probe)
        work.share.sum_(moved, light, pull, work.power)
        step = work.options.object_step * self.factor
        floor = self.alpha * light.amax()
        state.object.add_(moved.mul_(step / (light * (1 - self.alpha) + floor)))
        return pull


class Mpie(Pushed, Pie):
    """rPIE with Maiden's momentum.

    A counter of positions says when to push (Maiden, Johnson & Li 2017); the heavy-ball momentum
    that other packages have under this name pushes after every batch.
    """

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        options = work.options
        pushes = (options.object_push, options.probe_push)
        self.momentum = Momentum(work.state, options.friction, pushes)
        self.since = 0

    def saved(self, midway: bool) -> dict[str, Any]:
        """Return the momentum and the positions since the last push."""
        own = {"momentum": self.momentum.saved(), "since": self.since}
        return {**super().saved(midway), **own}

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned."""
        super().restore(tree)
        self.momentum.restore(tree["momentum"])
        self.since = tree["since"]

    def step(self, ids: Ids) -> None:
        """Step as rPIE, and push when it is time."""
        super().step(ids)
        self.since += self.work.counted(ids)
        if self.since >= self.work.options.period:
            self.since = 0
            self.momentum.push(self.factor, self.with_probe)
