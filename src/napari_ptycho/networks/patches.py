"""Single-shot predictions: one pattern in, one patch out, no neighbour asked."""

from collections.abc import Callable
from threading import Lock
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_ptycho import device as devices
from napari_ptycho.errors import JobError
from napari_ptycho.model import Scan
from napari_ptycho.networks.central import central, reduction
from napari_ptycho.networks.inputs import Inputs, counts_of, fitting
from napari_ptycho.networks.network import Network, Preparation
from napari_ptycho.networks.options import PredictOptions
from napari_ptycho.networks.quick import channels_last, compiled, quick

Module = Callable[[Tensor], Tensor]
BATCHES = {"cpu": 16, "cuda": 512}
"""Patterns of 64 x 64 pixels at once, where the user leaves it open."""


def complex_patches(output: Tensor, amplitude_scale: float) -> Tensor:
    """Return the output of a network, (B, 1 or 2, h, w), as complex patches (B, h, w).

    The last channel is the phase (rad), the one before the amplitude: 1 where there is none. A
    negative amplitude would be a hidden half turn of the phase: it is 0.
    """
    phase = output[:, -1].float()
    if output.shape[1] == 1:
        return torch.polar(torch.ones_like(phase), phase)
    return torch.polar(output[:, 0].float().clamp(min=0) * amplitude_scale, phase)


class SingleShot:
    """A network on a device, as a function from counts to patches."""

    def __init__(
        self, network: Network, made: Preparation, options: PredictOptions, device: torch.device
    ) -> None:
        """Bring the network there.

        Args:
            network: What predicts.
            made: How its input is made.
            options: Precision, compiling, batch.
            device: Where.
        """
        self.device, self.notes = device, list[str]()
        self.dtype = _dtype(options.precision, made, device)
        self.batch = options.batch or batch_of(made.shape, device)
        self._scale = network.amplitude_scale
        self._inputs = Inputs(made, network.kind.multiple).to(device)
        module = channels_last(quick(network.module()).to(device, self.dtype))
        self._module: Module = module
        self._fixed = options.compile
        if options.compile:
            self._compile(module)

    def __call__(self, counts: Tensor) -> Tensor:
        """Return patches (B, h, w) complex64 of counts (B, h, w), at full exposure, dead ones 0."""
        count = len(counts)
        if self._fixed and count < self.batch:  # another size would be compiled anew
            counts = nn.functional.pad(counts, (0, 0, 0, 0, 0, self.batch - count))
        given = self._inputs(counts).to(self.dtype)
        output = self._module(given.contiguous(memory_format=torch.channels_last))
        return complex_patches(self._inputs.crop(output[:count]), self._scale)

    def _compile(self, module: nn.Module) -> None:
        h, w = self._inputs.preparation.shape
        given = self._inputs(torch.zeros(self.batch, h, w, device=self.device)).to(self.dtype)
        given = given.contiguous(memory_format=torch.channels_last)
        faster, note = compiled(module, given)
        self._module = faster
        if note:
            self.notes.append(note)


def batch_of(shape: tuple[int, int], device: torch.device) -> int:
    """Return how many patterns at once are quick: more of small ones, as far as caches go."""
    most = BATCHES.get(device.type, BATCHES["cpu"])
    return int(np.clip(most * 64**2 / (shape[0] * shape[1]), 8, most))


def _dtype(
    precision: Literal["auto", "float32", "bfloat16", "float16"],
    made: Preparation,
    device: torch.device,
) -> torch.dtype:
    if precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[
            precision
        ]
    if device.type == "cuda" and made.scaling != "counts":  # counts leave the range of float16
        return torch.float16
    return torch.float32


class PatchStack:
    """Single-shot predictions of a scan, (N, h, w), made for the frames that are asked for.

    It is what napari calls array-like: it has a shape, a type, and can be indexed.

    Args:
        scan: Patterns; a lazy scan is read for the asked frames only. Of larger patterns than the
            network's, the central part is looked at, as in `predict`.
        network: What predicts.
        channel: "phase" (rad) or "amplitude".
        device: As in `predict`.

    Raises:
        OptionsError: The network was taught with patterns of another size.
        JobError: The device is not there.
    """

    def __init__(
        self,
        scan: Scan,
        network: Network,
        channel: Literal["phase", "amplitude"] = "phase",
        device: str = "cpu",
    ) -> None:
        options, where = PredictOptions(), devices.pick(device)
        k = reduction(scan, network.preparation.shape)
        scan = central(scan, k) if k > 1 else scan
        own = options.standardise == "scan"
        made, self.notes = fitting(network.preparation, scan, own, network.kind.multiple)
        self._shot = SingleShot(network, made, options, where)
        self._scan, self._channel = scan, channel
        self.shape: tuple[int, ...] = (len(scan), *scan.frame_shape)
        self.ndim = 3
        self.dtype = np.dtype(np.float32)
        self._lock = Lock()
        self._last: tuple[int, NDArray[np.float32]] | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        frames = np.arange(len(self))[first]
        if np.ndim(frames) == 0:
            return self._frame(int(frames))[tuple(rest)]
        found = np.empty((len(frames), *self.shape[1:]), np.float32)
        for k, n in enumerate(frames):
            found[k] = self._frame(int(n))
        return found[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)

    def _frame(self, n: int) -> NDArray[np.float32]:
        with self._lock:
            if self._last is None or self._last[0] != n:
                self._last = n, self._made(n)
            return self._last[1]

    def _made(self, n: int) -> NDArray[np.float32]:
        frames = slice(n, n + 1)
        counts = counts_of(self._scan, frames, np.asarray(self._scan.patterns[frames]))
        with torch.inference_mode(), devices.at_most(1):
            patch = self._shot(torch.from_numpy(counts).to(self._shot.device))[0]
            shown = patch.angle() if self._channel == "phase" else patch.abs()
        values: NDArray[np.float32] = shown.cpu().numpy()
        if not np.isfinite(values).all():
            raise JobError(
                f"pattern {n}: the network's output is not finite; choose float32 as its "
                "precision, or another network"
            )
        return values
