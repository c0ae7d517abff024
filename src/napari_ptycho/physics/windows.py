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
Number = float | Tensor  # a plain number on the CPU, a scalar on the device elsewhere


def cut(image: Tensor, corners: Corners, shape: tuple[int, int]) -> Tensor:
    """Return copies of the windows of an image (H, W): (B, h, w), contiguous."""
    return image[_index(corners, shape, image.device)]


def add_(image: Tensor, corners: Corners, windows: Tensor) -> Tensor:
    """Add windows (B, h, w) onto an image (H, W) in place, overlaps summed: adjoint of `cut`."""
    index = _index(corners, (windows.shape[-2], windows.shape[-1]), image.device)
    return image.index_put_(index, windows, accumulate=True)


def exit_waves(image: Tensor, probe: Tensor, corners: Corners) -> Tensor:
    """Return (B, M, h, w): the window under each probe, times the probe."""
    if image.device.type not in kernels.FUSED:
        return cut(image, corners, _shape(probe)).unsqueeze(1) * probe
    out = torch.empty((len(corners), *probe.shape[1:]), dtype=image.dtype)
    kernels.exit_waves(image.numpy(), probe.numpy(), corners, out.numpy())
    return out


def object_pull(change: Tensor, probe: Tensor, out: Tensor) -> None:
    """Write sum over modes of conj(probe) * change (B, M, h, w) to `out` (B, h, w)."""
    if change.device.type not in kernels.FUSED:
        torch.sum(change * probe.conj(), dim=1, out=out)
        return
    kernels.object_pull(change.numpy(), probe.numpy(), out.numpy())


def probe_pull_(
    change: Tensor, image: Tensor, corners: Corners, pull: Tensor, light: Tensor
) -> None:
    """Add conj(window) * change, summed over the batch, to `pull`, and |window|^2 to `light`.

    Args:
        change: (B, M, h, w) complex.
        image: (H, W) complex.
        corners: (B, 2).
        pull: (M, h, w) complex, changed in place.
        light: (h, w) real, changed in place.
    """
    if change.device.type not in kernels.FUSED:
        windows = cut(image, corners, _shape(change))
        pull.add_((change * windows.conj().unsqueeze(1)).sum(dim=0))
        light.add_(abs2(windows).sum(dim=0))
        return
    kernels.probe_pull(change.numpy(), image.numpy(), corners, pull.numpy(), light.numpy())


def light_of(probe: Tensor) -> Tensor:
    """Return (B, h, w): sum over modes of |probe|^2, for a probe (B, M, h, w)."""
    if probe.device.type not in kernels.FUSED:
        return abs2(probe).sum(dim=1)
    out = torch.empty((probe.shape[0], *probe.shape[2:]))
    kernels.light_of(probe.numpy(), out.numpy())
    return out


def sum_light_(light: Tensor, lit: Tensor, corners: Corners) -> Number:
    """Set the windows of `light` (H, W) to the light of the batch, each window's `lit` added there.

    Args:
        light: (H, W) real, changed in place; outside the windows it is left undefined.
        lit: (1 or B, h, w) real, from `light_of`.
        corners: (B, 2).

    Returns:
        The brightest value.
    """
    if light.device.type in kernels.FUSED:
        return float(kernels.sum_light(light.numpy(), lit.numpy(), corners))
    light.zero_()
    return add_(light, corners, lit.expand(len(corners), *lit.shape[1:])).amax()


def add_weighted_(
    image: Tensor, pull: Tensor, light: Tensor, corners: Corners, weights: tuple[Number, ...]
) -> None:
    """Add pull * step / (rest * light + floor) to the windows of an image, in place.

    Args:
        image: (H, W) complex.
        pull: (B, h, w) complex.
        light: (H, W) real, from `sum_light_`.
        corners: (B, 2).
        weights: (step, rest, floor).
    """
    step, rest, floor = weights
    if image.device.type in kernels.FUSED:
        numbers = np.array(weights, np.float32)
        kernels.add_weighted(image.numpy(), pull.numpy(), light.numpy(), corners, numbers)
        return
    here = cut(light, corners, _shape(pull))
    add_(image, corners, pull * (step / (here * rest + floor)))


def move_probe_(probe: Tensor, pull: Tensor, light: Tensor, step: float, alpha: float) -> None:
    """Add pull * step / ((1 - alpha) light + alpha max light) to a probe (M, h, w), in place.

    Args:
        probe: (M, h, w) complex.
        pull: (M, h, w) complex, from `probe_pull_`.
        light: (h, w) real, from `probe_pull_`.
        step: Step size.
        alpha: Weight of the largest light, 0..1.
    """
    if probe.device.type in kernels.FUSED:
        numbers = np.float32(step), np.float32(alpha)
        kernels.move_probe(probe.numpy(), pull.numpy(), light.numpy(), *numbers)
        return
    probe.add_(pull * (step / (light * (1 - alpha) + alpha * light.amax())))


def _shape(windows: Tensor) -> tuple[int, int]:
    return int(windows.shape[-2]), int(windows.shape[-1])


def _index(corners: Corners, shape: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    at = torch.from_numpy(corners).to(device)
    rows = at[:, 0, None] + torch.arange(shape[0], device=device)
    columns = at[:, 1, None] + torch.arange(shape[1], device=device)
    return rows[:, :, None], columns[:, None, :]
