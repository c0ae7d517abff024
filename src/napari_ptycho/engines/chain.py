"""A chain of engines on one scan: a job that goes on from stage to stage."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from napari_ptycho import device as devices
from napari_ptycho import job
from napari_ptycho.engines.coarse import Level, why_not
from napari_ptycho.engines.frames import Frames, load
from napari_ptycho.engines.loop import Loop
from napari_ptycho.engines.memory import plan
from napari_ptycho.engines.options import EngineOptions
from napari_ptycho.engines.regularise import Hook, nothing
from napari_ptycho.engines.resuming import Point, Run, checkpoint_of
from napari_ptycho.engines.share import ALONE, Share
from napari_ptycho.engines.state import (
    LiveState,
    begin,
    check_start,
    freeze,
    provenance_of,
    run_of,
)
from napari_ptycho.io.autosave import Checkpoint
from napari_ptycho.io.resuming import saving
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.physics.propagate import propagator
from napari_ptycho.prepare.start import fit_modes

SHARED_PIXELS = 2**20  # of a batch, from which on its FFTs gain by more than one CPU thread


@dataclass
class Stage:
    """What is reached in a chain: the engine under way, on its grid."""

    loop: Loop
    level: Level
    point: Point
    """Where it began."""
    made: Mapping[str, Any]

    @property
    def state(self) -> LiveState:
        """Object and probe under way."""
        return self.loop.state

    @property
    def done(self) -> float:
        """Epochs done in the whole chain."""
        return self.point.before + self.state.done

    @property
    def history(self) -> dict[str, list[float]]:
        """Curves from the very start."""
        return self.state.history


def chain(
    scan: Scan,
    run: Run,
    device: str,
    memory_bytes: int | None = None,
    share: Share = ALONE,
    hook: Hook = nothing,
) -> Iterator[Update[Reconstruction]]:
    """Run engines one after the other; errors as in `engines.reconstruct`.

    Args:
        scan: The scan.
        run: The engines, where they start or go on, and where it is saved.
        device: As in `engines.reconstruct`, and so are `memory_bytes` and `hook`.
        memory_bytes: See above.
        share: Which frames are this process's own.
        hook: See above.
    """
    start = run.point.start
    check_start(scan, start)
    where = devices.pick(device)
    kept = plan(scan, run.fitting, start, where, memory_bytes)
    notes = [*run.point.notes, *(note for note in kept.notes if note not in run.point.notes)]
    with torch.inference_mode():
        saturation = max(stage.saturation for stage in kept.stages)
        frames = load(scan, where, saturation, kept.frames, share, kept.block_bytes)
    key = run.check(scan, frames.checksum)
    point = run.point
    if not run.key:
        made = provenance_of(scan, frames, start, where)
        point = replace(point, made={**made, "runs": list(start.provenance.get("runs", []))})
    run = replace(run, point=point, batches=[stage.batch for stage in kept.stages])
    total = float(sum(stage.epochs for stage in run.stages))
    latest = [start]

    def frozen(stage: Stage) -> Reconstruction:
        if stage.state.finite:  # else the guard mends it at the end of the epoch
            result = freeze(stage.state, stage.level.start, frames, stage.made)
            latest[0] = stage.level.fine(result, stage.state.grown)
        return latest[0]

    def said() -> tuple[str, ...]:
        return (*notes, *(run.autosave.notes if run.autosave is not None else ()))

    def checkpoint(stage: Stage) -> Checkpoint | None:
        if not stage.loop.whole:
            return None
        point = replace(stage.point, loop=stage.loop.saved(), notes=notes)
        return checkpoint_of(run, point, key, (stage.done, total))

    states = _stages(scan, run, frames, (notes, share, hook))
    yield from job.run(saving(states, run.autosave, checkpoint), total, frozen, notes=said)


def _stages(
    scan: Scan, run: Run, frames: Frames, context: tuple[list[str], Share, Hook]
) -> Iterator[Stage]:
    """Run the stages; each begins where the one before has ended."""
    notes, share, hook = context
    point: Point | None = run.point
    while point is not None:
        with torch.inference_mode():
            seen, options = _seen(scan, frames, run.fitting[point.number], (notes, share))
        start = fit_modes(point.start, options.modes)
        runs = [*point.made["runs"], run_of(options, start, frames.device)]
        level = Level(start, options.reduction, options.shifts)
        with torch.inference_mode():
            state = begin(level.coarse(seen.total / len(scan)), seen, options)
            state.notes = notes
            shape = (int(state.probe.shape[1]), int(state.probe.shape[2]))
            beam = propagator(scan.geometry, shape, frames.device)
        threads = threads_for(options, shape, frames.device)
        with torch.inference_mode(), devices.threads(threads):
            loop = Loop(seen, state, beam, options, share, hook)
            if point.loop is not None:
                loop.restore(point.loop)
        stage = Stage(loop, level, point, {**point.made, "runs": runs})
        if point.loop is not None:
            yield stage
        for _ in guarded(loop.epochs(), threads):
            yield stage
        point = _next(stage, seen, run)


def _next(stage: Stage, frames: Frames, run: Run) -> Point | None:
    """Return where the next stage begins; None if there is none."""
    at, state = stage.point, stage.state
    if at.number + 1 == len(run.stages):
        return None
    result = freeze(state, stage.level.start, frames, stage.made)
    start = replace(stage.level.fine(result, state.grown), provenance=stage.made)
    return Point(start, at.number + 1, at.before + run.stages[at.number].epochs, stage.made)


def _seen(
    scan: Scan, frames: Frames, options: EngineOptions, context: tuple[list[str], Share]
) -> tuple[Frames, EngineOptions]:
    """Return the part of the detector that a stage uses: all of it where a part says too little."""
    notes, share = context
    if options.reduction == 1:
        return frames, options
    reason = why_not(scan, options.reduction, outside=0.0)
    if not reason:
        part = frames.central(options.reduction)
        dtype = devices.precise(frames.device)
        share.sum_(totals := torch.from_numpy(part.totals).to(dtype).to(frames.device))
        part = replace(part, totals=totals.cpu().numpy())
        reason = why_not(scan, options.reduction, 1 - part.total / frames.total)
        if not reason:
            return part, options
    notes.append(f"{options.title} runs at full resolution: {reason}")
    return frames, replace(options, resolution="full")


def threads_for(options: EngineOptions, shape: tuple[int, int], device: torch.device) -> int | None:
    """Return how many CPU threads an engine works on with waves of a shape; None: as many as are.

    A batch below `SHARED_PIXELS` has too little to share.
    """
    pixels = options.batch * options.modes * options.fly_points * shape[0] * shape[1]
    return 1 if device.type == "cpu" and pixels < SHARED_PIXELS else None


def guarded(states: Iterator[LiveState], threads: int | None) -> Iterator[LiveState]:
    """Drive a loop without gradients, on so many CPU threads; between steps all is as before."""
    while True:
        with torch.inference_mode(), devices.threads(threads):
            state = next(states, None)
        if state is None:
            return
        yield state
