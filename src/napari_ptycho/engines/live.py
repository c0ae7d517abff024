"""A reconstruction that goes on while frames still come, and ends like any other.

An engine goes over what has arrived in rounds of about half a second. A round is one epoch over
some of the frames: half of them those that were seen least, the new ones first, half of them any
others, so that the object does not follow the newest frames alone. New frames join between two
rounds: the object grows to where they lie, and what was reached stays.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from napari_ptycho.engines.arriving import Arriving
from napari_ptycho.engines.chain import guarded, threads_for
from napari_ptycho.engines.frames import Frames, Ids, roomy
from napari_ptycho.engines.loop import epochs
from napari_ptycho.engines.memory import plan
from napari_ptycho.engines.options import (
    EngineOptions,
    EpieOptions,
    LsqmlOptions,
    RpieOptions,
)
from napari_ptycho.engines.state import LiveState, begin, freeze, provenance_of, run_of
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.physics.propagate import Propagator, propagator
from napari_ptycho.prepare.start import first_guess, fit_modes, windows_of

ROUND_S = 0.5
FEW = 32
"""Frames of the first round, which tells how long one takes."""
LATER: dict[str, Any] = {
    "epochs": 1,
    "resolution": "full",
    "positions": "as given",
    "variations": 0,
    "flux": False,
    "fly_points": 1,
    "probe_centre": False,
    "denoiser": "none",
}
"""What is learnt from all frames together waits until all are there."""


def rounds_of(stages: Sequence[EngineOptions]) -> EngineOptions:
    """Return what goes over the frames while they come.

    It is the first engine of the chain that needs only some frames at a time (the PIE family,
    LSQ-ML), else rPIE, without what can only be learnt from all frames together.
    """
    found = (s for s in stages if isinstance(s, EpieOptions | RpieOptions | LsqmlOptions))
    options = next(found, RpieOptions(modes=stages[0].modes))
    options = replace(options, **LATER, saturation=max(stage.saturation for stage in stages))
    options = replace(options, anneal=0.0)
    if isinstance(options, LsqmlOptions):
        options = replace(options, batches="sparse", momentum=0.0)
    return options


class LiveEngine:
    """Object and probe of the frames so far."""

    def __init__(
        self,
        stages: Sequence[EngineOptions],
        device: torch.device,
        expected: int | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        """Begin with nothing.

        Args:
            stages: The chain that ends the reconstruction.
            device: Where it works.
            expected: Frames that will come, if that is known.
            memory_bytes: Most memory to take on the device; None takes what is free.
        """
        self.stages, self.device, self.memory_bytes = tuple(stages), device, memory_bytes
        self.arriving = Arriving(rounds_of(stages), device, expected, memory_bytes)
        self.notes: list[str] = []
        self.visits = np.zeros(0, np.int64)
        """(N,) rounds that each frame took part in."""
        self.rounds = 0
        self._random = np.random.default_rng(self.options.seed)
        self._pace = 0.0  # seconds per frame of a round
        self._runs: list[dict[str, Any]] = []
        self._latest: Reconstruction | None = None
        self._state: LiveState
        self._start: Reconstruction
        self._beam: Propagator
        self._origin: Floats
        self._flux = 0.0  # photons per count of a frame

    def __len__(self) -> int:
        return len(self.arriving)

    @property
    def options(self) -> EngineOptions:
        """Of the engine that goes over the frames while they come."""
        return self.arriving.options

    @property
    def epochs(self) -> float:
        """How often the frames so far were gone over, on average."""
        return float(self.visits.mean()) if len(self.visits) else 0.0

    @property
    def error(self) -> float:
        """Of the last round or epoch; NaN before the first."""
        errors = self._state.history["error"] if len(self) else []
        return errors[-1] if errors else float("nan")

    @property
    def history(self) -> dict[str, list[float]]:
        """The error of every round and epoch."""
        return self._state.history if len(self) else {}

    # -- frames come

    def extend(self, part: Scan, places: Floats) -> None:
        """Take frames in; those before stay, and what was reached with them.

        Args:
            part: The next frames, in memory; the first ones need light.
            places: (N, 2) positions of all frames so far (y, x) in object pixels.

        Raises:
            ScanError: The first frames lack what a start needs.
            JobError: Not even single frames fit into the memory.
        """
        first = not len(self)
        if first:
            self._start = first_guess(part, self.options.modes)
            self._origin = np.floor(places.min(axis=0))
        self.arriving.append(part, self._start)
        self.notes += [note for note in self.arriving.notes if note not in self.notes]
        self.visits = np.append(self.visits, np.zeros(len(part), np.int64))
        if first:
            self._begin(part)
        else:
            self._join(places, part.frame_shape)

    def _begin(self, part: Scan) -> None:
        frames = self.arriving.frames
        with torch.inference_mode():
            self._state = begin(self._start, frames, self.options)
        self._state.notes = self.notes
        self._flux = self._state.photons / float(frames.totals.mean())
        self._beam = propagator(part.geometry, part.frame_shape, self.device)
        self._runs = [run_of(self.options, self._start, self.device)]

    def _join(self, places: Floats, frame_shape: tuple[int, int]) -> None:
        """Make room for new windows, and set the power of the probe to the counts so far."""
        state, count = self._state, len(places)
        corners, shape = windows_of(places, frame_shape)
        origin = np.floor(places.min(axis=0))
        low = (self._origin - origin).astype(int)
        self._origin = origin
        image = state.object
        if low.any() or shape != state.shape:
            with torch.inference_mode():
                image = roomy(shape, torch.complex64, self.device).fill_(complex(image.mean()))
                h, w = state.shape
                image[low[0] : low[0] + h, low[1] : low[1] + w] = state.object
        self._state = replace(
            state,
            object=image,
            positions=corners,
            given=corners,
            photons=self._flux * float(self.arriving.frames.totals.mean()),
            flux=torch.ones(count, device=self.device),
            weights=torch.zeros((count, 0), dtype=torch.complex64, device=self.device),
            misfits=np.append(state.misfits, np.zeros(count - len(state.misfits))),
        )

    # -- rounds

    def round(self) -> Iterator[None]:
        """Go over some of the frames so far; yield after every batch."""
        rows, whole = self._chosen(), self._state
        seconds, began = 0.0, time.monotonic()
        part = replace(
            whole,
            positions=whole.positions[rows],
            given=whole.given[rows],
            flux=whole.flux[torch.from_numpy(rows).to(self.device)],
            weights=whole.weights[torch.from_numpy(rows).to(self.device)],
            misfits=np.zeros(len(rows)),
        )
        for _ in self._driven(self.arriving.some(rows), part, self.options):
            whole.object = part.object
            seconds += time.monotonic() - began
            yield
            began = time.monotonic()
        whole.misfits[rows] = part.misfits
        self.visits[rows] += 1
        self.rounds += 1
        self._pace = seconds / len(rows)

    def _chosen(self) -> Ids:
        """Return the frames of a round: half of them those that were seen least."""
        count = len(self)
        size = int(ROUND_S / self._pace) if self._pace else FEW
        size = max(size, self.options.batch)
        if size >= count:
            return np.arange(count)
        order = np.lexsort((self._random.random(count), self.visits))
        others = self._random.permutation(order[size // 2 :])[: size - size // 2]
        return np.sort(np.concatenate([order[: size // 2], others]))

    def _driven(
        self, frames: Frames, state: LiveState, options: EngineOptions
    ) -> Iterator[LiveState]:
        shape = (int(state.probe.shape[1]), int(state.probe.shape[2]))
        threads = threads_for(options, shape, self.device)
        return guarded(epochs(frames, state, self._beam, options), threads)

    # -- the end

    def finish(self, scan: Scan, most: int) -> Iterator[float]:
        """Run the chain over all frames; yield the epochs done after every step.

        Args:
            scan: All frames.
            most: Epochs of a stage, if it does not ask for fewer.
        """
        chosen = plan(scan, self._last_stages(most), self._start, self.device, self.memory_bytes)
        frames, before = self.arriving.frames, 0.0
        for options in chosen.stages:
            self._start = fit_modes(self.result(scan), options.modes)
            with torch.inference_mode():
                self._state = begin(self._start, frames, options)
            self._state.notes = self.notes
            self._runs = [*self._runs, run_of(options, self._start, self.device)]
            for state in self._driven(frames, self._state, options):
                yield before + state.done
            before += options.epochs
            self.visits += options.epochs

    def total(self, most: int) -> float:
        """Return the epochs of `finish`."""
        return float(sum(stage.epochs for stage in self._last_stages(most)))

    def _last_stages(self, most: int) -> list[EngineOptions]:
        return [
            replace(
                stage,
                epochs=min(stage.epochs, most),
                resolution="full",
                saturation=self.options.saturation,
            )
            for stage in self.stages
        ]

    def result(self, scan: Scan) -> Reconstruction:
        """Copy what is reached into an immutable result; `scan` says what the frames belong to."""
        frames, start = self.arriving.frames, self._start
        if self._latest is None or self._state.finite:
            runs = [{**self._runs[0], "rounds": self.rounds}, *self._runs[1:]]
            made = {**provenance_of(scan, frames, start, self.device), "runs": runs}
            self._latest = freeze(self._state, start, frames, made)
        return self._latest
