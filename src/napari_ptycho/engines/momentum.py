"""Maiden's momentum: now and then, a push along the way gone since the last push.

V <- friction V + (X - X at the last push),  X <- X + push V,  for X = object and probe.
"""

from typing import Any

import torch
from torch import Tensor

from napari_ptycho.engines.method import Method
from napari_ptycho.engines.state import LiveState, Tree
from napari_ptycho.torch_state import tensor_of

CALMER = 0.7  # a push that made the error rise is made so many times smaller
LEAST = 0.3


class Momentum:
    """Velocities of object and probe, and where they were at the last push."""

    def __init__(self, state: LiveState, friction: float, pushes: tuple[float, float]) -> None:
        self.state, self.friction, self.pushes = state, friction, pushes
        self.share = 1.0
        self.restart()

    def restart(self) -> None:
        """Stand still: velocities are zero from here on."""
        state = self.state
        self.anchors = state.object.clone(), state.probe.clone()
        self.velocities = torch.zeros_like(state.object), torch.zeros_like(state.probe)

    def calm(self) -> None:
        """Stand still and push less from now on."""
        self.share = max(LEAST, self.share * CALMER)
        self.restart()

    def scaled(self, probe: float) -> None:
        """Scale anchors and velocities as object and probe were."""
        for image, waves in (self.anchors, self.velocities):
            image.div_(probe)
            waves.mul_(probe)

    def turned(self, unitary: Tensor) -> None:
        """Mix the modes of anchors and velocities as the probe's were."""
        for _, waves in (self.anchors, self.velocities):
            waves.copy_(torch.einsum("nm,myx->nyx", unitary, waves))

    def saved(self) -> dict[str, Any]:
        """Return what it remembers."""
        return {"share": self.share, "anchors": self.anchors, "velocities": self.velocities}

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned."""
        self.share = tree["share"]
        for name in ("anchors", "velocities"):
            for tensor, array in zip(getattr(self, name), tree[name], strict=True):
                tensor.copy_(tensor_of(array))

    def push(self, factor: float, with_probe: bool) -> None:
        """Push object and probe."""
        waves = (self.state.object, self.state.probe)
        shares = (self.pushes[0], self.pushes[1] if with_probe else 0.0)
        for wave, anchor, velocity, share in zip(
            waves, self.anchors, self.velocities, shares, strict=True
        ):
            if share > 0:
                velocity.mul_(self.friction).add_(wave).sub_(anchor)
                wave.add_(velocity, alpha=share * self.share * factor)
                anchor.copy_(wave)


class Pushed(Method):
    """An engine with momentum; what it remembers follows what the loop does to object and probe."""

    momentum: Momentum

    def restart(self) -> None:
        """Stand still."""
        self.momentum.restart()

    def calm(self) -> None:
        """Stand still, and push less from now on."""
        self.momentum.calm()

    def scaled(self, probe: float) -> None:
        """Scale what momentum remembers."""
        self.momentum.scaled(probe)

    def turned(self, unitary: Tensor) -> None:
        """Mix the modes of what momentum remembers."""
        self.momentum.turned(unitary)
