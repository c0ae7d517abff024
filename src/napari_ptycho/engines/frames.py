"""The measured data where an engine reads it: amplitudes on the device, in RAM, or on disk."""

import hashlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho.engines.share import ALONE, Share
from napari_ptycho.errors import ScanError
from napari_ptycho.model import Scan

Ids = NDArray[np.int64]
HUGE_BYTES = 2**23
LINE_BYTES = 64  # of the cache: vectors that do not cross a line are faster


@dataclass(frozen=True, eq=False)
class Frames:
    """The measured data."""

    amplitude: Tensor
    """(n, h, w) float32 sqrt counts at equal exposure; far field: zero frequency in the corner. A
    saturated pixel holds minus the sqrt of the saturation. On the device, or in RAM or on disk."""
    valid: Tensor
    """(1 or n, h, w) float32, 1 where measured."""
    device: torch.device
    """Where the engine works."""
    ids: Ids
    """(n,) the frames of the scan that are held, in rising order: all, unless they are shared."""
    totals: NDArray[np.float64]
    """(N,) valid counts of every frame of the scan."""
    checksum: str
    """BLAKE2 of the counts, for the provenance."""

    @property
    def total(self) -> float:
        """Sum of the valid counts of the whole scan."""
        return float(self.totals.sum())

    @property
    def resident(self) -> bool:
        """Whether the amplitudes lie on the device for good."""
        return self.amplitude.device.type == self.device.type

    def pick(self, ids: Ids) -> tuple[Tensor, Tensor, Ids]:
        """Return amplitudes, valid pixels and where in them the frames `ids` of the scan lie."""
        at = ids if len(self.ids) == len(self.totals) else np.searchsorted(self.ids, ids)
        if self.resident:
            return self.amplitude, self.valid, at
        rows = torch.from_numpy(at)
        amplitude = _sent(self.amplitude[rows], self.device)
        valid = self.valid
        if len(valid) > 1:
            valid = _sent(valid[rows], self.device)
        return amplitude, valid, np.arange(len(at))

    def central(self, reduction: int) -> "Frames":
        """Return the same frames cut to the central part of the detector (far field)."""
        if reduction == 1:
            return self
        kept = [_central(n, reduction) for n in self.amplitude.shape[1:]]
        amplitude, valid = (
            part[:, kept[0].to(part.device)][:, :, kept[1].to(part.device)].contiguous()
            for part in (self.amplitude, self.valid)
        )
        power = amplitude.square().mul_(valid.to(amplitude.device)).sum(dim=(1, 2))
        totals = np.zeros(len(self.totals))
        totals[self.ids] = power.double().cpu().numpy()
        return replace(self, amplitude=amplitude, valid=valid, totals=totals)


def _central(n: int, reduction: int) -> Tensor:
    """Return the n / reduction lowest frequencies of an axis with zero frequency at index 0."""
    half = n // reduction // 2
    return torch.cat([torch.arange(n // reduction - half), torch.arange(n - half, n)])


def _sent(rows: Tensor, device: torch.device) -> Tensor:
    """Copy rows to the device; from pinned memory a GPU fetches them while it computes."""
    if device.type == "cuda":
        return rows.pin_memory().to(device, non_blocking=True)
    return rows.to(device)


def load(
    scan: Scan,
    device: torch.device,
    saturation: float = 0.0,
    keep: str = "device",
    share: Share = ALONE,
) -> Frames:
    """Read a scan block by block into amplitudes; peak memory is the result plus one block.

    Args:
        scan: The scan; the frames of `share` are kept.
        device: Where the engine works.
        saturation: Counts from which on a pixel says "at least so many"; 0 is none.
        keep: "device"; "ram" (sent batch by batch); "disk" (a scratch file that is deleted when it
            is no longer used; the system keeps in RAM what fits).
        share: Which frames are this process's own.

    Raises:
        ScanError: There is no light in the valid pixels.
    """
    n, (h, w) = len(scan), scan.frame_shape
    assert scan.valid is not None  # set on construction
    exposure = np.ones(n) if scan.exposure is None else scan.exposure / scan.exposure.max()
    own = share.frames(n)
    amplitude = _room((len(own), h, w), device, keep)
    per_frame = scan.valid.ndim == 3
    valid = torch.ones((len(own) if per_frame else 1, h, w), dtype=torch.float32)
    digest, totals = hashlib.blake2b(digest_size=16), np.zeros(n)
    for frames, block in scan.blocks():
        digest.update(np.ascontiguousarray(block).data)
        good = scan.valid_of(frames)
        root = block.astype(np.float32)
        full = root >= saturation if saturation else None
        if saturation:
            np.minimum(root, np.float32(saturation), out=root)
        root /= exposure[frames, None, None].astype(np.float32)
        totals[frames] = (root * good).sum(axis=(1, 2), dtype=np.float64)
        np.sqrt(root, out=root)
        if full is not None:
            np.negative(root, out=root, where=full)
        here = (own >= frames.start) & (own < frames.stop)
        amplitude[torch.from_numpy(here)] = _corner(root[own[here] - frames.start], scan).to(
            amplitude.device
        )
        if per_frame:
            picked = good[own[here] - frames.start].astype(np.float32)
            valid[torch.from_numpy(here)] = _corner(picked, scan)
    if not per_frame:
        valid[:] = _corner(np.asarray(scan.valid, np.float32)[None], scan)
    if totals.sum() <= 0:
        raise ScanError(f"{scan.name}: the valid pixels hold no counts; need light")
    if keep == "device" or not per_frame:
        valid = valid.to(device)
    return Frames(amplitude, valid, device, own, totals, digest.hexdigest())


def _room(shape: tuple[int, ...], device: torch.device, keep: str) -> Tensor:
    if keep == "device":
        return roomy(shape, torch.float32, device)
    if keep == "ram":
        return roomy(shape, torch.float32, torch.device("cpu"))
    # A file without a name: the space is free again when the last view of it goes.
    with tempfile.TemporaryFile(dir=_scratch()) as file:
        return torch.from_numpy(np.memmap(file, np.float32, "w+", shape=shape))


def _scratch() -> Path:
    return Path(tempfile.gettempdir())


def roomy(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a zeroed tensor, on a CPU in memory of huge pages where the system has them.

    Windows jump over an object, and a page of 4 kB holds about one row of it: huge pages, which
    numpy asks for from 4 MB on, spare the look-up of an address in almost every row.
    """
    empty = torch.zeros(0, dtype=dtype)
    if device.type != "cpu":
        return empty.new_zeros(shape, device=device)
    count, size = int(np.prod(shape)), empty.element_size()
    room = np.empty(max(count, HUGE_BYTES // size) + LINE_BYTES // size, empty.numpy().dtype)
    first = (-room.ctypes.data % LINE_BYTES) // size
    return torch.from_numpy(room[first : first + count].reshape(shape)).zero_()


def _corner(array: np.ndarray[Any, Any], scan: Scan) -> Tensor:
    """Move the zero frequency of far-field frames (..., h, w) from the middle to the corner."""
    if scan.geometry.propagation == "far":
        array = np.fft.ifftshift(array, axes=(-2, -1))
    return torch.from_numpy(np.ascontiguousarray(array))
