"""Amplitudes of frames that come one after the other: read once, kept where engines read them."""

import hashlib
from dataclasses import dataclass, field, replace

import dask.array as da
import numpy as np
import torch
from torch import Tensor

from napari_ptycho.engines.frames import Frames, Ids, load, room_for
from napari_ptycho.engines.memory import plan
from napari_ptycho.engines.options import EngineOptions
from napari_ptycho.model import Reconstruction, Scan

FIRST = 256
"""Frames there is room for at first, where nobody has said how many will come."""


@dataclass(frozen=True, eq=False)
class Chosen(Frames):
    """Some of the frames, which an engine takes for all there are."""

    rows: Ids = field(default_factory=lambda: np.zeros(0, np.int64))
    """(n,) where they lie in the whole."""

    def pick(self, ids: Ids) -> tuple[Tensor, Tensor, Ids]:
        """Return amplitudes, valid pixels and where in them the frames `ids` of these lie."""
        return super().pick(self.rows[ids])


class Arriving:
    """Frames so far, in room that doubles whenever it is full."""

    def __init__(
        self,
        options: EngineOptions,
        device: torch.device,
        expected: int | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        """Begin with nothing.

        Args:
            options: Of the engine that will go over the frames.
            device: Where it works.
            expected: Frames that will come, if that is known.
            memory_bytes: Most memory to take on the device; None takes what is free.
        """
        self.options, self.device, self.expected = options, device, expected
        self.memory_bytes = memory_bytes
        self.notes: list[str] = []
        """What the plan of the memory says."""
        self._count, self._keep, self._exposure = 0, "device", 0.0
        self._digest = hashlib.blake2b(digest_size=16)
        self._amplitude, self._valid, self._totals = torch.zeros(0), torch.zeros(0), np.zeros(0)

    def __len__(self) -> int:
        return self._count

    def append(self, part: Scan, start: Reconstruction) -> None:
        """Take frames in.

        Args:
            part: The next frames, in memory.
            start: Whose object says how large the images are.

        Raises:
            JobError: Not even single frames fit into the memory.
        """
        end = self._count + len(part)
        if end > len(self._totals):
            self._make_room(part, start, end)
        self._digest.update(np.ascontiguousarray(part.patterns).data)
        new = slice(self._count, end)
        self._count = end
        if not _lit(part):  # the shutter was closed: amplitudes of 0, as the room has them
            return
        frames = load(part, torch.device("cpu"), self.options.saturation)
        scale = self._scale(part)
        self._amplitude[new] = frames.amplitude.mul_(scale**0.5).to(self._amplitude.device)
        self._totals[new] = frames.totals * scale
        if len(self._valid) > 1:
            self._valid[new] = frames.valid.to(self._valid.device)
        elif not self._valid.any():
            self._valid.copy_(frames.valid)

    @property
    def frames(self) -> Frames:
        """All frames so far; valid until the next ones come."""
        n = self._count
        valid = self._valid if len(self._valid) == 1 else self._valid[:n]
        totals, checksum = self._totals[:n].copy(), self._digest.hexdigest()
        return Frames(self._amplitude[:n], valid, self.device, np.arange(n), totals, checksum)

    def some(self, rows: Ids) -> Chosen:
        """Return some of the frames as if there were no others."""
        whole = self.frames
        return Chosen(
            amplitude=whole.amplitude,
            valid=whole.valid,
            device=whole.device,
            ids=np.arange(len(rows)),
            totals=whole.totals[rows],
            checksum=whole.checksum,
            rows=rows,
        )

    def _scale(self, part: Scan) -> float:
        """Return the factor that brings counts to the exposure of the first frames."""
        if part.exposure is None:
            return 1.0
        longest = float(part.exposure.max())
        self._exposure = self._exposure or longest
        return self._exposure / longest

    def _make_room(self, part: Scan, start: Reconstruction, count: int) -> None:
        """Get room for the frames that are expected, else for twice as many as before."""
        size = max(count, self.expected or 0, 2 * len(self._totals), FIRST)
        chosen = plan(_like(part, size), (self.options,), start, self.device, self.memory_bytes)
        self.options, self._keep = chosen.stages[0], chosen.frames
        self.notes[:] = chosen.notes
        per_frame = part.valid is not None and part.valid.ndim == 3
        amplitude = room_for((size, *part.frame_shape), self.device, self._keep)
        where = amplitude.device if per_frame else self.device
        rows = size if per_frame else 1
        valid = torch.zeros((rows, *part.frame_shape), device=where)
        totals = np.zeros(size)
        if self._count:
            amplitude[: self._count] = self._amplitude[: self._count].to(amplitude.device)
            kept = self._count if per_frame else 1
            valid[:kept] = self._valid[:kept].to(where)
            totals[: self._count] = self._totals[: self._count]
        self._amplitude, self._valid, self._totals = amplitude, valid, totals


def _lit(part: Scan) -> bool:
    """Whether a valid pixel has counts."""
    return bool((part.patterns * part.valid_of(slice(None))).any())


def _like(part: Scan, count: int) -> Scan:
    """Return a scan of as many frames, without counts: what the plan of the memory asks for."""
    valid = part.valid
    if valid is not None and valid.ndim == 3:
        valid = da.ones((count, *part.frame_shape), dtype=bool, chunks=-1)
    return replace(
        part,
        patterns=da.zeros((count, *part.frame_shape), dtype=part.patterns.dtype, chunks=-1),
        positions_m=None,
        positions_px=np.zeros((count, 2)),
        exposure=None,
        valid=valid,
    )
