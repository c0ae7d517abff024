"""A scan on the device, for a network that learns from it: inputs, counts, windows, probe."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from napari_ptycho import device as devices
from napari_ptycho.errors import JobError, OptionsError, ScanError
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.networks.cost import cost
from napari_ptycho.networks.forward import Sample
from napari_ptycho.networks.ground import Digest, ground, known_probe
from napari_ptycho.networks.inputs import Inputs, counts_of, fitting
from napari_ptycho.networks.network import Network, Preparation
from napari_ptycho.networks.patches import complex_patches
from napari_ptycho.networks.stitch import Stitcher, weight_of
from napari_ptycho.physics.propagate import Propagator, propagator

ROOM = 0.5
"""Share of the free memory that patterns may take, and then the way back through a network."""
SAMPLED = 256
WAVES = 2**20
"""Pixels of windows that go through the forward model at once."""


@dataclass(eq=False)
class Experiment:
    """All patterns of a scan, in memory."""

    scan: Scan
    start: Reconstruction
    """Windows and probe, flat object."""
    preparation: Preparation
    inputs: Inputs
    amplitude_scale: float
    given: Tensor
    """(N, 1, H, W) input of the network."""
    root: Tensor
    """(N, h, w) square root of the counts, zero frequency in the corner."""
    valid: Tensor
    """(1 or N, h, w) 1 where measured, 0 elsewhere."""
    corners: Tensor
    """(N, 2) of the windows, on the CPU."""
    probe: Tensor
    """(M, h, w); its scale is that of the counts."""
    weight: Tensor
    """(h, w) of patches."""
    beam: Propagator
    roomy: bool
    """Whether the way back through the network fits into memory for all patterns."""
    notes: tuple[str, ...]
    checksum: str
    """Of the counts, see `ground.checksum_of`."""

    def __len__(self) -> int:
        return len(self.root)

    @property
    def device(self) -> torch.device:
        """Where all of it lies."""
        return self.root.device

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w) of a pattern."""
        return int(self.root.shape[1]), int(self.root.shape[2])

    @property
    def batch(self) -> int:
        """Windows at once in the forward model."""
        return max(1, WAVES // (self.shape[0] * self.shape[1] * len(self.probe)))

    def stitcher(self) -> Stitcher:
        """Return a stitcher by the intensity of the probe."""
        h, w = self.start.object.shape
        return Stitcher((h, w), self.weight)

    def valid_of(self, some: Tensor) -> Tensor:
        """Return the valid pixels of some patterns, (1 or B, h, w)."""
        return self.valid[some] if len(self.valid) > 1 else self.valid

    def patches(self, module: nn.Module, some: Tensor) -> Tensor:
        """Return the patches (B, h, w) complex64 that a module makes of some patterns."""
        given = self.given[some].contiguous(memory_format=torch.channels_last)
        return complex_patches(self.inputs.crop(module(given)), self.amplitude_scale)

    def sample(self, some: Tensor) -> Sample:
        """Return some patterns, to ask an object how well it explains them."""
        few = some[:: -(-len(some) // SAMPLED)]
        return Sample(self.root[few], self.valid_of(few) > 0, self.corners[few])


def experiment(scan: Scan, network: Network, probe: Complexes | None, device: str) -> Experiment:
    """Read a scan.

    Raises:
        OptionsError: The network was taught with patterns of another size, or nobody knows the
            probe.
        ScanError: The scan lacks positions in object pixels, or is a near-field scan.
        JobError: The device is not there, or has too little memory.
    """
    where = devices.pick(device)
    if scan.geometry.propagation == "near":
        raise ScanError(
            f"{scan.name}: fine-tuning knows the far field only, and this is a near-field scan"
        )
    made, notes = fitting(network.preparation, scan, True, network.kind.multiple)
    known = known_probe(scan, network, probe)
    if known is None:
        raise OptionsError(
            f"{scan.name}: fine-tuning needs a probe, and neither the scan nor the network has "
            "one; give one, as of a reconstruction of this sample"
        )
    count, (h, w) = len(scan), scan.frame_shape
    free = devices.free_bytes(where) * ROOM
    if count * h * w * 8 > free:
        raise JobError(
            f"{scan.name}: {count} patterns take {count * h * w * 8 / 1e9:.1f} GB, and fine-tuning "
            f"holds all of them; {free / 1e9:.1f} GB are there: cut the scan, or bin it"
        )
    start = ground(scan, known)
    weight = weight_of("probe", start.probe, start.positions_px)
    inputs = Inputs(made, network.kind.multiple)
    digest = Digest()
    given, root, valid = _read(scan, inputs, digest)
    return Experiment(
        scan=scan,
        start=start,
        preparation=made,
        inputs=inputs,
        amplitude_scale=network.amplitude_scale,
        given=given.to(where),
        root=root.to(where),
        valid=valid.to(where),
        corners=torch.from_numpy(start.positions_px.copy()),
        probe=torch.from_numpy(start.probe.copy()).to(where),
        weight=torch.from_numpy(weight).to(where),
        beam=propagator(scan.geometry, scan.frame_shape, where),
        roomy=count * cost(network.architecture, scan.frame_shape).train_bytes < free,
        notes=notes,
        checksum=digest.text(),
    )


def _read(scan: Scan, inputs: Inputs, digest: Digest) -> tuple[Tensor, Tensor, Tensor]:
    """Return inputs, square roots of the counts, and valid pixels, as `Experiment` has them."""
    axes, given = (-2, -1), []
    root = np.empty((len(scan), *scan.frame_shape), np.float32)
    for frames, block in scan.blocks():
        digest.add(block)
        counts = np.maximum(counts_of(scan, frames, block), 0)
        given.append(inputs(torch.from_numpy(counts)))
        root[frames] = np.fft.ifftshift(np.sqrt(counts), axes)
    valid = np.asarray(scan.valid, np.float32)
    valid = np.fft.ifftshift(valid[None] if valid.ndim == 2 else valid, axes)
    return torch.cat(given), torch.from_numpy(root), torch.from_numpy(valid)
