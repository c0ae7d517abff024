"""What the photons of a scan say of an object: the forward model, with nothing left to learn.

Probe, positions and whatever else a reconstruction knows of the experiment (modes, sub-pixel
shifts, background, flux, variations, fly-scan) are held fixed; only the object is asked for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho import device as devices
from napari_ptycho.engines.frames import Ids, load
from napari_ptycho.engines.halves import By, check_of, forward_options, frozen, split
from napari_ptycho.engines.memory import plan
from napari_ptycho.engines.state import begin
from napari_ptycho.engines.work import Work
from napari_ptycho.errors import ScanError
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.physics.propagate import abs2, deviance, measured_in, propagator
from napari_ptycho.physics.windows import add_, add_light_

DARK = 1e-3  # counts that the model has at least: one stray photon cannot outweigh all others
Object = NDArray[np.complexfloating]


@dataclass(frozen=True, eq=False)
class Slope:
    """How the likelihood of the counts changes with the object."""

    way: NDArray[np.complex64]
    """(H, W) sum over frames and modes of conj(P) IFFT((y / I - 1) Psi): minus the slope of the
    Poisson likelihood sum(I - y ln I) by the conjugate object."""
    light: Floats
    """(H, W) sum over frames and modes of |P|^2."""

    def by_phase(self, image: Object) -> tuple[Floats, Floats]:
        """Return score and information of the phase of each pixel (H, W).

        The score is where the counts want the phase to go, the information its variance under
        Poisson noise, 2 sum |psi|^2, as far as neighbours do not matter.
        """
        return _along(self, image, 1j * image)

    def by_amplitude(self, image: Object) -> tuple[Floats, Floats]:
        """Return the same of the logarithm of the amplitude."""
        return _along(self, image, image)


class Referee:
    """The frames of a scan, and the forward model of a reconstruction of it.

    Raises:
        ScanError: The reconstruction is not one of this scan; or the counts are no photons.
        JobError: The device is not there, or has too little memory.
    """

    def __init__(
        self,
        scan: Scan,
        result: Reconstruction,
        device: str = "auto",
        half: int | None = None,
        by: By = "photons",
        seed: int = 0,
    ) -> None:
        """Read the frames.

        Args:
            scan: The scan.
            result: Says what is known of the experiment.
            device: As in `engines.reconstruct`.
            half: None takes all photons; 0 or 1 those of half A or B, as `reconstruct_halves` with
                the same `by` and seed splits them.
            by: "photons" or "positions".
            seed: Of the split of photons.
        """
        check_of(scan, result)
        options = frozen(forward_options(result), result)
        if half is not None:
            part = split(scan, result, by, seed, options.saturation)[half]
            scan, result = part.scan, part.start
            [options] = part.seen([options])
        where = devices.pick(device)
        kept = plan(scan, (options,), result, where)
        [options] = kept.stages
        self.shape = result.object.shape
        self.positions_px = result.positions_px
        """(n, 2) of its frames."""
        self.notes = kept.notes
        with torch.inference_mode():
            frames = load(scan, where, options.saturation, kept.frames)
            state = begin(result, frames, options)
            beam = propagator(scan.geometry, scan.frame_shape, where)
            self._work = Work(frames, state, beam, options)
        self.checksum = f"blake2b-128 {frames.checksum}"

    def __len__(self) -> int:
        """Number of frames."""
        return len(self._work.frames.ids)

    def costs(self, image: Object) -> Floats:
        """Return the Poisson misfit of each frame, (N,): sum(I - y ln I) less that of I = y.

        Args:
            image: (H, W) complex object.
        """
        found = np.zeros(len(self._work.state.misfits))
        with self._quietly():
            for ids, wave, counts, good, _ in self._models(image):
                model = abs2(wave).sum(dim=1).add_(self._floor)
                cost = deviance(counts, model).mul_(good)
                found[ids] = cost.sum(dim=(1, 2)).cpu().double().numpy()
        return found

    def slope(self, image: Object, draw: int | None = None) -> Slope:
        """Return how the likelihood changes with the object.

        Args:
            image: (H, W) complex object.
            draw: None asks the measured counts; a number draws counts from the model itself, with
                this seed: what Poisson noise alone does.
        """
        work, random = self._work, np.random.default_rng(draw)
        with self._quietly():
            way = torch.zeros_like(work.state.object)
            light = torch.zeros(way.shape, device=way.device)
            for ids, wave, counts, good, probe in self._models(image):
                model = abs2(wave).sum(dim=1).add_(self._floor)
                if draw is not None:
                    drawn = random.poisson(model.cpu().numpy()).astype(np.float32)
                    counts = torch.from_numpy(drawn).to(model.device)
                wave.mul_((counts / model).sub_(1).mul_(good).unsqueeze(1))
                corners = work.state.corners[ids]
                add_(way, corners, (work.beam.to_sample(wave) * probe.conj()).sum(dim=1))
                add_light_(light, corners, probe)
        return Slope(way.cpu().numpy().copy(), light.cpu().double().numpy())

    @property
    def _floor(self) -> Tensor:
        return self._work.state.background + DARK

    def _models(self, image: Object) -> Iterator[tuple[Ids, Tensor, Tensor, Tensor, Tensor]]:
        """Yield batches: frames, their detector waves, counts, valid pixels, and probes.

        Saturated pixels are left out.

        Raises:
            ScanError: The object has another shape.
        """
        work = self._work
        if image.shape != self.shape:
            raise ScanError(
                f"an object of {image.shape} pixels; need {self.shape}, as the reconstruction has"
            )
        work.state.object.copy_(torch.tensor(np.ascontiguousarray(image, np.complex64)))
        for ids in work.in_order():
            probe, exits = work.exits(ids)
            amplitude, valid, at = work.frames.pick(ids)
            target = amplitude[torch.from_numpy(at).to(amplitude.device)]
            told = measured_in(valid, torch.from_numpy(at).to(valid.device)) * (target >= 0)
            yield ids, work.beam.to_detector(exits), target.square(), told, probe

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Compute without gradients; on a CPU with one thread, as engines do."""
        threads = 1 if self._work.frames.device.type == "cpu" else None
        with torch.inference_mode(), devices.threads(threads):
            yield


def _along(slope: Slope, image: Object, change: Object) -> tuple[Floats, Floats]:
    score = 2 * np.real(np.conj(change) * slope.way)
    return np.asarray(score, np.float64), 2 * slope.light * np.abs(image) ** 2
