"""From an object and a probe to counts, in the far field, differentiable (torch)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho.device import precise
from napari_ptycho.physics.propagate import Propagator, abs2
from napari_ptycho.physics.windows import cut


def shifted(probe: Tensor, fractions: Tensor) -> Tensor:
    """Return a probe (M, h, w) moved by fractions (B, 2) of a pixel: (B, M, h, w), by Fourier."""
    if not bool((fractions != 0).any()):
        return probe.unsqueeze(0)
    h, w = probe.shape[-2:]
    fractions = fractions.to(probe.device, probe.real.dtype)
    rows = torch.fft.fftfreq(h, device=probe.device) * fractions[:, :1]
    columns = torch.fft.fftfreq(w, device=probe.device) * fractions[:, 1:]
    angle = -2 * torch.pi * (rows[:, None, :, None] + columns[:, None, None, :])
    return torch.fft.ifft2(torch.fft.fft2(probe) * torch.polar(torch.ones_like(angle), angle))


def counts_of_object(image: Tensor, probe: Tensor, corners: Tensor, beam: Propagator) -> Tensor:
    """Return the counts (B, h, w) of an object (H, W) under a probe (M, h, w) at corners (B, 2).

    Far field: zero frequency in the corner. As in the engines, the window lies at the nearest whole
    pixel, and the probe is moved in it. `corners` are on the CPU.
    """
    whole = corners.round()
    windows = cut(image, _whole(whole), (int(probe.shape[-2]), int(probe.shape[-1])))
    return counts_of_patches(windows, shifted(probe, corners - whole), beam)


def counts_of_patches(patches: Tensor, probe: Tensor, beam: Propagator) -> Tensor:
    """Return the counts (B, h, w) of patches (B, h, w) under a probe (1 or B, M, h, w)."""
    return abs2(beam.to_detector(patches.unsqueeze(1) * probe)).sum(dim=1)


def _whole(corners: Tensor) -> NDArray[np.int64]:
    return corners.to(torch.int64).numpy()


@dataclass(frozen=True, eq=False)
class Sample:
    """Some patterns of a scan, to ask an object how well it explains them."""

    root: Tensor
    """(K, h, w) square root of the counts; zero frequency where the beam has it."""
    valid: Tensor
    """(1 or K, h, w) bool."""
    corners: Tensor
    """(K, 2) of their windows, on the CPU."""

    def r_factor(self, image: Tensor, probe: Tensor, beam: Propagator, batch: int = 32) -> float:
        """Return sum |sqrt I - s sqrt I'| / sum sqrt I of an object (H, W), with the best s.

        Args:
            image: (H, W) complex.
            probe: (M, h, w) complex.
            beam: Between sample and detector.
            batch: Patterns at once.
        """
        model = torch.cat(
            [
                counts_of_object(image, probe, self.corners[first : first + batch], beam).sqrt()
                for first in range(0, len(self.root), batch)
            ]
        )
        valid = self.valid.expand_as(model)
        return r_factor(self.root[valid], model[valid])


def r_factor(root: Tensor, model: Tensor) -> float:
    """Return sum |a - s b| / sum a with the s that makes it least: a weighted median of a / b."""
    there = model > 0
    ratio, order = (root[there] / model[there]).sort()
    weight = model[there][order].to(precise(model.device)).cumsum(0)
    if len(weight) == 0 or not bool(weight[-1].isfinite()):
        return float("nan")
    scale = ratio[torch.searchsorted(weight, weight[-1:] / 2).clamp_max(len(ratio) - 1)]
    return float((root - scale * model).abs().sum() / root.sum().clamp_min(1e-12))
