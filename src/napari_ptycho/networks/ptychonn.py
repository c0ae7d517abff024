"""PtychoNN: one encoder, a decoder for the amplitude and one for the phase.

Cherukara et al., Appl. Phys. Lett. 117, 044103 (2020). `PtychoNN` is the PyTorch form that the
authors published later, `PtychoNNKeras` the form of the paper. Nothing goes past the bottleneck: a
diffraction pattern and the object under the probe do not lie on each other.

Names of weights are the published ones (those of the Keras form ours). Shapes at the ends of lines
are for 64 x 64 pixels.
"""

import math

import torch
from torch import Tensor, nn


def block(
    before: int, after: int, groups: int = 1, norm: bool = False, bias: bool = True
) -> list[nn.Module]:
    """Return two 3 x 3 convolutions with a ReLU after each, and batch normalisation before that."""
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers.append(nn.Conv2d(channels, after, 3, padding=1, groups=groups, bias=bias))
        layers += [nn.BatchNorm2d(after)] if norm else []
        layers.append(nn.ReLU(inplace=True))
    return layers


def half() -> nn.Module:
    """Return what halves the sides."""
    return nn.MaxPool2d(2)


def double() -> nn.Module:
    """Return what doubles the sides, smoothly."""
    return nn.Upsample(scale_factor=2, mode="bilinear")


class PtychoNN(nn.Module):
    """The PyTorch form: (B, 1, H, W) -> (B, 2, H, W), amplitude in (0, 1), phase within +-pi.

    H and W are multiples of 8.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *block(1, 32), half(),  # 32 x 32 x 32
            *block(32, 64), half(),  # 64 x 16 x 16
            *block(64, 128), half(),  # 128 x 8 x 8
        )  # fmt: skip
        self.decoder1 = self._decoder()
        self.decoder2 = self._decoder()

    @staticmethod
    def _decoder() -> nn.Sequential:
        return nn.Sequential(
            *block(128, 128), double(),  # 128 x 16 x 16
            *block(128, 64), double(),  # 64 x 32 x 32
            *block(64, 64), double(),  # 64 x 64 x 64
            nn.Conv2d(64, 1, 3, padding=1),  # 1 x 64 x 64
        )  # fmt: skip

    def forward(self, patterns: Tensor) -> Tensor:
        """Return amplitude and phase (rad)."""
        inner = self.encoder(patterns)
        amplitude, phase = self.decoder1(inner), self.decoder2(inner)
        return torch.cat([torch.sigmoid(amplitude), torch.tanh(phase) * math.pi], dim=1)


class PtychoNNKeras(PtychoNN):
    """The form of the paper: (B, 1, H, W) -> (B, 2, H, W), neither output limited to a range.

    The encoder is the same. Sides are doubled by repeating pixels, and the last block is half as
    wide. H and W are multiples of 8.
    """

    @staticmethod
    def _decoder() -> nn.Sequential:
        return nn.Sequential(
            *block(128, 128), nn.Upsample(scale_factor=2),  # 128 x 16 x 16
            *block(128, 64), nn.Upsample(scale_factor=2),  # 64 x 32 x 32
            *block(64, 32), nn.Upsample(scale_factor=2),  # 32 x 64 x 64
            nn.Conv2d(32, 1, 3, padding=1),  # 1 x 64 x 64
        )  # fmt: skip

    def forward(self, patterns: Tensor) -> Tensor:
        """Return amplitude and phase (rad)."""
        inner = self.encoder(patterns)
        return torch.cat([self.decoder1(inner), self.decoder2(inner)], dim=1)
