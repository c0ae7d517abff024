"""A chain of engines on one scan: a job that goes on from stage to stage."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from napari_ptycho import device as devices
from napari_ptycho.engines.coarse import Level, why_not
from napari_ptycho.engines.frames import Frames, load
from napari_ptycho.engines.loop import epochs
from napari_ptycho.engines.memory import plan
from napari_ptycho.engines.options import EngineOptions
from napari_ptycho.engines.regularise import Hook, nothing
from napari_ptycho.engines.share import ALONE, Share
from napari_ptycho.engines.state import (
    LiveState,
    begin,
    check_start,
    freeze,
    provenance_of,
    run_of,
)
from napari_ptycho.job import Update, run
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.physics.propagate import propagator
from napari_ptycho.prepare.start import fit_modes

SHARED_PIXELS = 2**20  # of a batch, from which on its FFTs gain by more than one CPU thread
Stages = Sequence[EngineOptions]


@dataclass
class Stage:
    """What is reached in a chain: the live state of the engine under way, on its grid."""

    state: LiveState
    level: Level
    before: float
    """Epochs of the stages before."""
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> float:
        """Epochs done in the whole chain."""
        return self.before + self.state.done

    @property
    def history(self) -> dict[str, list[float]]:
        """Curves from the very start."""
        return self.state.history


def chain(
    scan: Scan,
    stages: Stages,
    start: Reconstruction,
    device: str,
    memory_bytes: int | None = None,
    share: Share = ALONE,
    hook: Hook | None = None,
) -> Iterator[Update[Reconstruction]]:
    """Run engines one after the other; arguments and errors as in `engines.reconstruct`."""
    check_start(scan, start)
    where = devices.pick(device)
    kept = plan(scan, stages, start, where, memory_bytes)
    stages = kept.stages
    notes = list(kept.notes)
    with torch.inference_mode():
        saturation = max(stage.saturation for stage in stages)
        frames = load(scan, where, saturation, kept.frames, share)
    made = provenance_of(scan, frames, start, where)
    made["runs"] = list(start.provenance.get("runs", []))
    total = sum(stage.epochs for stage in stages)

    latest = [start]

    def frozen(stage: Stage) -> Reconstruction:
        if stage.state.finite:  # else the guard mends it at the end of the epoch
            result = freeze(stage.state, stage.level.start, frames, stage.made)
            latest[0] = stage.level.fine(result, stage.state.grown)
        return latest[0]

    states = _stages(scan, stages, start, frames, (made, notes, share, hook or nothing))
    yield from run(states, total, frozen, notes=lambda: tuple(notes))


def _stages(
    scan: Scan,
    stages: Stages,
    start: Reconstruction,
    frames: Frames,
    context: tuple[dict[str, Any], list[str], Share, Hook],
) -> Iterator[Stage]:
    """Run the stages; each begins where the one before has ended."""
    made, notes, share, hook = context
    before = 0.0
    for number, asked in enumerate(stages):
        with torch.inference_mode():
            seen, options = _seen(scan, frames, asked, (notes, share))
        start = fit_modes(start, options.modes)
        made = {**made, "runs": [*made["runs"], run_of(options, start, frames.device)]}
        level = Level(start, options.reduction, options.shifts)
        with torch.inference_mode():
            state = begin(level.coarse(seen.total / len(scan)), seen, options)
        state.notes = notes
        shape = (int(state.probe.shape[1]), int(state.probe.shape[2]))
        beam = propagator(scan.geometry, shape, frames.device)
        small = options.batch * options.modes * options.fly_points * np.prod(shape) < SHARED_PIXELS
        threads = 1 if frames.device.type == "cpu" and small else None
        stage = Stage(state, level, before, made)
        for _ in guarded(epochs(seen, state, beam, options, share, hook), threads):
            yield stage
        before += options.epochs
        if number + 1 < len(stages):
            result = freeze(state, level.start, seen, made)
            start = replace(level.fine(result, state.grown), provenance=made)


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
        share.sum_(totals := torch.from_numpy(part.totals).to(frames.device))
        part = replace(part, totals=totals.cpu().numpy())
        reason = why_not(scan, options.reduction, 1 - part.total / frames.total)
        if not reason:
            return part, options
    notes.append(f"{options.title} runs at full resolution: {reason}")
    return frames, replace(options, resolution="full")


def guarded(states: Iterator[LiveState], threads: int | None) -> Iterator[LiveState]:
    """Drive a loop without gradients, on so many CPU threads; between steps all is as before."""
    while True:
        with torch.inference_mode(), devices.threads(threads):
            state = next(states, None)
        if state is None:
            return
        yield state
