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


def exit_waves(image: Tensor, probe: Tensor, corners: Corners, out: Tensor) -> Tensor:
    """Write the window under each probe, times the probe, to `out` (B, M, h, w); return it."""
    if image.device.type in kernels.FUSED:
        kernels.exit_waves(image.numpy(), probe.numpy(), corners, out.numpy())
        return out
    return torch.mul(cut(image, corners, _shape(probe)).unsqueeze(1), probe, out=out)


def pulls_(
    change: Tensor,
    image: Tensor,
    probe: Tensor,
    corners: Corners,
    into: tuple[Tensor, Tensor],
    turn: Tensor | None = None,
) -> None:
    """Project a change of the exit waves on the probe (for the object) and on the object (for it).

    Args:
        change: (B, M, h, w) complex; its first mode is set to the pull on the object, the sum over
            modes of conj(probe) * change.
        image: (H, W) complex.
        probe: (1 or B, M, h, w) complex, as it stands over each window.
        corners: (B, 2).
        into: Pull on the probe (M, h, w), increased by the sum over the batch of
            conj(window) * change; and light (h, w), increased by the sum of |window|^2.
        turn: (B, 1, h, w) the phase ramps in Fourier space that shifted each probe; its pull is
            shifted back by their conjugates, which is the adjoint.
    """
    probe_pull, light = into
    if change.device.type in kernels.FUSED and turn is None:
        arrays = (change.numpy(), image.numpy(), probe.numpy(), corners)
        kernels.pulls(*arrays, probe_pull.numpy(), light.numpy())
        return
    windows = cut(image, corners, _shape(change))
    pull = change * windows.conj().unsqueeze(1)
    if turn is not None:
        pull = torch.fft.ifft2(torch.fft.fft2(pull) * turn.conj())
    probe_pull.add_(pull.sum(dim=0))
    light.add_(abs2(windows).sum(dim=0))
    change[:, 0] = (change * probe.conj()).sum(dim=1)


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


def add_weighted_(
    image: Tensor, pull: Tensor, first: int, lit: Tensor, corners: Corners, weights: Weights
) -> None:
    """Add pull * step / (rest * light + floor) to some windows of an image, in place.

    The light is that of the whole batch, each window's `lit` added where it lies on the image.

    Args:
        image: (H, W) complex.
        pull: (n, M, h, w) complex, of which the first mode counts: from `pulls_`.
        first: Number of the batch's window that pull[0] belongs to.
        lit: (1 or B, h, w) real, from `light_of`.
        corners: (B, 2), of the whole batch.
        weights: (step, rest, floor).
    """
    step, rest, floor = weights
    if image.device.type in kernels.FUSED:
        numbers = np.array(weights, np.float32)
        arrays = image.numpy(), pull.numpy(), first, lit.numpy()
        kernels.add_weighted(*arrays, corners, numbers)
        return
    light = _summed(lit, corners, (image.shape[0], image.shape[1]))
    some = corners[first : first + len(pull)]
    add_(image, some, pull[:, 0] * (step / (cut(light, some, _shape(pull)) * rest + floor)))


def _summed(lit: Tensor, corners: Corners, shape: tuple[int, int]) -> Tensor:
    return add_(lit.new_zeros(shape), corners, lit.expand(len(corners), *lit.shape[1:]))


def move_probe_(probe: Tensor, pull: Tensor, light: Tensor, step: float, alpha: float) -> None:
    """Add pull * step / ((1 - alpha) light + alpha max light) to a probe (M, h, w), in place.

    Args:
        probe: (M, h, w) complex.
        pull: (M, h, w) complex, from `pulls_`.
        light: (h, w) real, from `pulls_`.
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
