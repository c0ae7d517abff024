"""Iterative reconstruction: a scan and options in, a job of `Reconstruction`s out.

Importing this package imports no torch; the first step of a job does.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
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
    from napari_ptycho.io.autosave import Autosave, Checkpoint
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


_WHERE = {"find_orientation": "orientation", "reconstruct_halves": "halves"}
"""Name -> the module that has it, imported when it is first asked for: it needs arrays."""


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


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


def reconstruct(  # noqa: PLR0913 - keywords, for scripts
    scan: "Scan",
    options: EngineOptions | Sequence[EngineOptions] | None,
    start: "Reconstruction | None" = None,
    device: str = "auto",
    memory_bytes: int | None = None,
    hook: "Hook | None" = None,
    *,
    autosave: "Autosave | None" = None,
    resume: "Checkpoint | None" = None,
) -> "Iterator[Update[Reconstruction]]":
    """Reconstruct object and probe of a scan: a job.

    Args:
        scan: Patterns and positions; a lazy scan is read block by block.
        options: Of one engine, or of several that go on from each other (`PRESETS` has chains).
            None takes those, and the start, of `resume`.
        start: Goes on from here (object, probe, errors so far); None starts from a flat object and
            the scan's own probe, or the mean pattern where it has none (`prepare.first_guess`).
        device: "auto", "cpu", "cuda", "cuda:1", "mps"; "cuda:0,cuda:1" or "cuda:all" share the
            frames among GPUs, a process each.
        memory_bytes: Most memory to take on the device; None takes what is free. Frames that do
            not fit are sent batch by batch.
        hook: Called between epochs with the live state (`engines.state.LiveState`); may change
            object and probe, torch tensors, in place. For scripts, on one device.
        autosave: Where and how often a checkpoint is written, on one device. The caller discards
            it once the result is in safe hands.
        resume: Goes on from this checkpoint, as if the run had never ended: bit by bit on a CPU
            with as many threads. Scan, options and start must be the same.

    Yields:
        Updates whose history has "error", one value per epoch from the very start:
        sum(valid (|F| - sqrt I)^2) / sum(valid I).

    Raises:
        OptionsError: These are not the options of an engine, or not those of `resume`.
        ScanError: The scan lacks what the engine needs (a pixel size), or `start` does not fit.
        JobError: The device is not there, or has too little memory; or `resume` is of another
            run.
    """
    stages = None if options is None else stages_of(options)
    from napari_ptycho.engines.chain import chain
    from napari_ptycho.engines.regularise import nothing
    from napari_ptycho.engines.resuming import begun, resumed

    names = devices.each(device)
    if len(names) > 1:
        if hook is not None:
            raise JobError("a hook works on one device only; name one")
        if resume is not None:
            raise JobError("a run goes on from a checkpoint on one device only; name one")
        from napari_ptycho.engines.together import chain_together

        together = begun(scan, stages, start)
        yield from chain_together((scan, together, memory_bytes), names, autosave is not None)
        return
    if resume is not None:
        run = resumed(resume, stages, start, autosave)
    else:
        run = begun(scan, stages, start, autosave)
    yield from chain(scan, run, names[0], memory_bytes, hook=hook or nothing)
