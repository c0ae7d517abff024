"""PtychoNN with uncertainty: each head gives a mean and a log-variance, and dropout stays possible.

From the branch on uncertainty of the authors' public repository (Cherukara et al. 2020 is the
network; this form is half as wide). Names of weights are the published ones. Shapes at the ends of
lines are for 64 x 64 pixels.
"""

import math

import torch
from torch import Tensor, nn

from napari_ptycho.networks.ptychonn import double, half

DROPPED = 0.1  # share of values that training sets to 0


class Dropped(nn.Dropout):
    """Dropout that draws from a generator of its own, if it is given one."""

    random: torch.Generator | None = None

    def forward(self, values: Tensor) -> Tensor:
        """Set a share of the values to 0 while training."""
        if not self.training or self.random is None:
            return super().forward(values)
        kept = torch.empty_like(values).bernoulli_(1 - self.p, generator=self.random)
        return values * kept / (1 - self.p)


class PtychoNNUq(nn.Module):
    """(B, 1, H, W) -> (B, 2, H, W), mean amplitude in (0, 1), mean phase within +-pi.

    H and W are multiples of 8.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *_block(1, 16), half(),  # 16 x 32 x 32
            *_block(16, 32), half(),  # 32 x 16 x 16
            *_block(32, 64), half(),  # 64 x 8 x 8
        )  # fmt: skip
        self.decoder1 = _decoder()
        self.decoder2 = _decoder()

    def forward(self, patterns: Tensor) -> Tensor:
        """Return the means of amplitude and phase (rad)."""
        return self.moments(patterns)[0]

    def moments(self, patterns: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log-variances, (B, 2, H, W) each, amplitude before phase.

        As published, a log-variance passes the function that limits its mean: it is confined to
        (0, 1) for the amplitude, to (-pi, pi) for the phase.
        """
        inner = self.encoder(patterns)
        amplitude = torch.sigmoid(self.decoder1(inner))
        phase = torch.tanh(self.decoder2(inner)) * math.pi
        mean, log_variance = torch.stack([amplitude, phase], dim=2).unbind(dim=1)
        return mean, log_variance


def let_draw(module: nn.Module, random: torch.Generator) -> torch.Generator:
    """Let dropout, where a network has any, draw from a generator; return that."""
    for layer in module.modules():
        if isinstance(layer, Dropped):
            layer.random = random
    return random


def _block(before: int, after: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1), Dropped(DROPPED), nn.ReLU()]
    return layers


def _decoder() -> nn.Sequential:
    return nn.Sequential(
        *_block(64, 64), double(),  # 64 x 16 x 16
        *_block(64, 32), double(),  # 32 x 32 x 32
        *_block(32, 32), double(),  # 32 x 64 x 64
        nn.Conv2d(32, 2, 3, padding=1),  # 2 x 64 x 64
    )  # fmt: skip
