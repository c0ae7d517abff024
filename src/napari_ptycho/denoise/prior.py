"""A complex image that is the output of a network: what the network learns slowly stays out."""

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_ptycho.denoise.skip import SkipNet

CHANNELS = 32  # of an input of noise
HEIGHT = 0.1  # of an input of noise, uniform from 0


@dataclass(frozen=True)
class PriorSettings:
    """How a network is fed and taught."""

    rate: float = 0.01
    jitter: float = 0.03
    feed: str = "noise"
    smoothing: float = 0.0
    polar: bool = False
    seed: int = 0
    widths: tuple = (8, 16, 32, 64, 128)
    skips: tuple = (0, 0, 0, 4, 4)


class Prior:
    def __init__(self, image: Tensor, weight: Tensor, settings: PriorSettings) -> None:
        self.settings = settings
        with torch.inference_mode(False), torch.enable_grad():
            where = image.device
            draw = torch.Generator().manual_seed(settings.seed)
            self.random = torch.Generator(where).manual_seed(settings.seed)
            share = weight / weight.sum()
            self.middle = complex((image * share).sum())
            self.spread = float(((image - self.middle).abs().square() * share).sum().sqrt())
            if settings.polar:
                self.logs = None
            if settings.feed == "noise":
                self.input = (
                    torch.rand((1, CHANNELS, *image.shape), generator=draw).to(where) * HEIGHT
                )
                self.jit = settings.jitter
            else:
                self.input = self._pack(image.clone())
                self.jit = settings.jitter
            self.net = SkipNet(self.input.shape[1], 2, draw, settings.widths, settings.skips).to(
                where
            )
            self.optimiser = torch.optim.Adam(self.net.parameters(), lr=settings.rate, fused=True)
            self.mean = None

    def _pack(self, image: Tensor) -> Tensor:
        if self.settings.polar:
            rel = image / self.middle
            r = torch.stack([rel.abs() - 1, rel.angle()])
            return (r / (self.spread / abs(self.middle)))[None]
        return torch.view_as_real((image - self.middle) / self.spread).movedim(-1, 0)[None]

    def _unpack(self, out: Tensor) -> Tensor:
        if self.settings.polar:
            s = self.spread / abs(self.middle)
            return self.middle * torch.polar((1 + s * out[0]), s * out[1])
        return torch.complex(out[0], out[1]) * self.spread + self.middle

    def fit(self, target: Tensor, weight: Tensor, steps: int, watch=None) -> Tensor:
        with torch.inference_mode(False), torch.enable_grad():
            target, weight = target.clone(), weight.clone()
            weight = weight / (weight.sum() * self.spread**2)
            for k in range(steps):
                x = self.input
                if self.jit:
                    noise = torch.randn(x.shape, generator=self.random, device=x.device)
                    x = x + noise * self.jit
                image = self._unpack(self.net(x)[0])
                rest = image - target
                loss = ((rest.real**2 + rest.imag**2) * weight).sum()
                self.optimiser.zero_grad()
                loss.backward()
                self.optimiser.step()
                got = image.detach()
                b = self.settings.smoothing
                self.mean = got if self.mean is None else self.mean.lerp(got, 1 - b)
                if watch:
                    watch(k, got, self.mean)
            return self.mean.clone()

    def scale(self, factor: float) -> None:
        self.middle, self.spread = self.middle * factor, self.spread * abs(factor)
        if self.mean is not None:
            self.mean = self.mean * factor
