"""PtyNet-S: small, with strided and transposed convolutions.

Pan et al., iScience 26, 108420 (2023), layers from the authors' public code (`Net1.py`). Two groups
keep some layers of amplitude and phase apart; the dense ones between mix them. Names of weights are
the published ones. Shapes at the ends of lines are for 128 x 128 pixels.
"""

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

SLOPE = 0.2  # of the leaky ReLU


class PtyNetS(nn.Module):
    """(B, 1, H, W) -> (B, 2, H, W), amplitude within +-1, phase within +-pi.

    H and W are multiples of 8.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            _dense(1, 16),  # 16 x 128 x 128
            _dense(16, 16, stride=2),  # 16 x 64 x 64
            _dense(16, 16),
            _dense(16, 32, stride=2),  # 32 x 32 x 32
            _dense(32, 64),
            _dense(64, 128, stride=2),  # 128 x 16 x 16
        )
        self.decoder = nn.Sequential(
            _dense(128, 64),  # 64 x 16 x 16
            _grouped(64),
            nn.ConvTranspose2d(64, 64, 4, 2, 1, groups=2),  # 64 x 32 x 32
            _bend(),
            _dense(64, 64),
            _grouped(64),
            nn.ConvTranspose2d(64, 64, 4, 2, 1, groups=2),  # 64 x 64 x 64
            _bend(),
            nn.Conv2d(64, 16, 3, padding=1),  # 16 x 64 x 64
            _bend(),
            nn.Conv2d(16, 2, 3, padding=1, groups=2),  # 2 x 64 x 64
            _bend(),
            nn.ConvTranspose2d(2, 2, 4, 2, 1, groups=2),  # 2 x 128 x 128
            nn.Hardtanh(-1, 1),
        )

    def forward(self, patterns: Tensor) -> Tensor:
        """Return amplitude and phase (rad)."""
        output: Tensor = self.decoder(self.encoder(patterns))
        return torch.cat([output[:, :1], output[:, 1:] * math.pi], dim=1)


def _bend() -> nn.Module:
    return nn.LeakyReLU(SLOPE, inplace=True)


def _dense(before: int, after: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(before, after, 3, stride, 1)
    return nn.Sequential(OrderedDict(conv=conv, relu=_bend()))


def _grouped(channels: int) -> nn.Sequential:
    conv = nn.Conv2d(channels, channels, 3, padding=1, groups=2, bias=False)
    return nn.Sequential(OrderedDict(depthwise=conv, relu=_bend()))
