"""LSQ-ML: for every frame the step sizes of object and probe that fit it best together.

With the change c_j of the exit wave of frame j (Odstrčil, Menzel & Guizar-Sicairos 2018):

    dP = mean_j conj(O_j) c_j,    dO = sum_j place(sum_m conj(P_m) c_jm) / sqrt(L^2 + (d max L)^2),

with the illumination L of the whole scan and the damping d; for every frame j the real steps
a_j, b_j that minimise |a_j dO P + b_j dP O - c_j|^2; then O += mean(a_j) dO and P += mean(b_j) dP.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho.engines.frames import Ids
from napari_ptycho.engines.momentum import Momentum, Pushed
from napari_ptycho.engines.state import Tree
from napari_ptycho.engines.work import Batch, Work
from napari_ptycho.physics.propagate import TINY
from napari_ptycho.physics.windows import add_, add_light_, cut
from napari_ptycho.torch_state import tensor_of

REGULAR = 0.1  # of the mean diagonal, on the diagonal of the 2 x 2 systems
TRIMMED = 0.1  # share of the frames with the largest and smallest steps that do not count
POISSON = 0.5  # the Poisson slope is twice the amplitude's change where the model is nearly right


class Lsqml(Pushed):
    """LSQ-ML with sparse or compact batches."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        options = work.options
        self.compact = options.batches == "compact"
        self.momentum = Momentum(work.state, options.momentum, (options.momentum,) * 2)
        self.steps: list[Tensor] = []
        self.scale = POISSON if options.likelihood == "poisson" else 1.0

    def saved(self, midway: bool) -> dict[str, Any]:
        """Return the momentum, and the sums of an epoch under way."""
        tree = super().saved(midway)
        if self.work.options.momentum > 0:
            tree["momentum"] = self.momentum.saved()
        if midway:
            tree |= {"damped": self.damped, "total": self.total, "steps": self.steps}
        return tree

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned."""
        super().restore(tree)
        if "momentum" in tree:
            self.momentum.restore(tree["momentum"])
        if "damped" in tree:
            where = self.work.frames.device
            self.damped = tensor_of(tree["damped"]).to(where)
            self.total = tensor_of(tree["total"]).to(where)
            self.steps[:] = [tensor_of(step).to(where) for step in tree["steps"]]

    def batches(self, random: torch.Generator) -> Iterator[Ids]:
        """Yield random frames, or neighbours."""
        if not self.compact:
            yield from super().batches(random)
            return
        own = self.work.order
        groups = list(tiles(own, self.work.state.positions[own], self.work.size))
        if self.work.share.size > 1:  # as many in every process
            groups = self.work.batches(np.concatenate(groups))
        for turn in torch.randperm(len(groups), generator=random).tolist():
            yield groups[turn]

    def begin_epoch(self, factor: float, with_probe: bool) -> None:
        """Add up the light of the whole scan."""
        super().begin_epoch(factor, with_probe)
        work, state = self.work, self.work.state
        light = torch.zeros(state.shape, device=work.frames.device)
        for at in range(0, len(work.order), work.size):
            corners = state.corners[work.order[at : at + work.size]]
            add_light_(light, corners, state.probe.unsqueeze(0))
        work.share.sum_(light)
        self.damped = (light.square() + (work.options.damping * light.amax()) ** 2).sqrt()
        self.total = torch.zeros_like(state.object)
        self.steps = []

    def step(self, ids: Ids) -> None:
        """Move the probe, and (sparse) the object, by the best steps for some frames."""
        work, state, options = self.work, self.work.state, self.work.options
        batch = work.forward(ids)
        batch.change.mul_(self.scale)
        windows = work.windows(ids)
        plain = (batch.change * windows.conj().unsqueeze(1)).sum(dim=0)
        count = torch.tensor(float(len(ids)), device=plain.device)
        probe_way = work.pull(batch, plain)
        way = torch.zeros_like(state.object)
        add_(way, state.corners[ids], (batch.change * batch.probe.conj()).sum(dim=1))
        work.share.sum_(way, probe_way, count)
        way.div_(self.damped)
        probe_way = probe_way / count
        a, b = self._best(batch, windows, way, probe_way if self.with_probe else None)
        taken = options.step * self.factor
        if self.compact:
            self.total += way
            self.steps.append(a)
        else:
            state.object.add_(way * (a * taken))
        if self.with_probe:
            share = 1 / work.steps if self.compact else 1.0
            state.probe.add_(probe_way * (b * (taken * share)))

    def end_epoch(self, left: float) -> None:
        """Compact: move the object by the smallest of the best steps. Push."""
        options = self.work.options
        if self.compact:
            step = torch.stack(self.steps).amin() * (options.step * self.factor)
            self.work.state.object.add_(self.total * step)
        if options.momentum > 0:
            self.momentum.push(self.factor, self.with_probe)

    def _best(
        self, batch: Batch, windows: Tensor, way: Tensor, probe_way: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the mean best steps of object and probe, over frames without outliers."""
        ways = cut(way, self.work.state.corners[batch.ids], self.work.shape)
        one = ways.unsqueeze(1) * batch.probe
        aa, ca = _dot(one, one), _dot(one, batch.change)
        if probe_way is None:
            steps = ca / ((1 + REGULAR) * aa + TINY)
            return self._mean(steps), torch.zeros_like(steps[0])
        spread = self.work.light.spread(batch.ids, probe_way.unsqueeze(0))
        other = windows.unsqueeze(1) * spread
        bb, cb, ab = _dot(other, other), _dot(other, batch.change), _dot(one, other)
        aa, bb = aa + REGULAR * aa.mean() + TINY, bb + REGULAR * bb.mean() + TINY
        determinant = (aa * bb - ab.square()).clamp_min(TINY)
        a, b = (bb * ca - ab * cb) / determinant, (aa * cb - ab * ca) / determinant
        return self._mean(a), self._mean(b)

    def _mean(self, steps: Tensor) -> Tensor:
        """Return the trimmed mean over the frames of all processes, at least 0."""
        cut_off = int(len(steps) * TRIMMED)
        kept = steps.sort().values[cut_off : len(steps) - cut_off].clamp_min(0)
        total = torch.stack([kept.sum(), torch.tensor(float(len(kept)), device=kept.device)])
        self.work.share.sum_(total)
        return total[0] / total[1]


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Return Re <one, other> of every frame, (B,)."""
    return (one.conj() * other).real.sum(dim=(1, 2, 3))


def tiles(ids: Ids, positions: NDArray[np.float64], size: int) -> Iterator[Ids]:
    """Split frames into groups of neighbours of at most `size`: halve along the longer side."""
    if len(ids) <= size:
        yield ids
        return
    axis = int(np.argmax(np.ptp(positions, axis=0)))
    order = np.argsort(positions[:, axis], kind="stable")
    groups = -(-len(ids) // size)
    split = round(len(ids) * (groups // 2) / groups)
    for part in (order[:split], order[split:]):
        yield from tiles(ids[part], positions[part], size)
