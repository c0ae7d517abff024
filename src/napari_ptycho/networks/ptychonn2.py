"""PtychoNN 2: phase only, four levels, narrow enough to keep up with a detector.

Babu et al., Nat. Commun. 14, 7059 (2023), where it runs beside the beamline; the network of the
authors' repository. Names of weights are the published ones ("decoder2", although there is one).
Shapes at the ends of lines are for 128 x 128 pixels.
"""

import math

import torch
from torch import Tensor, nn

from napari_ptycho.networks.ptychonn import block, double, half


class PtychoNN2(nn.Module):
    """(B, 1, H, W) -> (B, 1, H, W) phase within +-pi; H and W are multiples of 16."""

    def __init__(self, norm: bool = False) -> None:
        """Build it, with batch normalisation before each ReLU if `norm`."""
        super().__init__()
        self.encoder = nn.Sequential(
            *block(1, 16, norm=norm), half(),  # 16 x 64 x 64
            *block(16, 32, norm=norm), half(),  # 32 x 32 x 32
            *block(32, 64, norm=norm), half(),  # 64 x 16 x 16
            *block(64, 128, norm=norm), half(),  # 128 x 8 x 8
        )  # fmt: skip
        self.decoder2 = nn.Sequential(
            *block(128, 128, norm=norm), double(),  # 128 x 16 x 16
            *block(128, 64, norm=norm), double(),  # 64 x 32 x 32
            *block(64, 32, norm=norm), double(),  # 32 x 64 x 64
            *block(32, 16, norm=norm), double(),  # 16 x 128 x 128
            nn.Conv2d(16, 1, 3, padding=1),  # 1 x 128 x 128
        )  # fmt: skip

    def forward(self, patterns: Tensor) -> Tensor:
        """Return the phase (rad)."""
        return torch.tanh(self.decoder2(self.encoder(patterns))) * math.pi


class PtychoNN2BatchNorm(PtychoNN2):
    """The same with batch normalisation."""

    def __init__(self) -> None:
        super().__init__(norm=True)
