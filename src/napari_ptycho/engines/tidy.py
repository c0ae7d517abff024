"""What is known of object and probe, applied after every epoch."""

import numpy as np
import scipy
import torch
from torch import Tensor

from napari_ptycho.engines.options import EngineOptions
from napari_ptycho.engines.state import EDGE_PX, LiveState
from napari_ptycho.physics.propagate import abs2

TV_STEPS = 10


def tidy_object_(state: LiveState, options: EngineOptions) -> None:
    """Limit the amplitude of the object, smooth it, or lower its total variation, in place."""
    image = state.object
    if options.smoothness > 0:
        image.lerp_(_neighbours(image), options.smoothness)
    if options.total_variation > 0:
        image.copy_(denoise_tv(image, options.total_variation))
    if options.amplitude_limit > 0:
        size = abs2(image).sqrt_()
        image.mul_((options.amplitude_limit / size.clamp_min_(1e-12)).clamp_max_(1.0))


def tidy_probe_(state: LiveState, options: EngineOptions) -> bool:
    """Keep the probe in its supports and its place; return whether it was moved."""
    probe = state.probe
    if options.probe_cutoff > 0:
        spectrum = torch.fft.fft2(probe)
        disc = torch.fft.ifftshift(_disc(probe, options.probe_cutoff))
        probe.copy_(torch.fft.ifft2(spectrum.mul_(disc)))
    if options.probe_support > 0:
        probe.mul_(_disc(probe, options.probe_support))
    return options.probe_centre and _centre_(state)


def _neighbours(image: Tensor) -> Tensor:
    """Return the mean of the four neighbours of each pixel; edges repeat."""
    total = torch.zeros_like(image)
    for axis in (0, 1):
        for step in (-1, 1):
            moved = image.roll(step, axis)
            edge = 0 if step == 1 else image.shape[axis] - 1
            moved.select(axis, edge).copy_(image.select(axis, edge))
            total += moved
    return total / 4


def denoise_tv(image: Tensor, weight: float) -> Tensor:
    """Return the complex image (H, W) of lower total variation (Chambolle 2004, dual projection).

    Minimises |u - image|^2 / 2 + weight * sum |grad u|, with |.| over both directions and over real
    and imaginary part.
    """
    dual = image.new_zeros((2, *image.shape))
    for _ in range(TV_STEPS):
        slope = _slopes(image + weight * _divergence(dual)) / (8 * weight) + dual
        size = abs2(slope).sum(dim=0).sqrt_().clamp_min_(1.0)
        dual = slope / size
    return image + weight * _divergence(dual)


def _slopes(image: Tensor) -> Tensor:
    slopes = image.new_zeros((2, *image.shape))
    slopes[0, :-1] = image[1:] - image[:-1]
    slopes[1, :, :-1] = image[:, 1:] - image[:, :-1]
    return slopes


def _divergence(dual: Tensor) -> Tensor:
    """Return minus the adjoint of `_slopes`."""
    total = torch.zeros_like(dual[0])
    total[:-1] += dual[0, :-1]
    total[1:] -= dual[0, :-1]
    total[:, :-1] += dual[1, :, :-1]
    total[:, 1:] -= dual[1, :, :-1]
    return total


def _disc(probe: Tensor, diameter: float) -> Tensor:
    """Return a disc (h, w) around the middle, 1 inside, with an edge one pixel soft."""
    h, w = probe.shape[-2:]
    y = torch.arange(h, device=probe.device) - h // 2
    x = torch.arange(w, device=probe.device) - w // 2
    radius = torch.hypot(y[:, None] / h, x[None, :] / w) * min(h, w)
    return (0.5 * diameter * min(h, w) + 0.5 - radius).clamp_(0, 1)


def _centre_(state: LiveState) -> bool:
    """Move the probe to the middle by whole pixels, and the windows with it: nothing else changes.

    P'(r) = P(r + s) under windows at c + s makes the exit waves of P under windows at c, moved.
    """
    light = abs2(state.probe).sum(dim=0).cpu().numpy()
    shape = np.array(light.shape)
    move = np.rint(np.array(scipy.ndimage.center_of_mass(light)) - shape // 2).astype(int)
    room = np.array(state.shape) - shape - EDGE_PX
    placed = state.positions + move
    inside = (placed >= EDGE_PX).all() and (placed <= room).all()
    if not move.any() or not inside:
        return False
    for waves in (state.probe, state.variations):
        if len(waves):
            waves.copy_(waves.roll((-int(move[0]), -int(move[1])), (-2, -1)))
    state.place(placed)
    return True
