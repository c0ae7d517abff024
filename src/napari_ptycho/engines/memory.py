"""How much memory a run takes, and where its frames go when they do not fit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_ptycho.device import SPARE, free_bytes, free_ram
from napari_ptycho.engines import scratch
from napari_ptycho.engines.options import (
    DipOptions,
    DmOptions,
    EngineOptions,
    LbfgsOptions,
    MpieOptions,
)
from napari_ptycho.errors import JobError
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.scan import BLOCK_BYTES
from napari_ptycho.prepare.start import windows_of
from napari_ptycho.prepare.text import size

if TYPE_CHECKING:  # the estimate is shown before torch is needed
    import torch

COMPLEX, REAL = 8, 4
NETWORK = 1100  # bytes per pixel of the object that a network's layers and slopes take
LOADED = 4  # copies, as float32, of the block of counts that is being read
PARTS = 4  # of the memory, one of which may be taken by what is being read
PLACES = {"ram": "RAM", "disk": "disk"}


@dataclass(frozen=True)
class Estimate:
    """Bytes that a run takes on its device (a CPU's device is the RAM), by part."""

    frames: int
    """All amplitudes (and valid pixels where they differ from frame to frame)."""
    waves: int
    """Exit waves that an engine keeps of all frames (DM, RAAR); else 0."""
    images: int
    """Object, probe, their copies and momentum."""
    batch: int
    """Buffers of one batch."""
    loading: int
    """Counts on their way to amplitudes."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.frames + self.waves + self.images + self.batch + self.loading

    def text(self) -> str:
        """Return it in words, for a form."""
        parts = {"frames": self.frames, "waves": self.waves, "images": self.images}
        named = ", ".join(f"{name} {part / 1e6:.0f} MB" for name, part in parts.items() if part)
        rest = f"batch {self.batch / 1e6:.0f} MB, reading {self.loading / 1e6:.0f} MB"
        return f"{self.total / 1e6:.0f} MB ({named}, {rest})"


def estimate(
    scan: Scan,
    options: EngineOptions,
    object_shape: tuple[int, int],
    block_bytes: int = BLOCK_BYTES,
) -> Estimate:
    """Return the memory that one engine takes for a scan.

    Args:
        scan: The scan.
        options: Of the engine.
        object_shape: Pixels of the object (H, W), as the start has them.
        block_bytes: Of counts that are read at once.
    """
    assert scan.valid is not None  # set on construction
    n, pixels = len(scan), int(np.prod(scan.frame_shape))
    small = pixels // options.reduction**2
    image = int(np.prod(object_shape)) // options.reduction**2
    waves = options.modes * options.fly_points
    frames = _frames(scan)
    if options.reduction > 1:
        frames += frames // options.reduction**2
    # The object, the guard's two copies, two results on their way to the user; what an engine
    # remembers, and what its epochs collect.
    copies = 5 + 2 * isinstance(options, MpieOptions) + 4 * isinstance(options, DmOptions)
    if isinstance(options, LbfgsOptions):
        copies += 2 * options.history + 4
    probes = options.modes * small * (copies + 2 + 3 * options.variations)
    batch = min(options.batch, n)
    # The waves, their transforms, the change; torch's own copies of the same away from the CPU.
    buffers = batch * waves * small * COMPLEX * 4 + batch * small * REAL * 2
    kept = n * waves * small * COMPLEX if isinstance(options, DmOptions) else 0
    images = (copies * image + probes) * COMPLEX
    if isinstance(options, DipOptions) or options.denoiser != "none":
        images += NETWORK * image
    read = max(block_bytes, _least_block(scan)) // scan.patterns.dtype.itemsize
    loading = LOADED * REAL * min(read, n * pixels)
    return Estimate(frames, kept, images, buffers, loading)


def outlook(scan: Scan, stages: Sequence[EngineOptions], kind: str, free: int) -> tuple[str, str]:
    """Return how much memory a run takes and may take, and a warning if that is too little.

    Args:
        scan: The scan.
        stages: The engines.
        kind: Of the device: "cpu", "cuda", "mps".
        free: Bytes that may be taken on it.

    Raises:
        ScanError: The size of the object is unknown.
    """
    shape = windows_of(scan.in_pixels(), scan.frame_shape)[1]
    needed = max(estimate(scan, options, shape).total for options in stages)
    where = "GPU memory" if kind == "cuda" else "memory"
    text = f"needs about {size(needed)} of {where}; {size(free)} may be used"
    if needed <= free:
        return text, ""
    place = "disk" if kind == "cpu" else "RAM"
    return text, f"That is more: frames will be read from {place}, batches may be smaller."


def _frames(scan: Scan) -> int:
    """Return the bytes of all amplitudes, and of valid pixels that differ from frame to frame."""
    assert scan.valid is not None  # set on construction
    return int(np.prod(scan.patterns.shape)) * REAL * (2 if scan.valid.ndim == 3 else 1)


def _least_block(scan: Scan) -> int:
    """Return the bytes of counts that are read at once at least: a frame, or a whole chunk."""
    rows = scan.patterns.chunks[0][0] if scan.is_lazy else 1
    return int(rows * np.prod(scan.frame_shape) * scan.patterns.dtype.itemsize)


@dataclass(frozen=True)
class Plan:
    """What fits: stages with batches that do, and where the frames are kept."""

    stages: tuple[EngineOptions, ...]
    frames: str
    """"device", "ram" or "disk"."""
    notes: tuple[str, ...] = ()
    block_bytes: int = BLOCK_BYTES
    """Of counts that are read at once."""


def plan(
    scan: Scan,
    stages: Sequence[EngineOptions],
    start: Reconstruction,
    device: "torch.device",
    limit: int | None = None,
) -> Plan:
    """Choose batches and a place for the frames so that a run fits.

    Args:
        scan: The scan.
        stages: The engines.
        start: Whose object says how large the images are.
        device: Where the engines work.
        limit: Bytes that may be taken on the device; None takes what is free.

    Raises:
        JobError: Not even single frames fit, or there is too little room on the disk for all.
    """
    shape = (int(start.object.shape[0]), int(start.object.shape[1]))
    room = int((free_bytes(device) if limit is None else limit) * (SPARE if limit is None else 1))
    fitting: list[EngineOptions] = []
    notes, place = [], "device"
    counts = room // (PARTS * LOADED * REAL)
    block = min(BLOCK_BYTES, counts * scan.patterns.dtype.itemsize)
    for asked in stages:
        options = _fitted(scan, asked, shape, (room, block))
        if options.batch < asked.batch:
            notes.append(f"{options.title}: {options.batch} positions at once fit into the memory")
        if estimate(scan, options, shape).total > room:
            place = "disk" if device.type == "cpu" else "ram"
        fitting.append(options)
    frames = _frames(scan)
    if place == "ram" and frames > free_ram() * SPARE:
        place = "disk"
    if place != "device":
        notes.append(f"the frames do not fit into {size(room)}: they are read from {PLACES[place]}")
    if place == "disk":
        scratch.check(frames)
        notes[-1] += f" ({scratch.note(frames)})"
    return Plan(tuple(fitting), place, tuple(notes), block)


def _fitted(
    scan: Scan, options: EngineOptions, shape: tuple[int, int], given: tuple[int, int]
) -> EngineOptions:
    """Return options with a batch that fits.

    Args:
        scan: The scan.
        options: Of an engine.
        shape: Pixels of the object (H, W).
        given: Bytes that may be taken, and bytes of counts that are read at once.

    Raises:
        JobError: Not even single frames fit.
    """
    room, block = given
    needed = estimate(scan, options, shape, block)
    while needed.total - needed.frames > room and options.batch > 1:
        options = replace(options, batch=options.batch // 2)
        needed = estimate(scan, options, shape, block)
    if needed.total - needed.frames > room:
        raise JobError(
            f"{options.title} needs {needed.text()} but {room / 1e6:.0f} MB are free; "
            "use fewer modes, a binned scan, or an engine that keeps no waves"
        )
    return options
