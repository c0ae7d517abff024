"""The hour-glass of the Deep Image Prior (Ulyanov, Vedaldi & Lempitsky, IJCV 2020), rewritten.

Five levels down by strided convolutions and up by bilinear interpolation, which leaves no grid as
transposed convolutions do; only the two deepest levels pass something by ("skips"). It has a few
hundred thousand weights but is slow to learn noise: that is the prior.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_ptycho.denoise.layers import draw, mirrored

WIDTHS = (8, 16, 32, 64, 128)
SKIPS = (0, 0, 0, 4, 4)
SLOPE = 0.2  # of the leaky ReLU


class SkipNet(nn.Module):
    """An image in, an image of the same size out."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        random: torch.Generator,
        widths: tuple[int, ...] = WIDTHS,
        skips: tuple[int, ...] = SKIPS,
    ) -> None:
        """Build the network on the CPU.

        Args:
            channels_in: Of the input.
            channels_out: Of the output, which is not limited to any range.
            random: Draws the weights, on the CPU.
            widths: Channels of each level, the outermost first.
            skips: Channels that pass each level by; 0 is none.
        """
        super().__init__()
        self.factor: int = 2 ** len(widths)
        self.body = _level(channels_in, widths, skips)
        self.last = nn.Conv2d(widths[0], channels_out, 1, device="meta")
        self.to_empty(device="cpu")
        draw(self, random)

    def forward(self, image: Tensor) -> Tensor:
        """Return the output (1, channels_out, H, W) for an image (1, channels_in, H, W), any H, W.

        Sides are mirrored to multiples of 32 (2^levels), at least twice that, and cut off again.
        """
        return mirrored(self._whole, image, self.factor)

    def _whole(self, image: Tensor) -> Tensor:
        out: Tensor = self.last(self.body(image))
        return out


class _Level(nn.Module):
    """Down, what lies below, up, joined with what passes by, and mixed."""

    def __init__(self, skip: nn.Module | None, deeper: nn.Module, mix: nn.Module) -> None:
        super().__init__()
        self.skip, self.deeper, self.mix = skip, deeper, mix

    def forward(self, image: Tensor) -> Tensor:
        below = self.deeper(image)
        above = functional.interpolate(below, scale_factor=2, mode="bilinear", align_corners=False)
        if self.skip is not None:
            above = torch.cat([self.skip(image), above], dim=1)
        mixed: Tensor = self.mix(above)
        return mixed


def _level(channels: int, widths: tuple[int, ...], skips: tuple[int, ...]) -> nn.Module:
    """Return the outermost of the levels, with the others inside."""
    width, by = widths[0], skips[0]
    down = [*_conv(channels, width, 3, stride=2), *_conv(width, width, 3)]
    inside = width
    if len(widths) > 1:
        down.append(_level(width, widths[1:], skips[1:]))
        inside = widths[1]
    skip = nn.Sequential(*_conv(channels, by, 1)) if by else None
    norm = _norm(by + inside)
    mix = nn.Sequential(norm, *_conv(by + inside, width, 3), *_conv(width, width, 1))
    return _Level(skip, nn.Sequential(*down), mix)


def _conv(before: int, after: int, size: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, size, stride, size // 2, padding_mode="reflect", device="meta")
    return [conv, _norm(after), nn.LeakyReLU(SLOPE)]


def _norm(channels: int) -> nn.Module:
    """Return a batch normalisation that always uses the statistics of the one image it sees."""
    return nn.BatchNorm2d(channels, track_running_stats=False, device="meta")
