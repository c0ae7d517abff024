"""From the name of an architecture to a torch module with drawn weights."""

import math
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module

import torch
from torch import nn

from napari_ptycho.networks.architectures import architecture_of

Linear = nn.Conv2d | nn.ConvTranspose2d | nn.Linear


def build(name: str, seed: int = 0) -> nn.Module:
    """Return a network in training mode, on the CPU, in float32.

    Args:
        name: A key of `ARCHITECTURES`.
        seed: Of the weights, which are drawn as the network's authors do; the generators of torch
            stay as they are.

    Raises:
        OptionsError: There is no architecture of this name.
    """
    network = blank(name)
    random = torch.Generator().manual_seed(seed)
    rule = _RULES.get(name, _as_torch)
    with torch.no_grad():
        for module in network.modules():
            _draw(module, rule, random)
    return network


def blank(name: str) -> nn.Module:
    """Return a network whose weights are all 0, with no number drawn.

    Raises:
        OptionsError: There is no architecture of this name.
    """
    module, _, kind = architecture_of(name).module.partition(":")
    with torch.device("meta"):  # shapes only
        network: nn.Module = getattr(import_module(f"{__package__}.{module}"), kind)()
    # Module.to_empty would do, but its first use takes a second.
    zeros = {key: torch.zeros(w.shape, dtype=w.dtype) for key, w in network.state_dict().items()}
    network.load_state_dict(zeros, assign=True)
    return network


def misfit(found: Mapping[str, tuple[int, ...]], name: str) -> str:
    """Say in what weights differ from those of an architecture; "" where they fit.

    Args:
        found: Name -> shape of each weight.
        name: A key of `ARCHITECTURES`.

    Raises:
        OptionsError: There is no architecture of this name.
    """
    needed = _shapes(name)
    for key in sorted(needed.keys() - found.keys()):
        return f"'{key}' is missing"
    for key in sorted(found.keys() - needed.keys()):
        return f"'{key[:60]}' is one too many"
    for key, shape in needed.items():
        if found[key] != shape:
            return f"'{key}' has the shape {found[key]}; need {shape}"
    return ""


@cache
def _shapes(name: str) -> Mapping[str, tuple[int, ...]]:
    return {key: tuple(weight.shape) for key, weight in blank(name).state_dict().items()}


def _draw(
    module: nn.Module, rule: Callable[[Linear, torch.Generator], None], random: torch.Generator
) -> None:
    if isinstance(module, Linear):
        rule(module, random)
    elif isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
        module.reset_parameters()
    else:
        for parameter in module.parameters(recurse=False):  # of response normalisation
            nn.init.zeros_(parameter)


def _as_torch(layer: Linear, random: torch.Generator) -> None:
    reach = 1 / math.sqrt(layer.weight[0].numel())
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -reach, reach, generator=random)


def _as_keras(layer: Linear, random: torch.Generator) -> None:
    nn.init.xavier_uniform_(layer.weight, generator=random)
    _no_bias(layer)


def _as_ptynet(layer: Linear, random: torch.Generator) -> None:
    if isinstance(layer, nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0, 0.02, generator=random)
    else:
        nn.init.xavier_normal_(layer.weight, generator=random)
    _no_bias(layer)


def _no_bias(layer: Linear) -> None:
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


_RULES: Mapping[str, Callable[[Linear, torch.Generator], None]] = {
    "ptychonn-keras": _as_keras,
    "ptynet-s": _as_ptynet,
    "ptynet-b": _as_ptynet,
}
