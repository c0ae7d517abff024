"""The network of the `ptychonn` package, which Ptychodus runs: one decoder in two groups.

From the public package (Cherukara et al., class `LitReconSmallModel`). The groups make two decoders
that never meet: the first half of the channels makes the phase, from the first half of what the
encoder gives; the second half the amplitude. Published weights keep this order; what we return has
the amplitude first. Shapes at the ends of lines are for 128 x 128 pixels.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn

from napari_ptycho.networks.ptychonn import block, double, half


class PtychoNNPackage(nn.Module):
    """(B, 1, H, W) -> (B, 2, H, W), amplitude in (0, 1), phase within +-pi.

    H and W are multiples of 16.
    """

    def __init__(self, norm: bool = True) -> None:
        """Build it, with batch normalisation in place of biases if `norm`."""
        super().__init__()
        one = partial(block, norm=norm, bias=not norm)
        two = partial(one, groups=2)
        self.encoder = nn.Sequential(
            *one(1, 16), half(),  # 16 x 64 x 64
            *one(16, 32), half(),  # 32 x 32 x 32
            *one(32, 64), half(),  # 64 x 16 x 16
            *one(64, 128), half(),  # 128 x 8 x 8
        )  # fmt: skip
        self.decoder = nn.Sequential(
            *two(128, 256), double(),  # 256 x 16 x 16
            *two(256, 128), double(),  # 128 x 32 x 32
            *two(128, 64), double(),  # 64 x 64 x 64
            *two(64, 32), double(),  # 32 x 128 x 128
            nn.Conv2d(32, 2, 3, padding=1, groups=2, bias=not norm),  # 2 x 128 x 128
            *([nn.BatchNorm2d(2)] if norm else []),
        )  # fmt: skip

    def forward(self, patterns: Tensor) -> Tensor:
        """Return amplitude and phase (rad)."""
        output: Tensor = self.decoder(self.encoder(patterns))
        phase, amplitude = output[:, :1], output[:, 1:]
        return torch.cat([torch.sigmoid(amplitude), torch.tanh(phase) * math.pi], dim=1)


class PtychoNNPackagePlain(PtychoNNPackage):
    """The same without batch normalisation."""

    def __init__(self) -> None:
        super().__init__(norm=False)
