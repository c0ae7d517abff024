"""A device without double precision, on a CPU: what it computes is right, or an error.

A tensor of it wraps one on the CPU and says that it lies elsewhere. What works here may still lack
an operation on a real device; what makes a float64 fails there for certain.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

SINGLE = torch.device("meta")  # the only other name that torch lets a CPU build differentiate on
AT_ONCE = {
    torch.ops.aten._conj.default: torch.ops.aten._conj_physical.default,
    torch.ops.aten._neg_view.default: torch.ops.aten.neg.default,
}
"""What torch only notes on a tensor; inside a mode nobody reads the note."""
DOUBLE = (torch.float64, torch.complex128)


class There(torch.Tensor):
    """A tensor on the device."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=SINGLE,
        )

    def __init__(self, inner):
        self.inner = inner

    def tolist(self):
        return self.inner.tolist()

    def new_tensor(self, data):
        return self.inner.new_tensor(data).to(SINGLE)

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _computed(func, args, kwargs or {})


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _computed(func, args, kwargs or {})


@contextmanager
def without_double() -> Iterator[torch.device]:
    """Yield a device; inside the block its tensors can be made, and are never float64."""
    plain = torch.tensor

    def tensor(data, dtype=None, device="cpu"):
        return plain(data, dtype=dtype).to(device)

    with ExitStack() as stack:
        stack.enter_context(patch.object(torch, "Generator", _Generator))
        stack.enter_context(patch.object(torch, "autocast", lambda *_, **__: nullcontext()))
        stack.enter_context(patch.object(torch, "tensor", tensor))
        stack.enter_context(patch.object(torch, "inference_mode", _without_slopes))
        stack.enter_context(patch("torch.optim.adam._device_dtype_check_for_fused"))
        stack.enter_context(_Mode())
        yield SINGLE


def _without_slopes(on=True):
    return torch.set_grad_enabled(not on)


class _Generator(torch.Generator):
    def __new__(cls, device="cpu"):
        return super().__new__(cls, "cpu")


def _computed(func, args, kwargs):
    leaves = tree_leaves((args, kwargs))
    named = [leaf for leaf in leaves if isinstance(leaf, torch.device)]
    there = SINGLE in named if named else any(isinstance(leaf, There) for leaf in leaves)
    func = AT_ONCE.get(func, func)
    args, kwargs = tree_map(_inner, (args, kwargs))
    result = func(*args, **kwargs)
    return tree_map(_outer, result) if there else result


def _inner(leaf):
    if isinstance(leaf, torch.device):
        return torch.device("cpu")
    return leaf.inner if isinstance(leaf, There) else leaf


def _outer(leaf):
    if not isinstance(leaf, torch.Tensor):
        return leaf
    if leaf.dtype in DOUBLE:
        raise TypeError(f"the device has no {leaf.dtype}")
    return There(leaf)
