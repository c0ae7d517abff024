"""ePIE and rPIE: one loop, two weights (Maiden & Rodenburg 2009; Maiden, Johnson & Li 2017).

rPIE for one position j, with M incoherent modes and change d_m = to_sample(projected) - P_m O_j:

    O_j += step  sum_m conj(P_m) d_m / ((1 - alpha) D + alpha max D),   D = sum_m |P_m|^2
    P_m += step  conj(O_j) d_m       / ((1 - beta) E + beta max E),     E = |O_j|^2

alpha = beta = 1 is ePIE. A batch of B positions is one step in which both numerators and D, E are
summed over the batch, each where it lies on the object; with B = 1 that is the textbook update.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho import device as devices
from napari_ptycho.engines.options import EngineOptions, EpieOptions, RpieOptions
from napari_ptycho.engines.state import (
    Frames,
    LiveState,
    begin,
    freeze,
    load,
    provenance_of,
    roomy,
)
from napari_ptycho.errors import ScanError
from napari_ptycho.job import Update, run
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.physics.propagate import Propagator, modulus_change_, propagator
from napari_ptycho.physics.windows import (
    Number,
    brightest,
    exit_waves,
    light_of,
    move_probe_,
    turned_back,
    update_,
)
from napari_ptycho.prepare.start import fit_modes

SHARED_PIXELS = 2**20  # of a batch, from which on its FFTs gain by more than one CPU thread
ANNEALED = 0.1  # the steps at the end of the run, as a share of the first


def pie(
    scan: Scan, options: EpieOptions | RpieOptions, start: Reconstruction, device: str
) -> Iterator[Update[Reconstruction]]:
    """Run ePIE or rPIE as a job; arguments and errors as in `engines.reconstruct`."""
    if len(start.positions_px) != len(scan) or start.probe.shape[1:] != scan.frame_shape:
        raise ScanError(
            f"{scan.name}: {len(scan)} patterns of {scan.frame_shape} but the start has "
            f"{len(start.positions_px)} positions and a probe of {start.probe.shape[1:]}; "
            "start from a reconstruction of the same scan"
        )
    where = devices.pick(device)
    start = fit_modes(start, options.modes)
    with torch.inference_mode():
        frames = load(scan, where)
        state = begin(start, where)
    beam = propagator(scan.geometry, scan.frame_shape, where)
    made = provenance_of(scan, frames, options, start, where)
    threads = 1 if where.type == "cpu" and _small(scan, options) else None
    yield from run(
        _guarded(epochs(frames, state, beam, options), threads),
        options.epochs,
        lambda live: freeze(live, start, made),
    )


def _small(scan: Scan, options: EngineOptions) -> bool:
    """Whether the FFTs of a batch are too small to share: threads would wait more than work."""
    h, w = scan.frame_shape
    return options.batch * options.modes * h * w < SHARED_PIXELS


def _guarded(states: Iterator[LiveState], threads: int | None) -> Iterator[LiveState]:
    """Drive the loop without gradients, on so many CPU threads; between steps all is as before."""
    while True:
        with torch.inference_mode(), devices.threads(threads):
            state = next(states, None)
        if state is None:
            return
        yield state


def epochs(
    frames: Frames, state: LiveState, beam: Propagator, options: EpieOptions | RpieOptions
) -> Iterator[LiveState]:
    """Go over all positions in random order, again and again; yield after every batch."""
    n, errors = len(frames.amplitude), state.history["error"]
    first = len(errors)
    order = torch.Generator().manual_seed(options.seed + first)
    batch = Batch(frames, state, beam, options)
    for epoch in range(options.epochs):
        batch.begin_epoch(annealing(epoch, options), first + epoch >= options.probe_start)
        ids = torch.randperm(n, generator=order).numpy()
        for at in range(0, n, options.batch):
            batch.step(ids[at : at + options.batch])
            state.done = epoch + min(1.0, (at + options.batch) / n)
            if at + options.batch < n:
                yield state
        state.fix_scale()
        errors.append(float(batch.misfit) / frames.total)
        yield state


def annealing(epoch: int, options: EngineOptions) -> float:
    """Return the factor on the steps: 1, then falling geometrically over the last part."""
    falling = round(options.epochs * options.anneal)
    late = epoch + 1 - (options.epochs - falling)
    return 1.0 if late <= 0 else ANNEALED ** (late / falling)


class Batch:
    """One step of the loop, with the buffers it reuses."""

    def __init__(
        self,
        frames: Frames,
        state: LiveState,
        beam: Propagator,
        options: EpieOptions | RpieOptions,
    ) -> None:
        self.frames, self.state, self.beam, self.options = frames, state, beam, options
        # ePIE is rPIE with both weights at 1.
        self.alpha = getattr(options, "object_alpha", 1.0)
        self.beta = getattr(options, "probe_alpha", 1.0)
        where = state.object.device
        self.shape = (state.object.shape[0], state.object.shape[1])
        self.misfit: Number = 0.0
        self.factor, self.with_probe = 1.0, True
        modes, h, w = state.probe.shape
        most = min(options.batch, len(frames.amplitude))
        self.waves = roomy((most, modes, h, w), torch.complex64, where)
        self.lit = roomy((most if options.subpixel else 1, h, w), torch.float32, where)
        self.pull = torch.zeros_like(state.probe)
        self.power = torch.zeros((h, w), device=where)
        self.ky = torch.fft.fftfreq(h, device=where)[:, None]
        self.kx = torch.fft.fftfreq(w, device=where)[None, :]

    def begin_epoch(self, factor: float, with_probe: bool) -> None:
        """Set the factor on the steps and whether the probe moves; clear the misfit."""
        self.factor = factor
        self.with_probe = with_probe and self.options.probe_step > 0
        self.misfit = 0.0

    def step(self, ids: NDArray[np.int64]) -> None:
        """Update object and probe from some frames, both from their values before the step."""
        state, options = self.state, self.options
        probe, turn = self._probe_at(ids)
        corners = state.corners[ids]
        out = self.waves[: len(ids)]
        waves = exit_waves(state.object, probe, corners, out, self.power)
        wave = self.beam.to_detector(waves)
        self.misfit += modulus_change_(wave, self.frames.amplitude, self.frames.valid, ids)
        change = self.beam.to_sample(wave)
        lit = light_of(probe, self.lit[: len(probe)])
        floor = self.alpha * brightest(lit, corners, self.shape)
        weights = (options.object_step * self.factor, 1 - self.alpha, floor)
        pull = self.pull.zero_()
        back = None if turn is None else turned_back(change, state.object, corners, turn)
        update_(state.object, change, probe, corners, lit, weights, pull)
        if self.with_probe:
            step = options.probe_step * self.factor
            move_probe_(state.probe, pull if back is None else back, self.power, step, self.beta)

    def _probe_at(self, ids: NDArray[np.int64]) -> tuple[Tensor, Tensor | None]:
        """Return the probe for each frame, (1 or B, M, h, w), and the phase ramps that shift it."""
        if not self.options.subpixel:
            return self.state.probe.unsqueeze(0), None
        shift = self.state.fractions[torch.from_numpy(ids)]
        y, x = shift[:, 0, None, None], shift[:, 1, None, None]
        angle = (self.ky * y + self.kx * x) * (-2 * torch.pi)
        turn = torch.polar(torch.ones_like(angle), angle).unsqueeze(1)
        return torch.fft.ifft2(torch.fft.fft2(self.state.probe) * turn), turn
