"""What our networks share: weights from a generator of our own, images of any size."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAST = 2  # pixels of the deepest level: normalising one alone would leave nothing
BEND = 0.25  # first slope of a PReLU, as torch has it


def draw(net: nn.Module, random: torch.Generator) -> None:
    """Fill the weights as torch does by itself, but from a generator of our own."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            reach = 1 / math.sqrt(module.weight[0].numel())
            assert module.bias is not None  # all of ours have one
            for part in (module.weight, module.bias):
                nn.init.uniform_(part, -reach, reach, generator=random)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.PReLU):
            nn.init.constant_(module.weight, BEND)


def mirrored(body: Callable[[Tensor], Tensor], image: Tensor, factor: int) -> Tensor:
    """Mirror the sides of an image (1, C, H, W) to multiples of `factor`, at least two of them.

    The output is cut to (1, C', H, W) again.
    """
    h, w = image.shape[-2:]
    rows, top = _mirror(h, factor, image.device)
    columns, left = _mirror(w, factor, image.device)
    if len(rows) > h or len(columns) > w:
        image = image[..., rows, :][..., columns]
    return body(image)[..., top : top + h, left : left + w]


def _mirror(n: int, factor: int, device: torch.device) -> tuple[Tensor, int]:
    """Return which pixels a side of n takes when mirrored to a multiple, and how many precede."""
    size = max(LEAST, -(-n // factor)) * factor
    before = (size - n) // 2
    turn = max(1, 2 * (n - 1))
    at = (torch.arange(size, device=device) - before) % turn
    return torch.minimum(at, turn - at).clamp_max_(n - 1), before


class Bend(nn.PReLU):
    """A PReLU of one slope, after every channel of one image (1, C, H, W) was normalised."""

    quick = False
    """Made of torch's vectorised leaky ReLU: on a CPU its PReLU is slow."""

    def __init__(self) -> None:
        super().__init__(device="meta")

    def forward(self, image: Tensor) -> Tensor:
        """Normalise and bend.

        For a batch of one, normalising the batch is normalising the instance, but spares the copies
        that torch makes of images whose channels lie last.
        """
        normal = functional.batch_norm(image, None, None, training=True)
        if self.quick:
            bent: Tensor = _Bent.apply(normal, self.weight)  # type: ignore[no-untyped-call]
            return bent
        return super().forward(normal)


class _Bent(torch.autograd.Function):
    """A PReLU of one slope."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, slope: Tensor) -> Tensor:
        ctx.slope = float(slope)
        ctx.save_for_backward(image)
        return functional.leaky_relu(image, ctx.slope)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor]:
        (image,) = ctx.saved_tensors
        (above,) = slopes
        below = torch.ops.aten.leaky_relu_backward(above, image, ctx.slope, False)
        return below, (above * image.clamp_max(0)).sum().reshape(1)


def make_quick(net: nn.Module) -> None:
    """Choose what is fast on a CPU."""
    for module in net.modules():
        if isinstance(module, Bend):
            module.quick = True
