"""Deep image prior in the physics: the object is the output of a network.

With the light L of the scan and the slope of the object, G = sum_j place(sum_m conj(P_m) c_jm), the
loss sum (|F| - sqrt I)^2 lies below

    sum L |O' - T|^2 + const,    T = O + G / L,

and touches it at the object O' = O it was taken at (the modulus projections stay where they are).
So after every pass over the frames the network takes a few steps towards T with the weight L: many
cheap steps of the network for one of the physics, and the frames never meet autograd. Half of the
Poisson slope has the same curvature where the model is nearly right.

The recipe is that of McCray et al. 2025 (arXiv 2511.07795, quantem): an engine first, then the
network is taught its result, which is also the network's input, then it is refined.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from napari_ptycho.denoise.prior import Lessons, Prior
from napari_ptycho.engines.gradient import Whole
from napari_ptycho.engines.state import Tree
from napari_ptycho.engines.work import Work

UNLIT = 1e-3  # share of the most light below which the object is left alone
POISSON = 0.5  # the Poisson slope is twice the amplitude's where the model is nearly right
FALLING = 0.5  # last part of the run in which the rate falls
LEAST = 0.1  # of the rate, at the end
BROKEN = "the network's weights broke and it began anew; a smaller rate may help"


class Dip(Whole):
    """One step of the physics per epoch, then several of the network."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.scale = POISSON if work.options.likelihood == "poisson" else 1.0
        self.prior: Prior | None = None

    def pieces(self, left: float) -> Iterator[None]:
        """Move the probe; teach the network the object that the frames ask for, step by step."""
        work, state, options = self.work, self.work.state, self.work.options
        work.share.sum_(self.way, self.pull, self.light, self.power)
        floor = UNLIT * self.light.amax()
        target = state.object + self.way * (self.scale / self.light.clamp_min(floor))
        if self.with_probe:
            state.probe.add_(self.pull * (options.probe_step * self.scale / self.power.amax()))
        steps = options.steps
        if self.prior is None:
            self.prior = self._begin(target, self.light)
            steps += options.pretrain
        factor = self.factor * LEAST ** max(0.0, 1 - left / FALLING)
        for _ in range(steps):
            self.prior.learn(target, self.light, factor)
            yield
        if not self.prior.sound:
            state.notes.extend({BROKEN} - set(state.notes))
            self.prior = None
            return
        image = self.prior.image
        work.share.sum_(image)
        lit = self.light > floor
        state.object.copy_(torch.where(lit, image / work.share.size, state.object))

    def _begin(self, image: Tensor, light: Tensor) -> Prior:
        options = self.work.options
        lessons = Lessons(
            options.feed, options.jitter, options.rate, options.averaging, options.seed
        )
        return Prior(image, light, lessons)

    def saved(self, midway: bool) -> dict[str, Any]:
        """Return the network, and the sums of an epoch under way."""
        prior = None if self.prior is None else self.prior.state()
        return {**super().saved(midway), "prior": prior}

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned."""
        super().restore(tree)
        if tree["prior"] is not None:
            image = self.work.state.object
            self.prior = self._begin(image, torch.ones_like(image.real))
            self.prior.load(tree["prior"])

    def restart(self) -> None:
        """Forget the history of the slopes."""
        if self.prior is not None:
            self.prior.restart()

    def scaled(self, probe: float) -> None:
        """Scale the network's output."""
        if self.prior is not None:
            self.prior.scaled(1 / probe)
