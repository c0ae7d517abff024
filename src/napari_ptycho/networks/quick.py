"""The same network, faster to use: what training needs is folded away (torch)."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def quick(module: nn.Module) -> nn.Module:
    """Fold batch normalisation into the convolutions before it, in place, in evaluation mode.

    Outputs agree to rounding.
    """
    module.eval().requires_grad_(False)
    for part in module.modules():
        if not isinstance(part, nn.Sequential):
            continue
        names = list(part._modules)
        for name, after in pairwise(names):
            conv, norm = part._modules[name], part._modules[after]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                part._modules[name] = fuse_conv_bn_eval(conv, norm)
                part._modules[after] = nn.Identity()
    return module


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
