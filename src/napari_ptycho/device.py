"""What hardware there is, and how many threads a job may use: the only place that asks."""

import os
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from napari_ptycho import __version__
from napari_ptycho.errors import JobError

if TYPE_CHECKING:
    import torch

CHOICES = ("auto", "cpu", "cuda", "mps")
SPARE = 0.9  # of the free memory that a job may take


def pick(name: str = "auto") -> "torch.device":
    """Return the device to compute on.

    Args:
        name: "auto" (CUDA where it is, else the CPU), or a device by name ("cuda:1"). Apple's MPS
            is taken only by its name: nobody has tried it.

    Raises:
        JobError: The named device is not there, or no device has this name.
    """
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device("cuda" if available["cuda"] else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise JobError(f"no device is called '{name}'; there is {', '.join(CHOICES)}") from error
    missing = not available.get(device.type, device.type == "cpu")
    if device.type == "cuda" and device.index is not None:
        missing = missing or device.index >= torch.cuda.device_count()
    if missing:
        raise JobError(f"device '{name}' was asked for but is not on this machine; use auto or cpu")
    return device


def precise(device: "torch.device") -> "torch.dtype":
    """Return the real type to add up in on a device: float64, where it has one (MPS has none)."""
    import torch

    return torch.float64 if device.type in ("cpu", "cuda") else torch.float32


def each(names: str) -> list[str]:
    """Return the devices that a choice names: several between commas, or "cuda:all".

    Raises:
        JobError: "cuda:all" where there is no GPU.
    """
    if names != "cuda:all":
        return [name.strip() for name in names.split(",")]
    import torch

    if not torch.cuda.is_available():
        raise JobError("'cuda:all' was asked for but there is no CUDA device; use auto or cpu")
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())]


def window_threads() -> int:
    """CPU threads for a job beside an open window: all cores but one, which the window keeps."""
    return max(1, (os.cpu_count() or 1) - 1)


def warm_up() -> None:
    """Import torch and take one optimiser step: what makes a first step slow, done in advance.

    The first `Adam` imports some 800 modules in bursts; in a job's thread they cost an open window
    nothing, on the window's own they freeze it for half a second.
    """
    import torch

    weight = torch.zeros(1, requires_grad=True)
    torch.autograd.backward(weight.sum())
    torch.optim.Adam([weight]).step()


_lock = Lock()
_before: list[int] = []  # of the jobs under way, what torch had when the first of them began


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Let torch use `count` CPU threads for the length of the block; None leaves the number alone.

    The number is process-wide in torch, so it is put back afterwards; where jobs overlap (two
    windows), when the last of them ends.
    """
    import torch

    with _lock:
        _before.append(_before[0] if _before else torch.get_num_threads())
        if count is not None:
            torch.set_num_threads(count)  # noqa: TID251
    try:
        yield
    finally:
        with _lock:
            before = _before.pop()
            if not _before:
                torch.set_num_threads(before)  # noqa: TID251


def at_most(count: int | None) -> AbstractContextManager[None]:
    """Let torch use no more than `count` CPU threads for the length of the block.

    A small network is fastest on one: threads that wait for each other cost more than they do.
    """
    import torch

    return threads(None if count is None else min(count, torch.get_num_threads()))


def software(device: "torch.device") -> dict[str, str]:
    """Return what computed a result, and on what: for its provenance."""
    import numpy as np
    import torch

    return {
        "software": f"napari-ptycho {__version__}",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "device": str(device),
    }


@contextmanager
def enough_memory(advice: str) -> Iterator[None]:
    """Turn a device's lack of memory inside the block into a sentence.

    Args:
        advice: What has too little, and what to choose instead.

    Raises:
        JobError: There was too little memory.
    """
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise JobError(f"the device has not enough memory {advice}") from error
    except RuntimeError as error:  # how torch says it on a CPU
        if "allocate memory" in str(error):
            raise JobError(f"the device has not enough memory {advice}") from error
        raise


def free_bytes(device: "torch.device") -> int:
    """Return the memory that is free on a device; for a CPU and Apple's MPS that of the machine."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    return free_ram()


def free_ram() -> int:
    """Return the bytes of RAM that programs may still take; needs no torch."""
    import psutil

    return int(psutil.virtual_memory().available)
