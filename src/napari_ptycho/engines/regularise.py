"""What a network knows of objects, between epochs: it learns the object and gives part of it back.

The object O becomes (1 - b) O + b D(O), where D is a deep image prior that goes on from its last
weights with a few steps: plug-and-play with a denoiser that needs no training data.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from napari_ptycho.denoise.prior import Lessons, Prior
from napari_ptycho.engines.options import EngineOptions
from napari_ptycho.engines.share import Share
from napari_ptycho.engines.state import LiveState
from napari_ptycho.physics.propagate import abs2
from napari_ptycho.physics.windows import add_

Hook = Callable[[LiveState], None]
"""May change object and probe, in place, between two epochs; positions by `state.place`."""

FIRST, STEPS = 60, 20  # steps of the network the first time, and every further time
JITTER = 0.03  # noise on its input
UNLIT = 1e-3  # share of the most light below which the object is left alone
BLOCK = 64  # frames whose light is added up at once


def nothing(state: LiveState) -> None:
    """Change nothing."""


class Denoiser:
    """A deep image prior of the object, as the options ask for it."""

    def __init__(self, options: EngineOptions, share: Share) -> None:
        self.options, self.share = options, share
        self.prior: Prior | None = None

    def pieces(self, state: LiveState, epoch: int) -> Iterator[None]:
        """Denoise the object where it is time for it; a run can stop at every yield.

        Args:
            state: Whose object is changed, at the very end.
            epoch: Epochs of this stage that are done.
        """
        options = self.options
        if options.denoiser == "none" or epoch % options.denoise_every:
            return
        light = light_of_scan(state)
        steps = STEPS
        if self.prior is None:
            lessons = Lessons(jitter=JITTER, seed=options.seed)
            self.prior, steps = Prior(state.object, light, lessons), FIRST
        self.prior.see(state.object)
        for _ in range(steps):
            self.prior.learn(state.object, light)
            yield
        if not self.prior.sound:
            self.prior = None
            return
        image = self.prior.image
        self.share.sum_(image)
        lit = light > UNLIT * light.amax()
        state.object.lerp_(
            torch.where(lit, image / self.share.size, state.object), options.denoise_share
        )


def light_of_scan(state: LiveState) -> Tensor:
    """Return the photons on each pixel of the object, (H, W), whichever process has the frames."""
    light = torch.zeros(state.shape, device=state.object.device)
    lit = abs2(state.probe).sum(dim=0)
    for at in range(0, len(state.corners), BLOCK):
        corners = state.corners[at : at + BLOCK]
        add_(light, corners, lit.expand(len(corners), -1, -1).contiguous())
    return light
