"""State of torch as arrays and back, bit for bit and in its own memory layout: for checkpoints."""

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho.errors import JobError


def put(tensors: Mapping[str, Tensor], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Fill tensors with arrays of the same names and shapes.

    Raises:
        JobError: Names or shapes are others.
    """
    if tensors.keys() != arrays.keys():
        raise JobError("the checkpoint holds other arrays than this job has; start anew without it")
    with torch.no_grad():
        for name, tensor in tensors.items():
            if tuple(tensor.shape) != arrays[name].shape:
                raise JobError(
                    f"the checkpoint's '{name}' has shape {arrays[name].shape}, this job's has "
                    f"{tuple(tensor.shape)}; start anew without it"
                )
            tensor.copy_(tensor_of(arrays[name]))


def tensor_of(array: NDArray[Any]) -> Tensor:
    """Return a tensor of its own with the values of an array, on the CPU."""
    return torch.from_numpy(array.copy())


def laid_out(tensor: Tensor | None) -> dict[str, Any] | None:
    """Return a tensor with its memory layout, which decides on the last bits of what follows."""
    return None if tensor is None else {"values": tensor, "strides": list(tensor.stride())}


def restored(tree: Mapping[str, Any] | None, device: torch.device) -> Tensor | None:
    """Return the tensor that `laid_out` was given."""
    if tree is None:
        return None
    found = tensor_of(tree["values"]).to(device)
    made = torch.empty_strided(found.shape, tree["strides"], dtype=found.dtype, device=device)
    return made.copy_(found)


def adam_state(adam: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the memory of an optimiser as a tree (see `io.autosave.flat`)."""
    state = adam.state_dict()
    groups = [
        {name: value for name, value in group.items() if isinstance(value, float)}
        for group in state["param_groups"]
    ]
    memory = {str(number): dict(memory) for number, memory in state["state"].items()}
    return {"memory": memory, "groups": groups}


def load_adam(adam: torch.optim.Optimizer, tree: Mapping[str, Any]) -> None:
    """Give a new optimiser of the same weights the memory of another."""
    state = adam.state_dict()
    for group, found in zip(state["param_groups"], tree["groups"], strict=True):
        group |= found
    weights = [weight for group in adam.param_groups for weight in group["params"]]
    memory = {
        int(number): {name: _like(weights[int(number)], array) for name, array in found.items()}
        for number, found in tree["memory"].items()
    }
    adam.load_state_dict({**state, "state": memory})


def _like(weight: Tensor, array: NDArray[Any]) -> Tensor:
    """Return an array as a tensor, in the memory layout of a weight of its shape."""
    found = tensor_of(array)
    if found.shape != weight.shape:
        return found
    return torch.empty_like(weight, dtype=found.dtype, requires_grad=False).copy_(found)


def random_state(random: torch.Generator) -> Tensor:
    """Return where a generator stands."""
    return random.get_state()


def load_random(random: torch.Generator, array: NDArray[Any]) -> None:
    """Let a generator go on from where another stood; one of another device stays where it is."""
    if array.size == random.get_state().numel():
        random.set_state(tensor_of(array))
