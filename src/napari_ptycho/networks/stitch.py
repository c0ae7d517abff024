"""Patches put together into one object, at their true positions (torch).

O(r) = sum_j S_j[w p_j](r) / sum_j S_j[w](r), where S_j moves an image to the position of patch j
and w is what its pixels count: |probe|^2, summed over the modes, as the data say more of a pixel
the more light it got. S_j is the adjoint of bilinear interpolation: fractions of a pixel count.
Complex values are averaged: phases that wrap would cancel.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho.device import precise
from napari_ptycho.model.arrays import Complexes, Floats
from napari_ptycho.networks.adding import put
from napari_ptycho.physics import kernels

LEAST = 1e-3
"""Pixels with less weight than this share of the largest are blank."""
CENTRE = 5
"""The centre of a window has at least 1/5 of its side (PtychoNN: 12 of 64 pixels)."""
Rule = Literal["probe", "centre", "uniform"]


def weight_of(rule: Rule, probe: Complexes, positions_px: Floats) -> NDArray[np.float32]:
    """Return what each pixel of a patch counts, (h, w), 1 at most.

    Args:
        rule: "probe": the intensity of the probe (ours); "centre": the middle square alone, two
            steps of the scan wide (Cherukara et al. 2020); "uniform": all pixels alike (Pan et al.
            2023).
        probe: (M, h, w).
        positions_px: (N, 2), for the steps of the scan.
    """
    h, w = probe.shape[-2:]
    if rule == "uniform":
        return np.ones((h, w), np.float32)
    if rule == "probe":
        light = (np.abs(probe) ** 2).sum(axis=0)
        return np.asarray(light / light.max(), np.float32)
    width = np.ceil(2 * _step(positions_px))
    sides = [int(np.clip(width, -(-n // CENTRE), n)) for n in (h, w)]
    weight = np.zeros((h, w), np.float32)
    low = [(n - side) // 2 for n, side in zip((h, w), sides, strict=True)]
    weight[low[0] : low[0] + sides[0], low[1] : low[1] + sides[1]] = 1
    return weight


def _step(positions_px: Floats) -> float:
    if len(positions_px) < 2:
        return 0.0
    distances = np.asarray(scipy.spatial.cKDTree(positions_px).query(positions_px, k=2)[0])
    return float(np.median(distances[:, 1]))


def split(corners: Tensor) -> tuple[NDArray[np.int64], Tensor]:
    """Return corners (B, 2), on the CPU, as whole pixels (B, 2) and what is left of them (B, 2)."""
    whole = corners.floor()
    return whole.to(torch.int64).numpy(), corners - whole


def moved(windows: Tensor, fractions: Tensor) -> Tensor:
    """Move windows (B, h, w, C) by fractions (B, 2) of a pixel: (B, h + 1, w + 1, C)."""
    down, right = (fractions[:, axis, None, None, None] for axis in (0, 1))
    pad = torch.nn.functional.pad
    rows = pad(windows, (0, 0, 0, 0, 0, 1)) * (1 - down)
    rows = rows + pad(windows, (0, 0, 0, 0, 1, 0)) * down
    return pad(rows, (0, 0, 0, 1)) * (1 - right) + pad(rows, (0, 0, 1, 0)) * right


def cut(image: Tensor, corners: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return the windows (B, h, w) of an image (H, W) at fractional corners (B, 2), bilinear.

    It is the adjoint of what `Stitcher` does with windows that are weighted already.
    """
    whole, fractions = split(corners)
    fractions = fractions.to(image.device, image.real.dtype)
    windows = image[_index(whole, (shape[0] + 1, shape[1] + 1), image.device)]
    down, right = (fractions[:, axis, None, None] for axis in (0, 1))
    rows = windows[:, :-1] * (1 - down) + windows[:, 1:] * down
    return rows[:, :, :-1] * (1 - right) + rows[:, :, 1:] * right


def _index(
    whole: NDArray[np.int64], shape: tuple[int, int], device: torch.device
) -> tuple[Tensor, Tensor]:
    at = torch.from_numpy(whole).to(device)
    rows = at[:, 0, None] + torch.arange(shape[0], device=device)
    columns = at[:, 1, None] + torch.arange(shape[1], device=device)
    return rows[:, :, None], columns[:, None, :]


@dataclass(frozen=True, eq=False)
class Stitched:
    """What patches have become."""

    object: Tensor
    """(H, W) complex; 1 where it is blank."""
    spread: Tensor
    """(H, W) weighted standard deviation of what overlapping patches say; 0 where one lies."""
    coverage: Tensor
    """(H, W) sum of the weights, relative to its maximum."""

    @property
    def known(self) -> Tensor:
        """(H, W) bool, where it is not blank."""
        return self.coverage >= LEAST


class Stitcher:
    """Sums of patches so far. Their order does not matter."""

    def __init__(self, shape: tuple[int, int], weight: Tensor, whole_pixels: bool = False) -> None:
        """Begin with nothing.

        Args:
            shape: Of the object (H, W).
            weight: (h, w), what each pixel of a patch counts; on the device of the patches.
            whole_pixels: Round the corners (PtyNet).
        """
        dtype = precise(weight.device)
        self.shape, self.weight, self.whole_pixels = shape, weight.to(dtype), whole_pixels
        self.sums = torch.zeros((*shape, 4), dtype=dtype, device=weight.device)
        """(H, W, 4) of w Re p, w Im p, w, and w |p|^2."""

    def add(self, patches: Tensor, corners: Tensor) -> None:
        """Add patches (B, h, w), complex; top-left corners (B, 2) (y, x) in pixels, on the CPU."""
        whole, fractions = split(corners.round() if self.whole_pixels else corners)
        if self.sums.device.type in kernels.FUSED:
            arrays = self.sums.numpy(), patches.numpy(), self.weight.numpy(), whole
            put(*arrays, fractions.numpy())
            return
        dtype, weight = self.sums.dtype, self.weight[..., None]
        values = torch.view_as_real(patches).to(dtype) * weight
        values = torch.cat([values, weight.expand(*values.shape[:-1], 1)], dim=-1)
        if bool((fractions != 0).any()):
            values = moved(values, fractions.to(values.device, dtype))
        # What one patch says of a pixel is the ratio of its own sums: alone, it has no spread.
        power = values[..., :2].square().sum(dim=-1, keepdim=True)
        values = torch.cat([values, power / values[..., 2:].clamp_min(1e-30)], dim=-1)
        shape = int(values.shape[1]), int(values.shape[2])
        rows, columns = _index(whole, shape, values.device)
        at = (rows * self.shape[1] + columns).flatten()
        self.sums.view(-1, 4).index_add_(0, at, values.reshape(-1, 4))

    def result(self) -> Stitched:
        """Return what the patches make so far."""
        weight = self.sums[..., 2]
        coverage = weight / weight.max().clamp_min(1e-30)
        known = coverage >= LEAST
        mean = self.sums[..., :2] / weight.clamp_min(1e-30)[..., None]
        spread = self.sums[..., 3] / weight.clamp_min(1e-30) - mean.square().sum(dim=-1)
        spread = torch.where(known, spread.clamp_min(0).sqrt(), 0)
        mean = torch.where(known[..., None], mean, mean.new_tensor([1.0, 0.0]))
        return Stitched(torch.view_as_complex(mean.contiguous()), spread, coverage)
