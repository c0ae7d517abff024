"""A network with all it takes to use it: weights, how its input is made, what it learnt from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import OptionsError
from napari_ptycho.model.arrays import Complexes, frozen
from napari_ptycho.networks.architectures import Architecture, architecture_of
from napari_ptycho.networks.options import Scaling

if TYPE_CHECKING:
    from torch import nn

FLOOR = 3
"""Counts below this are set to 0 where counts go in as they are (PtychoNN)."""


@dataclass(frozen=True, eq=False)
class Preparation:
    """How counts become the input of a network; kept with its weights."""

    scaling: Scaling = "standardised"
    shape: tuple[int, int] = (64, 64)
    """Pixels (height, width) of the patterns that it was taught with."""
    mean: NDArray[np.float32] | None = None
    """(h, w) mean of what is standardised, zero frequency in the middle; None where nothing is."""
    std: float = 1.0
    """One standard deviation of what is standardised, over all pixels."""


@dataclass(frozen=True, eq=False)
class Network:
    """A network that was taught: immutable, on the CPU, without torch until it is used."""

    architecture: str
    """A name in `ARCHITECTURES`."""
    weights: Mapping[str, NDArray[Any]]
    """Name -> values, as torch calls them (parameters and buffers)."""
    preparation: Preparation
    name: str = "network"
    amplitude_scale: float = 1.0
    """An output amplitude of 1 stands for this (labels are scaled to be at most 1)."""
    probe: Complexes | None = None
    """(M, h, w) the probe of its training, where there was one: what patches are weighted by."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Where it comes from (options, data, metrics, versions): plain values, fit for JSON."""

    def __post_init__(self) -> None:
        architecture_of(self.architecture)  # raises if unknown
        weights = {name: frozen(value) for name, value in self.weights.items()}
        for name, value in weights.items():
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise OptionsError(
                    f"{self.name}: weight '{name}' is not finite; train it again with a smaller "
                    "rate, or choose another network"
                )
        object.__setattr__(self, "weights", weights)

    @property
    def kind(self) -> Architecture:
        """What is known of its architecture."""
        return architecture_of(self.architecture)

    def module(self) -> "nn.Module":
        """Return it as a torch module in evaluation mode, on the CPU.

        Raises:
            OptionsError: The weights are not those of the architecture.
        """
        import torch

        from napari_ptycho.networks.table import build

        module = build(self.architecture)
        state = {name: torch.from_numpy(np.array(value)) for name, value in self.weights.items()}
        try:
            module.load_state_dict(state, strict=True)
        except RuntimeError as error:
            raise OptionsError(
                f"{self.name}: these are not the weights of {self.kind.title}: "
                f"{str(error).splitlines()[-1].strip()}"
            ) from error
        return module.eval()
