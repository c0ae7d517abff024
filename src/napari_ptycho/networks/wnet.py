"""W-Net (our reconstruction): an encoder of ConvNeXt V2 stages, a decoder each for both images.

Xing et al., Adv. Opt. Technol. 13, 1474654 (2024), fix the kinds of layers only: a convolution with
a larger kernel, three steps down, four ConvNeXt V2 stages of 2:2:4:2 blocks (Woo et al., CVPR
2023), three squeeze-and-excitation blocks (Hu et al., CVPR 2018), two decoders of bilinear
interpolation and double convolution. Neither code nor weights are public. Widths are ours: W3-Net
has the published 8.26 % of PtychoNN's weights, W1-Net and W2-Net are larger. Shapes at the ends of
lines are for W3-Net and 64 x 64 pixels.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_ptycho.networks.ptychonn import double

DEPTHS = (2, 2, 4, 2)
EPS = 1e-6  # of LayerNorm and of the response normalisation


class WNet(nn.Module):
    """(B, 1, H, W) -> (B, 2, H, W), amplitude in (0, 1), phase within +-pi.

    H and W are multiples of 16.
    """

    def __init__(
        self, widths: tuple[int, int, int, int], wider: int, squeeze: int, separable: bool
    ) -> None:
        """Build it.

        Args:
            widths: Channels of the four stages.
            wider: Factor by which a block is wider inside.
            squeeze: Factor by which an excitation is narrower inside.
            separable: Whether decoders convolve channels apart, then mix them.
        """
        super().__init__()
        c1, c2, c3, c4 = widths
        self.encoder = nn.Sequential(
            nn.Conv2d(1, c1, 7, 2, 3), _LayerNorm(c1),  # 12 x 32 x 32
            _stage(c1, DEPTHS[0], wider), _Excite(c1, squeeze),
            _LayerNorm(c1), nn.Conv2d(c1, c2, 2, 2),  # 24 x 16 x 16
            _stage(c2, DEPTHS[1], wider), _Excite(c2, squeeze),
            _LayerNorm(c2), nn.Conv2d(c2, c3, 2, 2),  # 32 x 8 x 8
            _stage(c3, DEPTHS[2], wider), _Excite(c3, squeeze),
            _LayerNorm(c3), nn.Conv2d(c3, c4, 2, 2),  # 64 x 4 x 4
            _stage(c4, DEPTHS[3], wider),
        )  # fmt: skip
        self.decoder1 = _decoder(widths, separable)
        self.decoder2 = _decoder(widths, separable)

    def forward(self, patterns: Tensor) -> Tensor:
        """Return amplitude and phase (rad)."""
        inner = self.encoder(patterns)
        amplitude, phase = self.decoder1(inner), self.decoder2(inner)
        return torch.cat([torch.sigmoid(amplitude), torch.tanh(phase) * math.pi], dim=1)


class W1Net(WNet):
    """Larger than PtychoNN."""

    def __init__(self) -> None:
        super().__init__((32, 64, 128, 256), wider=4, squeeze=16, separable=False)


class W2Net(WNet):
    """The largest."""

    def __init__(self) -> None:
        super().__init__((48, 96, 192, 384), wider=4, squeeze=16, separable=False)


class W3Net(WNet):
    """The smallest: separable convolutions."""

    def __init__(self) -> None:
        super().__init__((12, 24, 32, 64), wider=2, squeeze=8, separable=True)


class _LayerNorm(nn.LayerNorm):
    """Normalises the channels of each pixel of (B, C, H, W).

    Permuted, because torch is quick where channels lie last in memory.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=EPS)

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _Response(nn.Module):
    """Global response normalisation of (B, H, W, C): channels compete; at first it does nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, image: Tensor) -> Tensor:
        strength = torch.linalg.vector_norm(image, dim=(1, 2), keepdim=True)
        share = strength / (strength.mean(dim=-1, keepdim=True) + EPS)
        return torch.addcmul(self.bias, image, self.weight * share + 1)


class _NeXt(nn.Module):
    """A ConvNeXt V2 block: large depthwise convolution, then two layers at each pixel."""

    def __init__(self, channels: int, wider: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=EPS)
        self.widen = nn.Linear(channels, wider * channels)
        self.response = _Response(wider * channels)
        self.narrow = nn.Linear(wider * channels, channels)

    def forward(self, image: Tensor) -> Tensor:
        pixels = self.norm(self.depthwise(image).permute(0, 2, 3, 1))
        pixels = self.narrow(self.response(functional.gelu(self.widen(pixels))))
        return image + pixels.permute(0, 3, 1, 2)


class _Excite(nn.Module):
    """Squeeze and excitation: each channel times a factor that all channels' means decide."""

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        inside = max(channels // squeeze, 1)
        self.squeeze = nn.Linear(channels, inside)
        self.excite = nn.Linear(inside, channels)

    def forward(self, image: Tensor) -> Tensor:
        inside = torch.relu(self.squeeze(image.mean(dim=(2, 3))))
        return image * torch.sigmoid(self.excite(inside))[:, :, None, None]


def _stage(channels: int, blocks: int, wider: int) -> nn.Sequential:
    return nn.Sequential(*[_NeXt(channels, wider) for _ in range(blocks)])


def _decoder(widths: tuple[int, int, int, int], separable: bool) -> nn.Sequential:
    c1, c2, c3, c4 = widths
    return nn.Sequential(
        double(), *_convs(c4, c3, separable),  # 32 x 8 x 8
        double(), *_convs(c3, c2, separable),  # 24 x 16 x 16
        double(), *_convs(c2, c1, separable),  # 12 x 32 x 32
        double(), *_convs(c1, c1, separable),  # 12 x 64 x 64
        nn.Conv2d(c1, 1, 3, padding=1),  # 1 x 64 x 64
    )  # fmt: skip


def _convs(before: int, after: int, separable: bool) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for channels in (before, after):
        if separable:
            own = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
            layers += [own, nn.Conv2d(channels, after, 1, bias=False)]
        else:
            layers.append(nn.Conv2d(channels, after, 3, padding=1, bias=False))
        layers += [nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return layers
