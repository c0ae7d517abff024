"""The same network, faster to use: what training needs is folded away (torch)."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

THIN = 8
"""Grouped convolutions to fewer channels than this are slower than dense ones that hold zeros."""


class Doubled(nn.Module):
    """A transposed convolution (4 x 4, stride 2, padding 1) as a 2 x 2 convolution.

    Each output pixel has four inputs, and which weights they meet depends on whether its row and
    its column are even: four outputs per coarse pixel, laid out where they belong.
    """

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__()
        groups, channels = layer.groups, layer.out_channels
        weight = torch.unflatten(layer.weight.detach(), 0, (groups, -1)).transpose(1, 2)
        taps = {0: [3, 1], 1: [2, 0]}  # of even and odd rows, for the pixel before and this one
        parts = [weight[..., taps[a], :][..., taps[b]] for a in (0, 1) for b in (0, 1)]
        self.conv = nn.Conv2d(layer.in_channels, 4 * channels, 2, padding=1, groups=groups)
        self.conv.weight.data = torch.stack(parts, dim=1).flatten(0, 2).contiguous()
        bias = torch.zeros(channels) if layer.bias is None else layer.bias.detach()
        self.conv.bias = nn.Parameter(bias.view(groups, 1, -1).expand(-1, 4, -1).flatten())
        self.groups = groups

    def forward(self, given: Tensor) -> Tensor:
        """Return (B, C, 2 H, 2 W) of (B, C', H, W)."""
        count, _, h, w = given.shape
        grid = torch.unflatten(self.conv(given).permute(0, 2, 3, 1), 3, (self.groups, 4, -1))
        made = grid.new_empty(count, h, 2, w, 2, self.groups, grid.shape[-1])
        for a in (0, 1):
            for b in (0, 1):
                made[:, :, a, :, b] = grid[:, a : a + h, b : b + w, :, 2 * a + b]
        return made.view(count, 2 * h, 2 * w, -1).permute(0, 3, 1, 2)


def quick(module: nn.Module) -> nn.Module:
    """Rewrite layers in place, for prediction only; outputs agree to rounding.

    Batch normalisation is folded into the convolution before it; transposed convolutions become
    `Doubled`; thin grouped convolutions become dense.
    """
    module.eval().requires_grad_(False)
    for part in list(module.modules()):
        if isinstance(part, nn.Sequential):
            _fold(part)
        for name, layer in list(part.named_children()):
            if isinstance(layer, nn.ConvTranspose2d) and _doubles(layer):
                setattr(part, name, Doubled(layer).requires_grad_(False))
            elif isinstance(layer, nn.Conv2d) and layer.groups > 1 and layer.out_channels < THIN:
                setattr(part, name, _dense(layer))
    return module


def _fold(part: nn.Sequential) -> None:
    for name, after in pairwise(list(part._modules)):
        conv, norm = part._modules[name], part._modules[after]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            part._modules[name] = fuse_conv_bn_eval(conv, norm)
            part._modules[after] = nn.Identity()


def _doubles(layer: nn.ConvTranspose2d) -> bool:
    have = layer.kernel_size, layer.stride, layer.padding, layer.output_padding, layer.dilation
    return have == ((4, 4), (2, 2), (1, 1), (0, 0), (1, 1))


def _dense(layer: nn.Conv2d) -> nn.Conv2d:
    weight = layer.weight.detach()
    blocks = [
        torch.zeros(len(part), layer.in_channels, *weight.shape[2:])
        for part in weight.chunk(layer.groups)
    ]
    inputs = weight.shape[1]
    for number, part in enumerate(weight.chunk(layer.groups)):
        blocks[number][:, number * inputs : (number + 1) * inputs] = part
    layer.weight = nn.Parameter(torch.cat(blocks), requires_grad=False)
    layer.groups = 1
    return layer


def channels_last(module: nn.Module) -> nn.Module:
    """Lay the weights of convolutions out as CPUs and GPUs like them best, in place."""
    for weight in (*module.parameters(), *module.buffers()):
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return module


def compiled(module: nn.Module, given: Tensor) -> tuple[Callable[[Tensor], Tensor], str]:
    """Return the module compiled for inputs like the given one, and a sentence if that failed."""
    faster: Callable[[Tensor], Tensor] = torch.compile(module)
    try:
        with torch.inference_mode():
            faster(given)
    except (RuntimeError, OSError, ImportError) as error:  # no compiler, no Triton, no headers
        why = str(error).strip().splitlines() or [type(error).__name__]
        return module, f"the network runs as it is, as compiling failed: {why[0]}"
    return faster, ""
