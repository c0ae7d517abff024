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


def cut(image: Tensor, corners: Corners, shape: tuple[int, int]) -> Tensor:
    """Return copies of the windows of an image (H, W): (B, h, w), contiguous."""
    return image[_index(corners, shape, image.device)]


def add_(image: Tensor, corners: Corners, windows: Tensor) -> Tensor:
    """Add windows (B, h, w) onto an image (H, W) in place, overlaps summed: adjoint of `cut`."""
    index = _index(corners, (windows.shape[-2], windows.shape[-1]), image.device)
    return image.index_put_(index, windows, accumulate=True)


def add_light_(light: Tensor, corners: Corners, probe: Tensor) -> Tensor:
    """Add the light of probes, sum over modes of |probe|^2, onto an image (H, W) in place."""
    lit = abs2(probe).sum(dim=1).expand(len(corners), -1, -1)
    return add_(light, corners, lit.contiguous())


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


def update_(
    image: Tensor,
    change: Tensor,
    probe: Tensor,
    corners: Corners,
    weights: tuple[float, float],
    pull: Tensor,
) -> None:
    """Move an image by a change of its exit waves, in place, and find the pull on the probe.

    image += sum of conj(probe) * change * step / ((1 - alpha) light + alpha max light), where the
    light is that of the whole batch: each window's sum over modes of |probe|^2, where it lies.

    Args:
        image: (H, W) complex.
        change: (B, M, h, w) complex.
        probe: (1 or B, M, h, w) complex, as it stands over each window.
        corners: (B, 2).
        weights: (step, alpha).
        pull: (M, h, w) complex, overwritten by the sum over the batch of conj(window) * change,
            with the image as it was before.
    """
    if image.device.type in kernels.FUSED:
        arrays = image.numpy(), change.numpy(), probe.numpy(), corners
        kernels.update(*arrays, *weights, pull.numpy())
        return
    (step, alpha), shape = weights, _shape(change)
    windows = cut(image, corners, shape)
    torch.sum(change * windows.conj().unsqueeze(1), dim=0, out=pull)
    light = add_light_(torch.zeros_like(image, dtype=image.real.dtype), corners, probe)
    moved = (change * probe.conj()).sum(dim=1)
    below = cut(light, corners, shape) * (1 - alpha) + alpha * light.amax()
    add_(image, corners, moved * (step / below))


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
        kernels.move_probe(probe.numpy(), pull.numpy(), power.numpy(), step, alpha)
        return
    probe.add_(pull * (step / (power * (1 - alpha) + alpha * power.amax())))


def _shape(windows: Tensor) -> tuple[int, int]:
    return int(windows.shape[-2]), int(windows.shape[-1])


def _index(corners: Corners, shape: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    at = torch.from_numpy(corners).to(device)
    rows = at[:, 0, None] + torch.arange(shape[0], device=device)
    columns = at[:, 1, None] + torch.arange(shape[1], device=device)
    return rows[:, :, None], columns[:, None, :]
