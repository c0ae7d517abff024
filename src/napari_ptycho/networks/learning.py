"""What a training goes by: learning rate, inputs of several scans, half turns, precision."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_ptycho.networks.options import Scaling, TrainOptions

PLATEAU = 5  # validations without a better one before the rate is halved
LEAST = 0.01  # of the rate: it is halved no further
SWING = 0.1  # lowest rate of the cyclic schedule
HALF_CYCLE = 6  # epochs from the lowest to the highest rate (PtychoNN)


@dataclass
class Schedule:
    """Factor on the learning rate at each step."""

    options: TrainOptions
    epoch_steps: int
    """Steps of an epoch."""
    begun: int
    """Steps taken before this stretch of the training."""
    total: int
    """Steps of this stretch: the cosine falls over it."""
    factor_now: float = 1.0
    """Of the plateau schedule."""
    waited: int = 0
    """Validations without a better one since then, or since the rate was halved."""

    def factor(self, step: int) -> float:
        """Return the factor at a step, counted from the very first one of the network."""
        warm = self.options.warm_up
        if step < warm:
            return (step + 1) / (warm + 1)
        match self.options.schedule:
            case "cosine":
                first = max(self.begun, warm)
                share = (step - first) / max(1, self.begun + self.total - first)
                return 0.5 * (1 + math.cos(math.pi * min(share, 1)))
            case "cyclic":
                return self._triangle(step - warm)
            case "plateau":
                return self.factor_now
        return 1.0

    def validated(self, better: bool) -> None:
        """Take note of a validation: the plateau schedule halves the rate after `PLATEAU`."""
        self.waited = 0 if better else self.waited + 1
        if self.waited >= PLATEAU:
            self.factor_now, self.waited = max(LEAST, self.factor_now / 2), 0

    def _triangle(self, step: int) -> float:
        """Triangles whose height halves from cycle to cycle (triangular2; Smith 2017)."""
        half = HALF_CYCLE * self.epoch_steps
        cycle, within = divmod(step, 2 * half)
        height = 1 - abs(within / half - 1)
        return float(SWING + (1 - SWING) * height / 2**cycle)


def let_back(module: nn.Module) -> None:
    """Let outputs that a hard limit holds at 1 come back (straight-through slope).

    Its own slope is 0 there: an output that was once pushed over stays, and learns nothing.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Hardtanh):
            layer.register_full_backward_hook(lambda _, __, slope: slope)


def turned(counts: Tensor, labels: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Turn some pairs by half a turn about the pixel [n//2, n//2], patterns and labels alike.

    Args:
        counts: (B, h, w).
        labels: (B, 2, h, w).
        which: (B,) bool.
    """

    def half(images: Tensor) -> Tensor:
        odd = [1 - n % 2 for n in images.shape[-2:]]
        return images.flip((-2, -1)).roll(odd, (-2, -1))

    counts = torch.where(which[:, None, None], half(counts), counts)
    return counts, torch.where(which[:, None, None, None], half(labels), labels)


def precision(device: torch.device, scaling: Scaling) -> torch.dtype | None:
    """Return what layers compute in beside float32, or None for float32 alone.

    A GPU has float16 or bfloat16; a CPU bfloat16 where it has instructions for it (without, it is
    several times slower than float32). Weights and loss stay float32. Counts as they are exceed
    the range of float16.
    """
    if device.type == "cuda":
        if torch.cuda.get_device_capability(device) >= (8, 0):
            return torch.bfloat16
        return None if scaling == "counts" else torch.float16
    if device.type == "cpu":
        able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        native = able.get("avx512_bf16", False) or able.get("amx_bf16", False)
        return torch.bfloat16 if native else None
    return None


def values_of(module: nn.Module) -> dict[str, NDArray[Any]]:
    """Return copies of weights and buffers, on the CPU."""
    state = module.state_dict()
    return {
        name: np.array(value.detach().cpu().contiguous().numpy()) for name, value in state.items()
    }
