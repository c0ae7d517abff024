"""Iterative reconstruction: a scan and options in, a job of `Reconstruction`s out.

Importing this package imports no torch; the first step of a job does.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from napari_ptycho import device as devices
from napari_ptycho.engines.options import (
    ENGINES,
    AdamOptions,
    DipOptions,
    DmOptions,
    EngineOptions,
    EpieOptions,
    LbfgsOptions,
    LsqmlOptions,
    MpieOptions,
    RaarOptions,
    RpieOptions,
)
from napari_ptycho.engines.presets import PRESETS, Preset
from napari_ptycho.errors import JobError, OptionsError

if TYPE_CHECKING:  # options alone must open at once: forms and --help need no arrays
    from napari_ptycho.engines.halves import reconstruct_halves
    from napari_ptycho.engines.orientation import find_orientation
    from napari_ptycho.engines.regularise import Hook
    from napari_ptycho.job import Update
    from napari_ptycho.model import Reconstruction, Scan

__all__ = [
    "ENGINES",
    "PRESETS",
    "AdamOptions",
    "DipOptions",
    "DmOptions",
    "EngineOptions",
    "EpieOptions",
    "LbfgsOptions",
    "LsqmlOptions",
    "MpieOptions",
    "Preset",
    "RaarOptions",
    "RpieOptions",
    "find_orientation",
    "reconstruct",
    "reconstruct_halves",
]


def __getattr__(name: str) -> Any:
    """Import what needs arrays when it is asked for."""
    if name == "reconstruct_halves":
        from napari_ptycho.engines.halves import reconstruct_halves

        return reconstruct_halves
    if name == "find_orientation":
        from napari_ptycho.engines.orientation import find_orientation

        return find_orientation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def stages_of(options: EngineOptions | Sequence[EngineOptions]) -> tuple[EngineOptions, ...]:
    """Return the stages of a chain, one or several.

    Raises:
        OptionsError: These are not the options of an engine.
    """
    stages = (options,) if isinstance(options, EngineOptions) else tuple(options)
    known = tuple(ENGINES.values())
    for stage in stages:
        if not isinstance(stage, known):
            raise OptionsError(f"{type(stage).__name__} are not the options of an engine")
    if not stages:
        raise OptionsError("a chain needs at least one engine")
    return stages


def reconstruct(
    scan: "Scan",
    options: EngineOptions | Sequence[EngineOptions],
    start: "Reconstruction | None" = None,
    device: str = "auto",
    memory_bytes: int | None = None,
    hook: "Hook | None" = None,
) -> "Iterator[Update[Reconstruction]]":
    """Reconstruct object and probe of a scan: a job.

    Args:
        scan: Patterns and positions; a lazy scan is read block by block.
        options: Of one engine, or of several that go on from each other (`PRESETS` has chains).
        start: Goes on from here (object, probe, errors so far); None starts from a flat object and
            the scan's own probe, or the mean pattern where it has none (`prepare.first_guess`).
        device: "auto", "cpu", "cuda", "cuda:1", "mps"; "cuda:0,cuda:1" or "cuda:all" share the
            frames among GPUs, a process each.
        memory_bytes: Most memory to take on the device; None takes what is free. Frames that do
            not fit are sent batch by batch.
        hook: Called between epochs with the live state (`engines.state.LiveState`); may change
            object and probe, torch tensors, in place. For scripts, on one device.

    Yields:
        Updates whose history has "error", one value per epoch from the very start:
        sum(valid (|F| - sqrt I)^2) / sum(valid I).

    Raises:
        OptionsError: These are not the options of an engine.
        ScanError: The scan lacks what the engine needs (a pixel size), or `start` does not fit.
        JobError: The device is not there, or has too little memory.
    """
    stages = stages_of(options)
    from napari_ptycho.engines.chain import chain
    from napari_ptycho.prepare.start import first_guess

    guess = start or first_guess(scan, stages[0].modes)
    names = devices.each(device)
    if len(names) > 1:
        if hook is not None:
            raise JobError("a hook works on one device only; name one")
        from napari_ptycho.engines.together import chain_together

        yield from chain_together((scan, stages, guess, memory_bytes), names)
        return
    yield from chain(scan, stages, guess, names[0], memory_bytes, hook=hook)
