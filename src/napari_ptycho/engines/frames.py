"""The measured data where an engine reads it: amplitudes on the device, in RAM, or on disk."""

import hashlib
import tempfile
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho.device import SPARE, free_ram
from napari_ptycho.engines import scratch
from napari_ptycho.engines.ahead import (
    Sender,
    pairs,
    read_ahead,
    read_only_what_is_asked,
    sent_to,
)
from napari_ptycho.engines.share import ALONE, Share
from napari_ptycho.errors import ScanError
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.model.scan import BLOCK_BYTES

Ids = NDArray[np.int64]
CPU = torch.device("cpu")
PART_BYTES = 2**20  # of frames that are worked on at once
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
    keep: str = "device"
    """Where the amplitudes lie: "device", "ram" or "disk"."""
    beyond: bool = False
    """Whether they are on disk and more than the system can keep in RAM besides."""
    sender: Sender | None = None
    """What sends batches to a GPU while it works on the one before."""

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
        if self.resident:
            return self.amplitude, self.valid, self._at(ids)
        come = None if self.sender is None else self.sender.take(ids)
        parts = [sent_to(part, self.device) for part in self._gather(ids)] if come is None else come
        return parts[0], parts[1] if len(parts) > 1 else self.valid, np.arange(len(ids))

    def _at(self, ids: Ids) -> Ids:
        return ids if len(self.ids) == len(self.totals) else np.searchsorted(self.ids, ids)

    def _gather(self, ids: Ids) -> list[Tensor]:
        """Copy what belongs to frames out of the RAM or from the disk."""
        at = self._at(ids)
        self._advise(at)
        rows = torch.from_numpy(at)
        parts = [self.amplitude, self.valid] if len(self.valid) > 1 else [self.amplitude]
        return [part[rows] for part in parts]

    def _advise(self, at: Ids) -> None:
        if self.beyond:
            read_ahead(self.amplitude, at)
            if len(self.valid) > 1:
                read_ahead(self.valid, at)

    def ahead(self, batches: Iterable[Ids]) -> Generator[Ids]:
        """Yield batches; what the next one needs is fetched while this one is worked on."""
        if self.sender is not None:
            with closing(self.sender.through(batches, self._gather)) as sent:
                yield from sent
            return
        for ids, following in pairs(batches):
            if following is not None:
                self._advise(self._at(following))
            yield ids

    def central(self, reduction: int) -> "Frames":
        """Return the same frames cut to the central part of the detector (far field)."""
        amplitude, valid = (self._cut(part, reduction) for part in (self.amplitude, self.valid))
        totals = np.zeros(len(self.totals))
        step = _rows(amplitude)
        for at in range(0, len(amplitude), step):
            part = valid[at : at + step] if len(valid) > 1 else valid
            power = amplitude[at : at + step].square().mul_(part.to(amplitude.device))
            totals[self.ids[at : at + step]] = power.sum(dim=(1, 2)).cpu().double().numpy()
        return replace(self, amplitude=amplitude, valid=valid, totals=totals)

    def _cut(self, frames: Tensor, reduction: int) -> Tensor:
        """Return the centres of frames, in the same kind of place; copied part by part."""
        rows, columns = (_central(n, reduction).to(frames.device) for n in frames.shape[1:])
        keep = self.keep if len(frames) > 1 else "device"
        shape = (len(frames), len(rows), len(columns))
        found = room_for(shape, frames.device, keep)
        step = _rows(frames)
        for at in range(0, len(frames), step):
            found[at : at + step] = frames[at : at + step][:, rows][:, :, columns]
        if keep == "disk":
            read_only_what_is_asked(found)
        return found


