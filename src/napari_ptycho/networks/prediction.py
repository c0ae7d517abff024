"""Prediction as a job: patterns in blocks, patches in batches, one object."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho import device as devices
from napari_ptycho.errors import JobError
from napari_ptycho.job import Update, run
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.networks.central import Enlarging, central, coarser, reduction, told
from napari_ptycho.networks.forward import Sample
from napari_ptycho.networks.ground import (
    Digest,
    checksum_of,
    ground,
    known_probe,
    provenance_of,
    stepping,
)
from napari_ptycho.networks.inputs import fitting
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.options import PredictOptions
from napari_ptycho.networks.patches import SingleShot
from napari_ptycho.networks.result import Predicted
from napari_ptycho.networks.stitch import Stitcher, cut, weight_of
from napari_ptycho.networks.synchronise import check_room, synchronised
from napari_ptycho.physics.propagate import abs2, propagator

ASKED = 128
"""Patterns that the stitched object is compared with."""
ASKED_BYTES = 2**26
Asked = tuple[int, Tensor, Tensor]
"""Number, counts (h, w) and valid pixels (h, w) of a pattern that is compared."""
BLOCK_BYTES = {"cpu": 2**23, "cuda": 2**26}
TOLD = 0.95
"""Share of the light that falls on known pixels in the patterns that are compared."""
DOUBT = 0.9
"""An R factor above this share of a flat object's explains nothing."""


def predict_job(
    scan: Scan,
    network: Network,
    options: PredictOptions,
    probe: Complexes | None,
    device: str,
) -> Iterator[Update[Predicted]]:
    """Predict the object of a scan; arguments as in `networks.predict`."""
    k = reduction(scan, network.preparation.shape)
    freeze: Callable[[Prediction], Predicted] = Prediction.freeze
    with devices.at_most(devices.window_threads()):
        if k == 1:
            going = Prediction(scan, network, options, probe, device)
        else:
            known = known_probe(scan, network, probe)
            part = None if known is None else coarser(known, k)
            going = Prediction(central(scan, k), network, options, part, device, scan)
            going.notes.insert(0, told(scan, k))
            freeze = Enlarging(ground(scan, known), k).freeze
    steps = stepping(going.states(), _quietly)
    yield from run(steps, len(going.frames), freeze, notes=lambda: tuple(going.notes))


@contextmanager
def _quietly() -> Iterator[None]:
    with torch.inference_mode(), devices.at_most(devices.window_threads()):
        yield


