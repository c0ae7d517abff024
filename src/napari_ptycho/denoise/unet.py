"""The U-Net of Erin et al. 2025 (Arch 1 and Arch 2), as MONAI's `UNet` builds it, rewritten.

Two residual units per level; the first convolution has stride 2 already, so nothing of full
resolution passes by. Weights stand in MONAI's order and mean the same (a test copies them over).
With `up="transposed"`, as published, every output phase of a transposed convolution has weights of
its own, which prints a grid on the image while the network is little trained (Odena et al. 2016);
`up="bilinear"` puts interpolation and a convolution in their place: as many weights, no grid.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_ptycho.denoise.layers import Bend, draw, mirrored

Up = Literal["transposed", "bilinear"]
ARCH1 = (8, 16, 32, 64, 128)
ARCH2 = (128,) * 6


class UNet(nn.Module):
    """An image in, an image of the same size out."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        random: torch.Generator,
        widths: tuple[int, ...] = ARCH1,
        up: Up = "transposed",
    ) -> None:
        """Build the network on the CPU.

        Args:
            channels_in: Of the input.
            channels_out: Of the output, which is not limited to any range.
            random: Draws the weights, on the CPU.
            widths: Channels of each level, the outermost first; one step of 2 between two.
            up: How the image is enlarged again.
        """
        super().__init__()
        self.factor: int = 2 ** (len(widths) - 1)
        self.body = _Level(channels_in, channels_out, widths, up, top=True)
        self.to_empty(device="cpu")
        draw(self, random)

    def forward(self, image: Tensor) -> Tensor:
        """Return the output (1, channels_out, H, W) for an image (1, channels_in, H, W), any H, W.

        Sides are mirrored to multiples of 16 (Arch 1) or 32 (Arch 2) and cut off again.
        """
        return mirrored(self.body, image, self.factor)


class _Level(nn.Module):
    """Down, what lies below, joined with what came down, up."""

    def __init__(
        self, before: int, after: int, widths: tuple[int, ...], up: Up, top: bool = False
    ) -> None:
        super().__init__()
        width = widths[0]
        self.down = _Down(before, width, 2)
        deepest = len(widths) == 2
        self.deeper: nn.Module = (
            _Down(width, widths[1], 1) if deepest else _Level(width, width, widths[1:], up)
        )
        below = widths[1] if deepest else width
        self.up = _Up(width + below, after, up)
        self.after = _Conv(after, after, plain=top)

    def forward(self, image: Tensor) -> Tensor:
        here = self.down(image)
        raised = self.up(torch.cat([here, self.deeper(here)], dim=1))
        mixed: Tensor = self.after(raised)
        return mixed.add_(raised)


class _Down(nn.Module):
    """A residual unit: two convolutions, and one that passes by."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = _Conv(before, after, stride)
        self.second = _Conv(after, after)
        size = 3 if stride > 1 else 1
        self.by: nn.Module = nn.Identity()
        if stride > 1 or before != after:
            self.by = nn.Conv2d(before, after, size, stride, size // 2, device="meta")

    def forward(self, image: Tensor) -> Tensor:
        mixed: Tensor = self.second(self.first(image))
        return mixed.add_(self.by(image))


class _Conv(nn.Module):
    """A convolution, then normalisation and PReLU, unless it is plain.

    The normalisation takes every constant away, so the bias before it is left out: MONAI adds it in
    vain.
    """

    def __init__(self, before: int, after: int, stride: int = 1, plain: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, stride, 1, device="meta")
        self.bend = None if plain else Bend()

    def forward(self, image: Tensor) -> Tensor:
        if self.bend is None:
            out: Tensor = self.conv(image)
            return out
        weight, stride, padding = self.conv.weight, self.conv.stride, self.conv.padding
        return self.bend(functional.conv2d(image, weight, None, stride, padding))


class _Up(nn.Module):
    """Twice as large, then normalisation and PReLU."""

    def __init__(self, before: int, after: int, up: Up) -> None:
        super().__init__()
        self.conv: nn.Conv2d | nn.ConvTranspose2d
        if up == "transposed":
            self.conv = nn.ConvTranspose2d(before, after, 3, 2, 1, 1, device="meta")
        else:
            self.conv = nn.Conv2d(before, after, 3, padding=1, device="meta")
        self.bend = Bend()

    def forward(self, image: Tensor) -> Tensor:
        weight = self.conv.weight
        if isinstance(self.conv, nn.Conv2d):
            image = functional.interpolate(
                image, scale_factor=2, mode="bilinear", align_corners=False
            )
            return self.bend(functional.conv2d(image, weight, None, padding=1))
        return self.bend(functional.conv_transpose2d(image, weight, None, 2, 1, 1))
