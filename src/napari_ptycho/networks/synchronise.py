"""Global phases of patches turned onto each other: patterns leave the phase of each patch open."""

import numpy as np
import torch
from torch import Tensor

from napari_ptycho import device as devices
from napari_ptycho.errors import JobError
from napari_ptycho.networks.stitch import moved, split

SWEEPS = 3
SHARE = 0.5
"""Of the free memory that patches may take."""


def check_room(count: int, frame_shape: tuple[int, int]) -> None:
    """Refuse more patches than memory holds.

    Raises:
        JobError: They do not fit.
    """
    need, free = count * frame_shape[0] * frame_shape[1] * 8, devices.free_ram()
    if need > SHARE * free:
        raise JobError(
            f"synchronising needs all {count} patches in memory: {need / 1e9:.1f} GB, but only "
            f"{free / 1e9:.1f} GB are free; switch it off, or use every k-th pattern"
        )


def synchronised(
    patches: Tensor,
    corners: Tensor,
    shape: tuple[int, int],
    weight: Tensor,
    whole_pixels: bool = False,
) -> Tensor:
    """Return patches with their global phases turned onto the object that the others make.

    The first sweep begins in the middle and goes outwards, so that it always meets what is in phase
    already; the next ones compare each patch with all others.

    Args:
        patches: (N, h, w) complex, on the CPU.
        corners: (N, 2) in pixels.
        shape: Of the object.
        weight: (h, w), what each pixel counts.
        whole_pixels: Round the corners.
    """
    weight, corners = weight.cpu().to(torch.float32), corners.cpu().to(torch.float64)
    whole, fractions = split(corners.round() if whole_pixels else corners)
    order = np.argsort((corners - corners.median(dim=0).values).square().sum(dim=1).numpy())
    wave = torch.zeros(shape, dtype=torch.complex64)
    light = torch.zeros(shape)
    turns = torch.ones(len(patches), dtype=torch.complex64)
    for sweep in range(SWEEPS):
        for n in order:
            values = _moved(patches[n] * weight, fractions[n])
            lit = _moved(weight, fractions[n])
            (y, x), (height, width) = whole[n], values.shape
            at = slice(y, y + height), slice(x, x + width)
            if sweep:
                wave[at] -= turns[n] * values
                light[at] -= lit
            others = wave[at] / light[at].clamp_min(1e-3)
            overlap = torch.where(light[at] > 1e-3, values.conj() * others, 0).sum()
            if overlap.abs() > 0:
                turns[n] = overlap / overlap.abs()
            wave[at] += turns[n] * values
            light[at] += lit
    whole_turn = turns.sum()
    if whole_turn.abs() > 0:
        turns = turns * (whole_turn.conj() / whole_turn.abs())
    return patches * turns[:, None, None]


def _moved(window: Tensor, fraction: Tensor) -> Tensor:
    return moved(window[None, ..., None], fraction[None].to(torch.float32))[0, ..., 0]
