"""PtyNet-B: large, residual, with 5 x 5 convolutions.

Pan et al., iScience 26, 108420 (2023), layers from the authors' public code (`Net1_3.py`). Its
forward pass never calls the last layer that it declares: the four weights are here so that
published ones fit, and are not used. Names of weights are the published ones. Shapes at the ends of
lines are for 128 x 128 pixels.
"""

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

SLOPE = 0.2  # of the leaky ReLU


class PtyNetB(nn.Module):
    """(B, 1, H, W) -> (B, 2, H, W) amplitude and phase; H and W are multiples of 16."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            _Encode(1, 32, 2),  # 32 x 64 x 64
            _Encode(32, 64, 2),  # 64 x 32 x 32
            _Encode(64, 128, 4),  # 128 x 16 x 16
            _Encode(128, 256, 2),  # 256 x 8 x 8
        )
        self.decoder = nn.Sequential(
            _Decode(256, 128, 2),  # 128 x 16 x 16
            _Decode(128, 64, 4),  # 64 x 32 x 32
            _Decode(64, 32, 2),  # 32 x 64 x 64
            _Decode(32, 2, 2),  # 2 x 128 x 128
        )
        self.last_layer = nn.Sequential(nn.Conv2d(2, 2, 1, bias=False), nn.Hardtanh(-1, 1))

    def forward(self, patterns: Tensor) -> Tensor:
        """Return amplitude and phase (rad)."""
        output: Tensor = self.decoder(self.encoder(patterns))
        return torch.cat([output[:, :1], output[:, 1:] * math.pi], dim=1)


class _Encode(nn.Module):
    """Half the sides, then residual blocks."""

    def __init__(self, before: int, after: int, blocks: int) -> None:
        super().__init__()
        self.down = _Down(before, after)
        self.blocks = nn.Sequential(*[_Residual(after, groups=1) for _ in range(blocks)])

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.blocks(self.down(image))
        return out


class _Decode(nn.Module):
    """Residual blocks in two groups, then twice the sides."""

    def __init__(self, before: int, after: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*[_Residual(before, groups=2) for _ in range(blocks)])
        self.up = _Up(before, after)

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.up(self.blocks(image))
        return out


class _Residual(nn.Module):
    """Two normalised 5 x 5 convolutions, and a 1 x 1 one that passes by."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.conv1 = _conv(channels, channels, 5, norm=True)
        self.conv2 = _conv(channels, channels, 5, groups, norm=True)
        self.conv = _conv(channels, channels, 1, groups, bend=False)

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.conv2(self.conv1(image))
        return out + self.conv(image)


class _Down(nn.Module):
    """Two convolutions and one that passes by, then half the sides."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = _conv(before, after, 5)
        self.conv2 = _conv(after, after, 1)
        self.down = nn.Conv2d(after, after, 2, 2, bias=False)
        self.proj = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.down(self.conv2(self.conv1(image)) + self.proj(image))
        return out


class _Up(nn.Module):
    """Two convolutions in two groups and one that passes by, then twice the sides."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = _conv(before, after, 5, groups=2)
        self.conv2 = _conv(after, after, 1, groups=2)
        self.up = nn.ConvTranspose2d(after, after, 2, 2, bias=False)
        self.proj = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.up(self.conv2(self.conv1(image)) + self.proj(image))
        return out


def _conv(
    before: int, after: int, size: int, groups: int = 1, norm: bool = False, bend: bool = True
) -> nn.Sequential:
    """Return a convolution that keeps the sides; one in groups has no bias."""
    conv = nn.Conv2d(before, after, size, padding=size // 2, groups=groups, bias=groups == 1)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        {"conv" if groups == 1 else "depthwise": conv}
    )
    if norm:
        layers["bn"] = nn.BatchNorm2d(after)
    if bend:
        layers["relu"] = nn.LeakyReLU(SLOPE, inplace=True)
    return nn.Sequential(layers)