class Prediction:
    """The live state: sums of the patches so far."""

    def __init__(
        self,
        scan: Scan,
        network: Network,
        options: PredictOptions,
        probe: Complexes | None = None,
        device: str = "auto",
        whole: Scan | None = None,
    ) -> None:
        """Find windows, probe and scaling, and bring the network to the device.

        Args:
            scan: What is predicted.
            network: What predicts.
            options: How patches are put together.
            probe: (M, h, w), or None: see `known_probe`.
            device: As in `networks.predict`.
            whole: The scan of which `scan` is the central part; None: `scan` is all.

        Raises:
            OptionsError: The network was taught with patterns of another size.
            ScanError: The scan lacks positions in object pixels.
            JobError: The device is not there, or memory for synchronising is.
        """
        self.scan, self.options = scan, options
        where = devices.pick(device)
        own = options.standardise == "scan"
        made, notes = fitting(network.preparation, scan, own, network.kind.multiple)
        self.frames: NDArray[np.int64] = np.arange(0, len(scan), options.every)
        if options.synchronise:
            check_room(len(self.frames), scan.frame_shape)
        self.start = ground(scan, known_probe(scan, network, probe))
        self.shot = SingleShot(network, made, options, where)
        self.notes = [*notes, *self.shot.notes]
        weight = weight_of(
            options.stitching, self.start.probe, self.start.positions_px[self.frames]
        )
        self.weight = torch.from_numpy(weight).to(where)
        self.corners = torch.from_numpy(self.start.positions_px.copy())
        self.stitcher = self._stitcher()
        self.done = 0.0
        self.history: Mapping[str, list[float]] = {}
        self.r_factor = self.r_flat = float("nan")
        self._made = provenance_of(scan, network, self.start, where)
        self._made["predicted"]["options"] = options.as_dict()
        self._whole = scan if whole is None and options.every > 1 else whole
        """Whose counts are summed up at the end; None: as they come, all of them do."""
        self._digest = Digest()
        self._kept: list[Tensor] = []
        most = int(np.clip(ASKED_BYTES // (4 * np.prod(scan.frame_shape)), 1, ASKED))
        self._asked = set(self.frames[:: -(-len(self.frames) // most)].tolist())
        self._sample: list[Asked] = []

    def states(self) -> Iterator["Prediction"]:
        """Go through all patterns; yield after each batch."""
        for frames, counts in self._counts():
            patches = self.shot(counts)
            self.stitcher.add(patches, self.corners[frames])
            if self.options.synchronise:
                self._kept.append(patches.cpu())
            self.done += len(frames)
            if self.done == len(self.frames):
                self._finish()
            yield self

    def freeze(self) -> Predicted:
        """Copy what is reached into an immutable result on the CPU.

        Raises:
            JobError: The network has put out something that is not finite.
        """
        start = replace(self.start, provenance=self._made)
        return predicted(self.stitcher, start, (self.r_factor, self.r_flat), self.frames)

    def _stitcher(self) -> Stitcher:
        h, w = self.start.object.shape
        return Stitcher((h, w), self.weight, self.options.stitching == "uniform")

    def _counts(self) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Yield batches: which frames, and their counts (B, h, w) on the device."""
        kind = self.weight.device.type
        for block, patterns in self.scan.blocks(BLOCK_BYTES.get(kind, BLOCK_BYTES["cpu"])):
            if self._whole is None:
                self._digest.add(patterns)
            inside = (self.frames >= block.start) & (self.frames < block.stop)
            picked = self.frames[inside]
            valid = self.scan.valid_of(block)
            for first in range(0, len(picked), self.shot.batch):
                frames = picked[first : first + self.shot.batch]
                at = frames - block.start
                good = torch.from_numpy(valid[at] if valid.ndim == 3 else valid[None].copy())
                counts = self._full(frames, patterns[at], good.to(self.weight.device))
                self._ask(frames, counts, good)
                yield frames, counts

    def _full(self, frames: NDArray[np.int64], block: NDArray[np.generic], good: Tensor) -> Tensor:
        """Return counts at full exposure as float32, dead pixels as 0, made on the device."""
        native = block.astype(block.dtype.newbyteorder("="), copy=False)
        counts = torch.from_numpy(native).to(good.device).to(torch.float32)
        counts = torch.where(good, counts, 0)
        exposure = self.scan.exposure
        if exposure is not None:
            share = torch.from_numpy((exposure[frames] / exposure.max()).astype(np.float32))
            counts /= share.to(good.device)[:, None, None]
        return counts

    def _ask(self, frames: NDArray[np.int64], counts: Tensor, good: Tensor) -> None:
        """Keep some patterns, to compare the stitched object with."""
        for k, n in enumerate(frames.tolist()):
            if n in self._asked:
                self._sample.append((n, counts[k].cpu(), good[k if len(good) > 1 else 0].cpu()))

    def _finish(self) -> None:
        whole = self._whole
        self._made["scan_checksum"] = self._digest.text() if whole is None else checksum_of(whole)
        if self.options.synchronise:
            self._restitch(torch.cat(self._kept))
        found = agreement(self.stitcher, self.start, self.corners, self._sample)
        self.r_factor, self.r_flat = found
        self.notes += disbelief(self.r_factor, self.r_flat)

    def _restitch(self, patches: Tensor) -> None:
        corners = self.corners[self.frames]
        whole = self.options.stitching == "uniform"
        shape = self.stitcher.shape
        patches = synchronised(patches, corners, shape, self.weight, whole)
        self.stitcher, batch = self._stitcher(), self.shot.batch
        for first in range(0, len(patches), batch):
            some = slice(first, first + batch)
            self.stitcher.add(patches[some].to(self.weight.device), corners[some])


def sample_of(counts: Tensor, good: Tensor, corners: Tensor, where: torch.device) -> Sample:
    """Return patterns (K, h, w), zero frequency in the middle, as the forward model asks for."""
    axes = (-2, -1)
    root = torch.fft.ifftshift(counts.clamp(min=0).sqrt(), axes)
    return Sample(root.to(where), torch.fft.ifftshift(good, axes).to(where), corners)


def agreement(
    stitcher: Stitcher, start: Reconstruction, corners: Tensor, asked: Sequence[Asked]
) -> tuple[float, float]:
    """Return the R factor of what is stitched, and that of a flat object.

    Args:
        stitcher: The sums.
        start: Probe and geometry.
        corners: (N, 2) of all windows, on the CPU.
        asked: The patterns that are compared.
    """
    where = stitcher.sums.device
    probe = torch.from_numpy(start.probe.copy()).to(where)
    beam = propagator(start.geometry, (int(probe.shape[1]), int(probe.shape[2])), where)
    stitched = stitcher.result()
    image = stitched.object.to(torch.complex64)
    numbers, counts, good = zip(*asked, strict=True)
    corners = corners[list(numbers)]
    told = lit_share(stitched.known, probe, corners) > TOLD
    told = told if bool(told.any()) else ~told
    sample = sample_of(torch.stack(counts)[told], torch.stack(good)[told], corners[told], where)
    flat = torch.ones_like(image)
    return sample.r_factor(image, probe, beam), sample.r_factor(flat, probe, beam)


def lit_share(known: Tensor, probe: Tensor, corners: Tensor) -> Tensor:
    """Return how much of the light of each window (B,) falls where the object is known."""
    h, w = int(probe.shape[-2]), int(probe.shape[-1])
    light = abs2(probe).sum(dim=0)
    share = (cut(known.to(light.dtype), corners, (h, w)) * light).sum(dim=(-2, -1))
    return (share / light.sum()).cpu()


def predicted(
    stitcher: Stitcher, start: Reconstruction, r: tuple[float, float], frames: NDArray[np.int64]
) -> Predicted:
    """Copy sums of patches into an immutable result on the CPU.

    Args:
        stitcher: The sums.
        start: Windows, probe and provenance of the result.
        r: R factor of the object, and of a flat one.
        frames: The patterns that were used.

    Raises:
        JobError: The network has put out something that is not finite.
    """
    stitched = stitcher.result()
    image = stitched.object.to(torch.complex64).cpu().numpy()
    if not np.isfinite(image).all():
        raise JobError(
            f"{start.name}: the output of the network is not finite; choose float32 as its "
            "precision, or another network"
        )
    spread = stitched.spread.to(torch.float32).cpu().numpy()
    coverage = stitched.coverage.to(torch.float32).cpu().numpy()
    result = replace(start, object=image, extras={"spread": spread})
    return Predicted(result, spread, coverage, r[0], r[1], frames)


def disbelief(r_factor: float, r_flat: float) -> tuple[str, ...]:
    """Return a sentence if an R factor is known and not clearly below that of a flat object."""
    if np.isnan(r_flat) or r_factor < DOUBT * r_flat:
        return ()
    return (
        f"the prediction does not explain the patterns (R {r_factor:.2f}, a flat object "
        f"{r_flat:.2f}): do not believe it; let an engine go on from it, or train a "
        "network with such a probe and dose",
    )
