"""When to stop: rules that judge every output, and tell which one is kept.

A rule is a number per iteration, the smaller the better, made on the device without waiting for
it. The output with the smallest number so far is kept; how long to wait for a smaller one is
decided on the CPU, from time to time.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from napari_ptycho.denoise.options import DenoiseOptions
from napari_ptycho.device import precise
from napari_ptycho.torch_state import put

WMV_WINDOW, WMV_PATIENCE = 100, 1000  # Wang et al. 2023 (arXiv 2112.06074), their defaults
WMV_REFRESH = 200  # iterations after which the running sums are made anew
WMV_PIXELS = 2**18  # of larger images every n-th pixel is looked at
PLATEAU = 0.01  # a loss that has fallen by less than this share has stayed as it is
FAR = 4e6  # worse than anything; beside it single precision still counts iterations


def rule_of(options: DenoiseOptions, has_second: bool) -> str:
    """Return the rule in force: what "auto" stands for."""
    if options.stop != "auto":
        return options.stop
    return "second-copy" if has_second else "holdout"


class Judge:
    """Reads the numbers of a rule as they come in."""

    def __init__(self, rule: str, patience: int) -> None:
        """Begin before the first iteration.

        Args:
            rule: One of `options.RULES`, but not "auto".
            patience: Iterations without a smaller number after which it is over.
        """
        self.rule = rule
        self.patience = WMV_PATIENCE if rule == "wmv" else patience
        self.best, self.done = 0, 0
        """The iteration that is kept, from 1 (0: none yet), and iterations so far."""
        self._least, self._loss, self._fell, self._begun = FAR, float("inf"), 0, 0

    def go_on(self) -> None:
        """Wait anew: the user wants more iterations."""
        self._begun = self.done

    def add(self, number: float, loss: float) -> None:
        """Take the next iteration's number and loss."""
        self.done += 1
        if number < self._least:
            self._least, self.best = number, self.done
        if loss < (1 - PLATEAU) * self._loss:
            self._loss, self._fell = loss, self.done

    def state(self) -> dict[str, Any]:
        """Return all that it knows, as plain values."""
        return dict(vars(self))

    def load(self, state: Mapping[str, Any]) -> None:
        """Know what another one knew."""
        vars(self).update(state)

    @property
    def over(self) -> bool:
        """Whether to stop."""
        if self.rule == "none":
            return False
        if self.rule == "discrepancy":
            return self._least < 0 and self.best > self._begun
        since = self._fell if self.rule == "loss" else self.best
        return since > 0 and self.done - max(since, self._begun) >= self.patience


class Variance:
    """Windowed moving variance of the outputs, ES-WMV (Wang et al. 2023, eq. 5), by running sums.

    VAR = 1/W sum_w |x_w - mean|^2 / N over the last W outputs.
    """

    def __init__(self, shape: tuple[int, ...], device: torch.device, window: int) -> None:
        """Begin with an empty window.

        Args:
            shape: (C, H, W) of an output.
            device: Where it lies.
            window: Outputs in it.
        """
        self.step = max(1, math.ceil(math.sqrt(math.prod(shape) / WMV_PIXELS)))
        small = torch.zeros(shape, device=device)[:, :: self.step, :: self.step]
        self.outputs = torch.zeros((window, *small.shape), device=device)
        self.dtype = precise(device)
        self.total, self.squares = small.to(self.dtype, copy=True), small.to(self.dtype, copy=True)
        self.count = 0

    def add(self, output: Tensor) -> Tensor:
        """Take one more output (C, H, W); return the variance, `FAR` until the window is full."""
        new = output[:, :: self.step, :: self.step]
        window = len(self.outputs)
        old = self.outputs[self.count % window]
        now, before = new.to(self.dtype), old.to(self.dtype)
        self.total += now - before
        self.squares += now.square() - before.square()
        old.copy_(new)
        self.count += 1
        if self.count % WMV_REFRESH == 0:
            self.total.copy_(self.outputs.to(self.dtype).sum(dim=0))
            self.squares.copy_(self.outputs.to(self.dtype).square().sum(dim=0))
        if self.count < window:
            return torch.full((), FAR, device=output.device, dtype=self.dtype)
        spread = self.squares / window - (self.total / window).square()
        return spread.mean()

    def state(self) -> dict[str, Any]:
        """Return the window and its sums, as a tree (see `io.autosave.flat`)."""
        return {"sums": self._sums(), "count": self.count}

    def load(self, tree: Mapping[str, Any]) -> None:
        """Go on with the window of another one for images of this shape."""
        put(self._sums(), tree["sums"])
        self.count = tree["count"]

    def _sums(self) -> dict[str, Tensor]:
        return {"outputs": self.outputs, "total": self.total, "squares": self.squares}


def held_out(shape: tuple[int, int], share: float, clump: int, random: torch.Generator) -> Tensor:
    """Return the pixels (H, W) that are kept from the network: bool, in clumps of `clump` a side.

    Clumps may overlap; that many are drawn that their union is the share asked for, on average.
    """
    h, w = shape
    if clump == 1:
        return torch.rand(shape, generator=random) < share
    chance = 1 - (1 - share) ** (1 / clump**2)
    seeds = (torch.rand((1, 1, h, w), generator=random) < chance).float()
    grown: Tensor = torch.nn.functional.max_pool2d(seeds, clump, 1, clump // 2)
    return grown[0, 0, :h, :w] > 0
