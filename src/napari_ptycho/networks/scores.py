"""How well a network does on pairs that it does not learn, and what a constant reaches there."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from napari_ptycho.device import precise
from napari_ptycho.networks.pairs import Pairs

WINDOWS = 512  # at most, in each validation
VALUES = 2**25  # at most, held on the device
BATCH = 32
SAMPLES = 4  # windows to look at

Loss = Literal["mse", "mae"]
Predict = Callable[[Tensor], Tensor]
"""From counts (B, h, w) to amplitude and phase (B, 2, h, w), float32."""


def error(predicted: Tensor, labels: Tensor, loss: Loss, first: int) -> Tensor:
    """Return the mean error of amplitude plus that of phase.

    Args:
        predicted: (B, 2, ...) amplitude and phase.
        labels: The same as they should be.
        loss: Squared or absolute.
        first: 0; 1 where the phase alone counts.
    """
    apart = (predicted - labels)[:, first:]
    values = apart.square() if loss == "mse" else apart.abs()
    return values.transpose(0, 1).flatten(1).mean(dim=1).sum()


class Validation:
    """Windows that validate, spread evenly over all of them, and their scores.

    All scores are taken over lit pixels (`Pairs.lit`): elsewhere a pattern says nothing.
    """

    def __init__(self, pairs: Pairs, loss: Loss, phase_only: bool, device: torch.device) -> None:
        """Read the windows.

        Args:
            pairs: Whose validation windows are taken, at most `WINDOWS`.
            loss: For the score "validation".
            phase_only: Whether the amplitude does not count.
            device: Where the network is.
        """
        self.loss, self.first = loss, int(phase_only)
        h, w = pairs.shape
        count = max(SAMPLES, min(WINDOWS, VALUES // (3 * h * w)))
        every = np.linspace(0, len(pairs.validation) - 1, min(count, len(pairs.validation)))
        numbers = pairs.validation[every.astype(int)]
        counts, labels = pairs.batch(numbers)
        self.shown = np.linspace(0, len(counts) - 1, min(SAMPLES, len(counts))).astype(int)
        self.truth = labels[self.shown]
        """(K, 2, h, w) of the windows to look at."""
        self.lit = torch.from_numpy(pairs.lit).to(device)
        self.counts = torch.from_numpy(counts).to(device)
        self.labels = torch.from_numpy(labels).to(device)[..., self.lit]
        phase = self.labels[:, 1]
        self.span = max(float(phase.max() - phase.min()), 1e-6)
        """Of the true phase, rad: what the PSNR relates to."""

    def scores(self, predict: Predict) -> dict[str, float]:
        """Return "validation", "psnr_db", "correlation", "phase_mse", "amplitude_mse"."""
        parts = torch.split(self.counts, BATCH)
        return self._scored(torch.cat([predict(part)[..., self.lit] for part in parts]))

    def samples(self, predict: Predict) -> Tensor:
        """Return what a network makes of the windows to look at (K, 2, h, w)."""
        shown = torch.from_numpy(self.shown).to(self.counts.device)
        return predict(self.counts[shown])

    def baseline(self) -> dict[str, float]:
        """Return the same scores of the best constant: mean, or median for absolute errors."""
        squared = self._scored(self._constant(lambda values: values.mean()))
        if self.loss == "mae":
            squared |= {"validation": self._scored(self._constant(torch.median))["validation"]}
        return {name: squared[name] for name in ("validation", "phase_mse", "amplitude_mse")}

    def _constant(self, of: Callable[[Tensor], Tensor]) -> Tensor:
        values = torch.stack([of(self.labels[:, channel]) for channel in range(2)])
        return values[None, :, None].expand_as(self.labels)

    def _scored(self, predicted: Tensor) -> dict[str, float]:
        """Score predicted amplitudes and phases (B, 2, L) of lit pixels."""
        dtype = precise(predicted.device)
        apart = (predicted - self.labels).to(dtype).square().mean(dim=(0, 2))
        amplitude, phase = (float(value) for value in apart)
        found, meant = predicted[:, 1].to(dtype), self.labels[:, 1].to(dtype)
        found, meant = found - found.mean(), meant - meant.mean()
        norm = float((found.square().sum() * meant.square().sum()).sqrt())
        return {
            "validation": float(error(predicted, self.labels, self.loss, self.first)),
            "psnr_db": float(10 * np.log10(self.span**2 / max(phase, 1e-12))),
            "correlation": float((found * meant).sum()) / norm if norm > 0 else 0.0,
            "phase_mse": phase,
            "amplitude_mse": amplitude,
        }
