"""How much memory a run takes, and where its frames go when they do not fit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_ptycho.device import free_bytes, free_ram
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

if TYPE_CHECKING:  # the estimate is shown before torch is needed
    import torch

COMPLEX, REAL = 8, 4
NETWORK = 1100  # bytes per pixel of the object that a network's layers and slopes take
LOADED = 5  # copies, in bytes of counts, of the block that is being read
SPARE = 0.9  # of the free memory that a run may take


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
        named = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in parts.items() if size)
        return f"{self.total / 1e6:.0f} MB ({named}, batch {self.batch / 1e6:.0f} MB)"


def estimate(scan: Scan, options: EngineOptions, object_shape: tuple[int, int]) -> Estimate:
    """Return the memory that one engine takes for a scan.

    Args:
        scan: The scan.
        options: Of the engine.
        object_shape: Pixels of the object (H, W), as the start has them.
    """
    assert scan.valid is not None  # set on construction
    n, pixels = len(scan), int(np.prod(scan.frame_shape))
    small = pixels // options.reduction**2
    image = int(np.prod(object_shape)) // options.reduction**2
    waves = options.modes * options.fly_points
    frames = n * pixels * REAL * (2 if scan.valid.ndim == 3 else 1)
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
    loading = min(LOADED * BLOCK_BYTES, 2 * n * pixels * REAL)
    return Estimate(frames, kept, images, buffers, loading)


@dataclass(frozen=True)
class Plan:
    """What fits: stages with batches that do, and where the frames are kept."""

    stages: tuple[EngineOptions, ...]
    frames: str
    """"device", "ram" or "disk"."""
    notes: tuple[str, ...] = ()


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
        JobError: Not even single frames fit.
    """
    shape = (int(start.object.shape[0]), int(start.object.shape[1]))
    room = int((free_bytes(device) if limit is None else limit) * (SPARE if limit is None else 1))
    fitting: list[EngineOptions] = []
    notes, place = [], "device"
    for options in stages:
        needed = estimate(scan, options, shape)
        while needed.total - needed.frames > room and options.batch > 1:
            options = replace(options, batch=options.batch // 2)
            needed = estimate(scan, options, shape)
        if needed.total - needed.frames > room:
            raise JobError(
                f"{options.title} needs {needed.text()} but {room / 1e6:.0f} MB are free; "
                "use fewer modes, a binned scan, or an engine that keeps no waves"
            )
        if options.batch < stages[len(fitting)].batch:
            notes.append(f"{options.title}: {options.batch} positions at once fit into the memory")
        if needed.total > room:
            place = "disk" if device.type == "cpu" else "ram"
        fitting.append(options)
    if place == "ram" and needed.frames > free_ram() * SPARE:
        place = "disk"
    if place != "device":
        where = {"ram": "RAM", "disk": "disk"}[place]
        notes.append(f"the frames do not fit into {room / 1e6:.0f} MB: they are read from {where}")
    return Plan(tuple(fitting), place, tuple(notes))
