"""Windows of an object under a probe: cut, light up, pull, add (torch; fused loops on the CPU).

`corners` are (B, 2) integer top-left corners (y, x), numpy; every window lies inside the image.
`probe` is (1, M, h, w), the same for all windows, or (B, M, h, w).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho.physics import kernels
from napari_ptycho.physics.propagate import abs2

Corners = NDArray[np.int64]
Weights = tuple["Number", "Number", "Number"]
Number = float | Tensor  # a plain number on the CPU, a scalar on the device elsewhere


def cut(image: Tensor, corners: Corners, shape: tuple[int, int]) -> Tensor:
    """Return copies of the windows of an image (H, W): (B, h, w), contiguous."""
    return image[_index(corners, shape, image.device)]


def add_(image: Tensor, corners: Corners, windows: Tensor) -> Tensor:
    """Add windows (B, h, w) onto an image (H, W) in place, overlaps summed: adjoint of `cut`."""
    index = _index(corners, (windows.shape[-2], windows.shape[-1]), image.device)
    return image.index_put_(index, windows, accumulate=True)


def exit_waves(
    image: Tensor, probe: Tensor, corners: Corners, out: Tensor, power: Tensor
) -> Tensor:
    """Multiply the window under each probe by the probe.

    Args:
        image: (H, W) complex.
        probe: (1 or B, M, h, w) complex.
        corners: (B, 2).
        out: (B, M, h, w) complex, overwritten and returned.
        power: (h, w) real, overwritten by the sum over the batch of |window|^2.
    """
    if image.device.type in kernels.FUSED:
        arrays = image.numpy(), probe.numpy(), corners
        kernels.exit_waves(*arrays, out.numpy(), power.numpy())
        return out
    windows = cut(image, corners, _shape(probe))
    torch.sum(abs2(windows), dim=0, out=power)
    return torch.mul(windows.unsqueeze(1), probe, out=out)


def light_of(probe: Tensor, out: Tensor) -> Tensor:
    """Write sum over modes of |probe|^2, of a probe (B, M, h, w), to `out` (B, h, w); return it."""
    if probe.device.type in kernels.FUSED:
        kernels.light_of(probe.numpy(), out.numpy())
        return out
    return torch.sum(abs2(probe), dim=1, out=out)


def brightest(lit: Tensor, corners: Corners, shape: tuple[int, int]) -> Number:
    """Return the brightest pixel of an object (H, W) under all windows of a batch.

    Args:
        lit: (1 or B, h, w) real, from `light_of`.
        corners: (B, 2).
        shape: (H, W).
    """
    if lit.device.type in kernels.FUSED:
        return float(kernels.brightest(lit.numpy(), corners, shape[1]))
    return _summed(lit, corners, shape).amax()


def update_(
    image: Tensor,
    change: Tensor,
    probe: Tensor,
    corners: Corners,
    lit: Tensor,
    weights: Weights,
    pull: Tensor,
) -> None:
    """Move an image by a change of its exit waves, in place, and find the pull on the probe.

    image += sum of conj(probe) * change * step / (rest * light + floor), where the light is that of
    the whole batch, each window's `lit` added where it lies on the image.

    Args:
        image: (H, W) complex.
        change: (B, M, h, w) complex.
        probe: (1 or B, M, h, w) complex, as it stands over each window.
        corners: (B, 2).
        lit: (1 or B, h, w) real, from `light_of`.
        weights: (step, rest, floor).
        pull: (M, h, w) complex, increased by the sum over the batch of conj(window) * change, with
            the image as it was before.
    """
    step, rest, floor = weights
    if image.device.type in kernels.FUSED:
        numbers = tuple(np.float32(number) for number in weights)
        arrays = image.numpy(), change.numpy(), probe.numpy(), corners, lit.numpy()
        kernels.update(*arrays, numbers, pull.numpy())
        return
    shape = _shape(change)
    windows = cut(image, corners, shape)
    pull.add_((change * windows.conj().unsqueeze(1)).sum(dim=0))
    light = _summed(lit, corners, (image.shape[0], image.shape[1]))
    moved = (change * probe.conj()).sum(dim=1)
    add_(image, corners, moved * (step / (cut(light, corners, shape) * rest + floor)))


def turned_back(change: Tensor, image: Tensor, corners: Corners, turn: Tensor) -> Tensor:
    """Return the pull (M, h, w) on the unshifted probe, of a change under shifted ones.

    Args:
        change: (B, M, h, w) complex.
        image: (H, W) complex.
        corners: (B, 2).
        turn: (B, 1, h, w) the phase ramps in Fourier space that shifted each probe; the adjoint of
            the shift has their conjugates.
    """
    pull = change * cut(image, corners, _shape(change)).conj().unsqueeze(1)
    return torch.fft.ifft2(torch.fft.fft2(pull) * turn.conj()).sum(dim=0)


def move_probe_(probe: Tensor, pull: Tensor, power: Tensor, step: float, alpha: float) -> None:
    """Add pull * step / ((1 - alpha) power + alpha max power) to a probe (M, h, w), in place.

    Args:
        probe: (M, h, w) complex.
        pull: (M, h, w) complex, from `update_`.
        power: (h, w) real, from `exit_waves`.
        step: Step size.
        alpha: Weight of the largest power, 0..1.
    """
    if probe.device.type in kernels.FUSED:
        numbers = np.float32(step), np.float32(alpha)
        kernels.move_probe(probe.numpy(), pull.numpy(), power.numpy(), *numbers)
        return
    probe.add_(pull * (step / (power * (1 - alpha) + alpha * power.amax())))


def _summed(lit: Tensor, corners: Corners, shape: tuple[int, int]) -> Tensor:
    return add_(lit.new_zeros(shape), corners, lit.expand(len(corners), *lit.shape[1:]))


def _shape(windows: Tensor) -> tuple[int, int]:
    return int(windows.shape[-2]), int(windows.shape[-1])


def _index(corners: Corners, shape: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    at = torch.from_numpy(corners).to(device)
    rows = at[:, 0, None] + torch.arange(shape[0], device=device)
    columns = at[:, 1, None] + torch.arange(shape[1], device=device)
    return rows[:, :, None], columns[:, None, :]
