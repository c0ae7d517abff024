"""Maximum likelihood by gradients: Adam batch by batch, L-BFGS on the whole scan.

The slopes are analytic. With the change c of the exit waves (amplitude: modulus projection - wave;
Poisson: wave (I / model - 1), transformed back), the loss sum (|F| - sqrt I)^2, or half the Poisson
deviance, has by the real and imaginary parts of object and probe the slopes

    dO = -2 sum_j place(sum_m conj(P_m) c_jm),    dP_m = -2 sum_j conj(O_j) c_jm

(tests compare them with autograd).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_ptycho.engines.frames import Ids
from napari_ptycho.engines.method import Method
from napari_ptycho.engines.state import Tree
from napari_ptycho.engines.work import Work
from napari_ptycho.physics.propagate import TINY
from napari_ptycho.physics.windows import add_, add_light_
from napari_ptycho.torch_state import adam_state, load_adam, tensor_of

SUMS = ("way", "pull", "light", "power")
EPSILON = 1e-3  # slopes of the object that are small against this share of a full step hardly move
FIRST = 0.25  # first step of L-BFGS along the slopes: half of Newton's where all is well lit
DAMPED = 0.05  # share of the brightest that stands in for pixels without light


class Gradient(Method):
    """Adds up the slopes of the loss."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._clear()

    def _clear(self) -> None:
        state = self.work.state
        self.way, self.pull = torch.zeros_like(state.object), torch.zeros_like(state.probe)
        self.light = torch.zeros(state.shape, device=self.way.device)
        self.power = torch.zeros_like(state.background)

    def saved(self, midway: bool) -> dict[str, Any]:
        """Return the sums of an epoch under way."""
        sums = {name: getattr(self, name) for name in SUMS} if midway else {}
        return {**super().saved(midway), **sums}

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned."""
        super().restore(tree)
        for name in SUMS:
            if name in tree:
                getattr(self, name).copy_(tensor_of(tree[name]))

    def _collect(self, ids: Ids) -> None:
        work = self.work
        batch, windows = work.forward(ids), work.windows(ids)
        self.pull += work.pull(batch, (batch.change * windows.conj().unsqueeze(1)).sum(dim=0))
        corners = work.state.corners[ids]
        add_(self.way, corners, (batch.change * batch.probe.conj()).sum(dim=1))
        add_light_(self.light, corners, batch.probe)
        self.power += work.power


class Adam(Gradient):
    """Adam (Kingma & Ba 2015): object and probe move at their rates, one step per batch."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.restart()

    def restart(self) -> None:
        """Forget the history of the slopes."""
        options, state = self.work.options, self.work.state
        rms = float((state.photons / state.probe[0].numel()) ** 0.5)
        groups = [
            {"params": [state.object], "lr": options.object_rate},
            {"params": [state.probe], "lr": options.probe_rate * rms},
        ]
        self.rates = [group["lr"] for group in groups]
        self.optimiser = torch.optim.Adam(groups, eps=EPSILON)

    def saved(self, midway: bool) -> dict[str, Any]:
        """Return the history of the slopes; every step has sums of its own."""
        return {**super().saved(midway=False), "adam": adam_state(self.optimiser)}

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned."""
        super().restore(tree)
        load_adam(self.optimiser, tree["adam"])

    def turned(self, unitary: Tensor) -> None:
        """Mix the modes of the mean slope of the probe."""
        known = self.optimiser.state.get(self.work.state.probe)
        if known:
            mean = known["exp_avg"]
            mean.copy_(torch.einsum("nm,myx->nyx", unitary, mean))

    def step(self, ids: Ids) -> None:
        """Take one step along the slope of some frames, in units of a full step."""
        self._clear()
        self._collect(ids)
        work, state = self.work, self.work.state
        work.share.sum_(self.way, self.pull, self.light, self.power)
        state.object.grad = self.way.div_(-self.light.amax())
        state.probe.grad = self.pull.div_(-self.power.amax()) if self.with_probe else None
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.factor
        self.optimiser.step()


class Whole(Gradient):
    """Adds up the slopes of all frames before it moves, once per epoch."""

    def batches(self, random: torch.Generator) -> Iterator[Ids]:
        """Yield all frames in order."""
        yield from self.work.in_order()

    def begin_epoch(self, factor: float, with_probe: bool) -> None:
        """Get ready to add up the slopes."""
        super().begin_epoch(factor, with_probe)
        self._clear()

    def step(self, ids: Ids) -> None:
        """Add up the slopes of some frames."""
        self._collect(ids)


class Lbfgs(Whole):
    """L-BFGS: one step per epoch, in variables in which all pixels are lit alike."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.optimiser: torch.optim.LBFGS | None = None
        self.began = False

    def restart(self) -> None:
        """Forget the curvature."""
        self.optimiser = None

    def joined(self) -> None:
        """Forget the curvature: it is that of fewer frames."""
        self.restart()

    def turned(self, unitary: Tensor) -> None:
        """Forget the curvature unless the modes stayed what they were."""
        same = torch.eye(len(unitary), dtype=unitary.dtype, device=unitary.device)
        if float((unitary - same).abs().max()) > 0.05:
            self.restart()

    def end_epoch(self, left: float) -> None:
        """Take one step."""
        work, state = self.work, self.work.state
        work.share.sum_(self.way, self.pull, self.light, self.power)
        if self.optimiser is None:
            self._prepare()
        assert self.optimiser is not None  # just made
        image, probe = self.variables
        image.copy_(state.object * self.roots[0])
        probe.copy_(state.probe * self.roots[1])
        image.grad = self.way.mul_(-2).div_(self.roots[0])
        probe.grad = self.pull.mul_(-2 if self.with_probe else 0).div_(self.roots[1])
        loss = work.misfits.sum()
        rate = self.factor if self.began else FIRST * self._size()
        self.optimiser.param_groups[0]["lr"], self.began = rate, True
        self.optimiser.step(lambda: loss)  # type: ignore[no-untyped-call]
        state.object.copy_(image / self.roots[0])
        state.probe.copy_(probe / self.roots[1])

    def saved(self, midway: bool) -> dict[str, Any]:
        """Return the curvature, and the sums of an epoch under way."""
        tree = super().saved(midway)
        if self.optimiser is not None:
            memory = self.optimiser.state_dict()["state"]
            tree |= {"began": self.began, "roots": self.roots, "memory": memory}
        return tree

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned."""
        super().restore(tree)
        if "memory" in tree:
            self._prepare()
            self.began = tree["began"]
            for root, array in zip(self.roots, tree["roots"], strict=True):
                root.copy_(tensor_of(array))
            assert self.optimiser is not None  # just made
            known = {int(number): _tensors(memory) for number, memory in tree["memory"].items()}
            self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": known})

    def _size(self) -> float:
        """Return the sum of all slopes, by which torch divides the first step."""
        slopes = [torch.view_as_real(wave.grad) for wave in self.variables if wave.grad is not None]
        return max(1.0, float(sum(slope.abs().sum() for slope in slopes)))

    def _prepare(self) -> None:
        self.began = False
        state, options = self.work.state, self.work.options
        light = self.light + DAMPED * self.light.amax() + TINY
        power = self.power + DAMPED * self.power.amax() + TINY
        self.roots = light.sqrt(), power.sqrt()
        self.variables = torch.zeros_like(state.object), torch.zeros_like(state.probe)
        self.optimiser = torch.optim.LBFGS(
            list(self.variables),
            max_iter=1,
            history_size=options.history,
            tolerance_grad=0,
            tolerance_change=0,
        )


def _tensors(tree: Any) -> Any:
    """Return a tree with tensors in place of arrays."""
    if isinstance(tree, Mapping):
        return {name: _tensors(branch) for name, branch in tree.items()}
    if isinstance(tree, list):
        return [_tensors(branch) for branch in tree]
    return tensor_of(tree) if isinstance(tree, np.ndarray) else tree
