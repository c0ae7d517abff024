"""Counts in, what a network is given out: scaling, padding, and back (torch)."""

import numpy as np
import torch
from torch import Tensor

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.model import Scan
from napari_ptycho.networks.network import FLOOR, Preparation
from napari_ptycho.networks.options import Scaling

ROUNDING = 1e-12  # of the mean square: what sums in double precision may be off


def scaled(counts: Tensor, scaling: Scaling) -> Tensor:
    """Return counts (B, h, w) float32 in the unit of a scaling, before mean and deviation."""
    if scaling in ("counts", "counts-standardised"):
        return torch.where(counts < FLOOR, torch.zeros_like(counts), counts)
    root = counts.clamp(min=0).sqrt()
    if scaling == "sqrt-max":
        return root / (root.amax(dim=(-2, -1), keepdim=True) + 1e-6)
    return root


def is_standardised(scaling: Scaling) -> bool:
    """Whether a mean pattern is taken off."""
    return scaling in ("standardised", "counts-standardised")


class Sums:
    """Mean and deviation over blocks of counts, for `Preparation`."""

    def __init__(self, scaling: Scaling, shape: tuple[int, int]) -> None:
        self.scaling, self.shape = scaling, shape
        self._count = 0
        self._first, self._second = np.zeros(shape), 0.0

    def add(self, counts: np.ndarray) -> None:
        """Take in counts (B, h, w); dead pixels as 0."""
        values = scaled(torch.from_numpy(np.asarray(counts, np.float32)), self.scaling).numpy()
        self._count += len(values)
        self._first += values.sum(axis=0, dtype=np.float64)
        self._second += float(np.square(values, dtype=np.float64).sum())

    def preparation(self) -> Preparation:
        """Return what was found.

        Raises:
            ScanError: Nothing was taken in, or all patterns are the same.
        """
        if not is_standardised(self.scaling):
            return Preparation(self.scaling, self.shape)
        if self._count == 0:
            raise ScanError("there is no pattern to learn the scaling from; need at least one")
        mean = self._first / self._count
        square = self._second / (self._count * mean.size)
        variance = square - float(np.square(mean).mean())
        if not variance > ROUNDING * square:
            raise ScanError(
                "all patterns are the same (or empty), so there is nothing to scale by; choose "
                "another scan, or the scaling of the network"
            )
        return Preparation(self.scaling, self.shape, mean.astype(np.float32), float(variance**0.5))


def preparation_of(scan: Scan, scaling: Scaling) -> Preparation:
    """Return the preparation that a scan's own patterns give, read block by block.

    Raises:
        ScanError: All patterns are the same.
    """
    sums = Sums(scaling, scan.frame_shape)
    for frames, block in scan.blocks():
        sums.add(counts_of(scan, frames, block))
        if not is_standardised(scaling):
            break
    return sums.preparation()


def counts_of(scan: Scan, frames: slice, block: np.ndarray) -> np.ndarray:
    """Return counts (n, h, w) float32 at full exposure, dead pixels 0."""
    counts = np.where(scan.valid_of(frames), block, 0).astype(np.float32)
    if scan.exposure is not None:
        counts /= (scan.exposure[frames] / scan.exposure.max()).astype(np.float32)[:, None, None]
    return counts


class Inputs(torch.nn.Module):
    """Makes the input of a network from counts, with mean and deviation on its device."""

    mean: Tensor

    def __init__(self, preparation: Preparation, multiple: int) -> None:
        super().__init__()
        self.preparation = preparation
        height, width = preparation.shape
        self.pad = tuple(-(-n // multiple) * multiple - n for n in (height, width))
        mean = np.zeros(preparation.shape) if preparation.mean is None else preparation.mean
        self.register_buffer("mean", torch.from_numpy(np.asarray(mean, np.float32).copy()))

    def forward(self, counts: Tensor) -> Tensor:
        """Turn counts (B, h, w) into the input (B, 1, H, W), padded with zeros around."""
        made = self.preparation
        values = (scaled(counts.to(self.mean.dtype), made.scaling) - self.mean) / made.std
        return torch.nn.functional.pad(values, self._sides()).unsqueeze(1)

    def crop(self, output: Tensor) -> Tensor:
        """Cut an output (B, C, H, W) to the pixels of the pattern (B, C, h, w)."""
        (left, _, top, _), (height, width) = self._sides(), self.preparation.shape
        return output[..., top : top + height, left : left + width]

    def _sides(self) -> tuple[int, int, int, int]:
        """Return pixels on the left, right, above, below; the centre, n // 2, stays the centre."""
        (high, wide), (height, width) = self.pad, self.preparation.shape
        left, top = (width + wide) // 2 - width // 2, (height + high) // 2 - height // 2
        return left, wide - left, top, high - top


def fitting(
    preparation: Preparation, scan: Scan, own: bool, multiple: int
) -> tuple[Preparation, tuple[str, ...]]:
    """Return the preparation to use for a scan, and what the user should know of it.

    Args:
        preparation: Of the network.
        scan: What is to be predicted.
        own: Take mean and deviation from the scan instead of the network.
        multiple: Of the architecture.

    Raises:
        OptionsError: The network was taught with patterns of another size.
        ScanError: All patterns are the same.
    """
    if preparation.shape != scan.frame_shape:
        (h, w), (height, width) = preparation.shape, scan.frame_shape
        raise OptionsError(
            f"{scan.name}: patterns are {height} x {width} pixels, but this network was taught "
            f"with {h} x {w}; choose a network of this size, or train one"
        )
    notes = []
    padded = [-(-n // multiple) * multiple for n in scan.frame_shape]
    if tuple(padded) != scan.frame_shape:
        notes.append(
            f"patterns are padded with zeros from {scan.frame_shape[0]} x {scan.frame_shape[1]} to "
            f"{padded[0]} x {padded[1]} pixels, as the network needs multiples of {multiple}"
        )
    if own and is_standardised(preparation.scaling):
        return preparation_of(scan, preparation.scaling), tuple(notes)
    return preparation, tuple(notes)