def _rows(frames: Tensor) -> int:
    """Return the frames that are worked on at once, where there are many."""
    return max(1, PART_BYTES // (frames[0].numel() * frames.element_size()))


def _central(n: int, reduction: int) -> Tensor:
    """Return the n / reduction lowest frequencies of an axis with zero frequency at index 0."""
    half = n // reduction // 2
    return torch.cat([torch.arange(n // reduction - half), torch.arange(n - half, n)])


def load(
    scan: Scan,
    device: torch.device,
    saturation: float = 0.0,
    keep: str = "device",
    share: Share = ALONE,
    block_bytes: int = BLOCK_BYTES,
) -> Frames:
    """Read a scan block by block into amplitudes; peak memory is the result plus one block.

    Args:
        scan: The scan; the frames of `share` are kept.
        device: Where the engine works.
        saturation: Counts from which on a pixel says "at least so many"; 0 is none.
        keep: "device"; "ram" (sent batch by batch); "disk" (a scratch file that is deleted when it
            is no longer used; the system keeps in RAM what fits).
        share: Which frames are this process's own.
        block_bytes: Of counts that are read at once.

    Raises:
        JobError: There is too little room on the disk.
        ScanError: There is no light in the valid pixels.
    """
    n, (h, w) = len(scan), scan.frame_shape
    assert scan.valid is not None  # set on construction
    exposure = np.ones(n) if scan.exposure is None else scan.exposure / scan.exposure.max()
    own = share.frames(n)
    amplitude = room_for((len(own), h, w), device, keep)
    per_frame = scan.valid.ndim == 3
    valid = room_for((len(own) if per_frame else 1, h, w), CPU, keep if per_frame else "ram")
    digest, totals = hashlib.blake2b(digest_size=16), np.zeros(n)
    for rows, block in scan.blocks(block_bytes):
        digest.update(np.ascontiguousarray(block).data)
        good = scan.valid_of(rows)
        root = block.astype(np.float32)
        full = root >= saturation if saturation else None
        if saturation:
            np.minimum(root, np.float32(saturation), out=root)
        root /= exposure[rows, None, None].astype(np.float32)
        totals[rows] = (root * good).sum(axis=(1, 2), dtype=np.float64)
        np.sqrt(root, out=root)
        if full is not None:
            np.negative(root, out=root, where=full)
        here = (own >= rows.start) & (own < rows.stop)
        picked = cornered(root[own[here] - rows.start], scan.geometry)
        amplitude[torch.from_numpy(here)] = picked.to(amplitude.device)
        if per_frame:
            measured = good[own[here] - rows.start].astype(np.float32)
            valid[torch.from_numpy(here)] = cornered(measured, scan.geometry)
    if not per_frame:
        valid[:] = cornered(np.asarray(scan.valid, np.float32)[None], scan.geometry)
    if totals.sum() <= 0:
        raise ScanError(f"{scan.name}: the valid pixels hold no counts; need light")
    if keep == "device" or not per_frame:
        valid = valid.to(device)
    frames = Frames(amplitude, valid, device, own, totals, digest.hexdigest(), keep)
    return frames if keep == "device" else _sent_ahead(frames)


def _sent_ahead(frames: Frames) -> Frames:
    """Return frames that lie in RAM or on disk, with what fetches them in time."""
    beyond = False
    if frames.keep == "disk":
        read_only_what_is_asked(frames.amplitude)
        beyond = frames.amplitude.nbytes + frames.valid.nbytes > free_ram() * SPARE
    sender = Sender(frames.device) if frames.device.type == "cuda" else None
    return replace(frames, beyond=beyond, sender=sender)


def room_for(shape: tuple[int, ...], device: torch.device, keep: str) -> Tensor:
    """Return zeroed float32 room for amplitudes: on the device, in RAM, or in a scratch file.

    Raises:
        JobError: There is too little room on the disk.
    """
    if keep == "device":
        return roomy(shape, torch.float32, device)
    if keep == "ram":
        return roomy(shape, torch.float32, torch.device("cpu"))
    # A file without a name: the space is free again when the last view of it goes.
    scratch.check(int(np.prod(shape)) * 4)
    with tempfile.TemporaryFile(dir=scratch.folder()) as file:
        return torch.from_numpy(np.memmap(file, np.float32, "w+", shape=shape))


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


def cornered(array: NDArray[Any], geometry: Geometry) -> Tensor:
    """Move the zero frequency of far-field frames (..., h, w) from the middle to the corner."""
    if geometry.propagation == "far":
        array = np.fft.ifftshift(array, axes=(-2, -1))
    return torch.from_numpy(np.ascontiguousarray(array))
