"""What a network costs.

A small pattern runs through it, and what grows with the pixels is scaled up. The meta device of
torch would tell the same, but its first use takes seconds.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from napari_ptycho.networks.architectures import architecture_of
from napari_ptycho.networks.table import blank

BYTES = 4  # of a float32


@dataclass(frozen=True)
class Cost:
    """The cost of one architecture for patterns of one size, in float32."""

    parameters: int
    """Weights that are learnt."""
    gflop: float
    """10^9 operations per pattern: twice the multiply-adds of convolutions and dense layers."""
    weight_bytes: int
    """Memory of the weights."""
    train_bytes: int
    """Memory per pattern to train: what the way back needs (an estimate)."""

    def text(self) -> str:
        """Return it in a few words: "324 k parameters, 0.11 GFLOP per pattern, 1.3 MB"."""
        count = self.parameters
        short = f"{count / 1e6:.3g} M" if count >= 999_500 else f"{count / 1e3:.3g} k"
        gflop = f"{self.gflop:.2g} GFLOP per pattern"
        return f"{short} parameters, {gflop}, {self.weight_bytes / 1e6:.2g} MB"


@cache
def cost(name: str, shape: tuple[int, int] = (64, 64)) -> Cost:
    """Return what an architecture costs.

    Args:
        name: A key of `ARCHITECTURES`.
        shape: Pixels (height, width) of a pattern, padded as the architecture needs it.

    Raises:
        OptionsError: There is no architecture of this name.
    """
    network = blank(name)
    multiple = architecture_of(name).multiple
    height, width = (-(-n // multiple) * multiple for n in shape)
    small = 2 * multiple  # its deepest level has 2 x 2 pixels: batch normalisation needs several
    times = height * width / small**2
    pattern = torch.zeros(1, 1, small, small)
    operations = _operations(network.eval(), pattern)
    kept = _kept(network.train(), pattern)
    parameters = sum(weight.numel() for weight in network.parameters())
    return Cost(
        parameters,
        operations * times / 1e9,
        parameters * BYTES,
        round(kept * times),
    )


def _operations(network: nn.Module, pattern: Tensor) -> int:
    """Return the operations of all layers."""
    operations = [0]

    def note(layer: nn.Module, given: tuple[Any, ...], made: Tensor) -> None:
        if isinstance(layer, nn.ConvTranspose2d):  # each input pixel meets weights (out, k, k)
            operations.append(2 * given[0].numel() * layer.weight[0].numel())
        elif isinstance(layer, nn.Conv2d | nn.Linear):  # each output pixel meets (in, k, k)
            operations.append(2 * made.numel() * layer.weight[0].numel())

    layers = [layer for layer in network.modules() if not any(layer.children())]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    with torch.no_grad():
        network(pattern)
    for hook in hooks:
        hook.remove()
    return sum(operations)


def _kept(network: nn.Module, pattern: Tensor) -> int:
    """Return the bytes that a pass forth keeps for the way back, weights apart."""
    weights = {id(weight.untyped_storage()) for weight in network.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[id(storage)] = storage
        return tensor

    with torch.random.fork_rng(devices=[]), saved_tensors_hooks(keep, lambda tensor: tensor):
        network(pattern)  # dropout draws from torch's own generator
    return sum(storage.nbytes() for key, storage in kept.items() if key not in weights)
