"""A complex image that is the output of a network: what a network learns slowly stays out of it.

The deep image prior (Ulyanov, Vedaldi & Lempitsky 2020) of a complex image: two channels, real and
imaginary part, in units in which the first image has mean 0 and spread 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from napari_ptycho.denoise.skip import SkipNet
from napari_ptycho.torch_state import (
    adam_state,
    laid_out,
    load_adam,
    load_random,
    put,
    random_state,
    restored,
)

Feed = Literal["object", "noise"]
WIDTHS, SKIPS = (8, 16, 32, 64), (0, 0, 4, 4)
"""Of the network: one level less than Ulyanov's, which fits small objects and learns faster."""
NOISE_CHANNELS, NOISE_HEIGHT = 32, 0.1  # of an input of noise, uniform from 0: Ulyanov's


@dataclass(frozen=True)
class Lessons:
    """How a network is fed and taught."""

    feed: Feed = "object"
    """Its input: the first image itself (as in quantem; learns fast), or noise (Ulyanov)."""
    jitter: float = 0.0
    """Noise added to the input in every step, new each time, in units of the image's spread."""
    rate: float = 0.01
    """Of Adam."""
    averaging: float = 0.0
    """Share of the mean output that stays in every step."""
    seed: int = 0


class Prior:
    """An image made by a network; it comes closer to whatever it is taught."""

    def __init__(self, image: Tensor, weight: Tensor, lessons: Lessons) -> None:
        """Begin with an untaught network.

        Args:
            image: (H, W) complex: its mean and spread are the units, and it may be the input.
            weight: (H, W) real, how well each pixel is known.
            lessons: How it is taught.
        """
        self.lessons = lessons
        share = weight / weight.sum()
        self.middle = complex((image * share).sum())
        self.spread = float((image - self.middle).abs().square_().mul_(share).sum().sqrt()) or 1.0
        draw = torch.Generator().manual_seed(lessons.seed)
        self.random = torch.Generator(image.device).manual_seed(lessons.seed)
        with torch.inference_mode(False), torch.no_grad():
            if lessons.feed == "object":
                self.input = self._packed(image)
            else:
                noise = torch.rand((1, NOISE_CHANNELS, *image.shape), generator=draw)
                self.input = noise.mul_(NOISE_HEIGHT).to(image.device)
            channels = int(self.input.shape[1])
            self.net = SkipNet(channels, 2, draw, WIDTHS, SKIPS).to(image.device)
        self.mean: Tensor | None = None
        self.restart()

    def restart(self) -> None:
        """Forget the history of the slopes."""
        self.optimiser = torch.optim.Adam(self.net.parameters(), self.lessons.rate, fused=True)

    def see(self, image: Tensor) -> None:
        """Take another image (H, W) as input, unless the input is noise."""
        if self.lessons.feed == "object":
            with torch.inference_mode(False), torch.no_grad():
                self.input = self._packed(image)

    @property
    def sound(self) -> bool:
        """Whether it is made of numbers."""
        return self.mean is None or bool(self.mean.isfinite().all())

    def learn(self, target: Tensor, weight: Tensor, factor: float = 1.0) -> None:
        """Take one step towards an image.

        Args:
            target: (H, W) complex.
            weight: (H, W) real: how much each pixel counts.
            factor: On the rate.
        """
        with torch.inference_mode(False), torch.enable_grad():
            goal, share = self._packed(target), weight / weight.sum()
            seen = self.input
            if self.lessons.jitter > 0:
                noise = torch.randn(seen.shape, generator=self.random, device=seen.device)
                seen = seen + noise * self.lessons.jitter
            found = self.net(seen)
            self.optimiser.zero_grad()
            torch.autograd.backward(((found - goal).square() * share).sum())
            self.optimiser.param_groups[0]["lr"] = self.lessons.rate * factor
            self.optimiser.step()
            found = found.detach()
            self.mean = (
                found if self.mean is None else found.lerp(self.mean, self.lessons.averaging)
            )

    @property
    def image(self) -> Tensor:
        """The latest image, or the mean of the latest, (H, W) complex."""
        assert self.mean is not None  # it has learnt something
        image = torch.view_as_complex(self.mean[0].movedim(0, -1).contiguous())
        return image * self.spread + self.middle

    def scaled(self, factor: float) -> None:
        """Multiply the image."""
        self.middle, self.spread = self.middle * factor, self.spread * factor

    def state(self) -> dict[str, Any]:
        """Return all that it has become, as a tree (see `io.autosave.flat`)."""
        return {
            "weights": self.net.state_dict(),
            "adam": adam_state(self.optimiser),
            "input": laid_out(self.input),
            "random": random_state(self.random),
            "mean": laid_out(self.mean),
            "units": [self.middle.real, self.middle.imag, self.spread],
        }

    def load(self, tree: Mapping[str, Any]) -> None:
        """Become what another one was that began in the same way.

        Raises:
            JobError: It has other weights.
        """
        with torch.inference_mode(False):
            put(self.net.state_dict(), tree["weights"])
            load_adam(self.optimiser, tree["adam"])
            seen = restored(tree["input"], self.input.device)
            assert seen is not None  # every prior has an input
            self.input, self.mean = seen, restored(tree["mean"], self.input.device)
        load_random(self.random, tree["random"])
        real, imaginary, self.spread = tree["units"]
        self.middle = complex(real, imaginary)

    def _packed(self, image: Tensor) -> Tensor:
        """Return real and imaginary part (1, 2, H, W) of an image (H, W), in our units."""
        parts = torch.view_as_real(image.clone().sub_(self.middle).div_(self.spread))
        return parts.movedim(-1, 0).unsqueeze(0)
