"""What an engine works on: frames as amplitudes, and the live object and probe (torch)."""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_ptycho import __version__
from napari_ptycho.engines.options import EngineOptions
from napari_ptycho.errors import ScanError
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.physics import modes
from napari_ptycho.physics.windows import Corners

HUGE_BYTES = 2**23


@dataclass(frozen=True, eq=False)
class Frames:
    """The measured data on the device."""

    amplitude: Tensor
    """(N, h, w) float32 sqrt counts at equal exposure; far field: zero frequency in the corner."""
    valid: Tensor
    """(1 or N, h, w) float32, 1 where measured."""
    total: float
    """Sum of the valid counts."""
    checksum: str
    """BLAKE2 of the counts, for the provenance."""


def load(scan: Scan, device: torch.device) -> Frames:
    """Read a scan block by block into amplitudes; peak memory is the result plus one block.

    Raises:
        ScanError: There is no light in the valid pixels.
    """
    n, (h, w) = len(scan), scan.frame_shape
    assert scan.valid is not None  # set on construction
    exposure = np.ones(n) if scan.exposure is None else scan.exposure / scan.exposure.max()
    amplitude = roomy((n, h, w), torch.float32, device)
    per_frame = scan.valid.ndim == 3
    valid = torch.ones((n if per_frame else 1, h, w), dtype=torch.float32, device=device)
    digest, total = hashlib.blake2b(digest_size=16), 0.0
    for frames, block in scan.blocks():
        digest.update(np.ascontiguousarray(block).data)
        good = scan.valid_of(frames)
        counts = block / exposure[frames, None, None].astype(np.float32)
        total += float((counts * good).sum(dtype=np.float64))
        amplitude[frames] = _corner(np.sqrt(counts, dtype=np.float32), scan).to(device)
        if per_frame:
            valid[frames] = _corner(good.astype(np.float32), scan).to(device)
    if not per_frame:
        valid[:] = _corner(np.asarray(scan.valid, np.float32)[None], scan).to(device)
    if total <= 0:
        raise ScanError(f"{scan.name}: the valid pixels hold no counts; need light")
    return Frames(amplitude, valid, total, digest.hexdigest())


def roomy(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a zeroed tensor, on a CPU in memory of huge pages where the system has them.

    Windows jump over an object, and a page of 4 kB holds about one row of it: huge pages, which
    numpy asks for from 4 MB on, spare the look-up of an address in almost every row.
    """
    empty = torch.zeros(0, dtype=dtype)
    if device.type != "cpu":
        return empty.new_zeros(shape, device=device)
    count = int(np.prod(shape))
    least = HUGE_BYTES // empty.element_size()
    room = np.empty(max(count, least), empty.numpy().dtype)
    return torch.from_numpy(room[:count].reshape(shape)).zero_()


def _corner(array: np.ndarray[Any, Any], scan: Scan) -> Tensor:
    """Move the zero frequency of far-field frames (..., h, w) from the middle to the corner."""
    if scan.geometry.propagation == "far":
        array = np.fft.ifftshift(array, axes=(-2, -1))
    return torch.from_numpy(np.ascontiguousarray(array))


@dataclass
class LiveState:
    """Object and probe under way; the tensors change with every step."""

    object: Tensor
    """(H, W) complex64."""
    probe: Tensor
    """(M, h, w) complex64."""
    corners: Corners
    """(N, 2) top-left window corners (y, x), in pixels."""
    fractions: Tensor
    """(N, 2) float32, what is left of the positions: -0.5..0.5 pixels."""
    photons: float
    """Power of the probe, kept by every epoch: photons per frame."""
    done: float = 0.0
    history: dict[str, list[float]] = field(default_factory=dict)

    def fix_scale(self) -> None:
        """Set the probe to its power and scale the object against it; sort the modes."""
        scale = (self.photons / modes.power(self.probe).sum()).sqrt()
        self.probe.mul_(scale)
        self.object.div_(scale)
        if len(self.probe) > 1:
            self.probe.copy_(modes.orthogonalise(self.probe))


def begin(start: Reconstruction, device: torch.device) -> LiveState:
    """Put a start guess on the device."""
    positions = start.positions_px
    corners = np.rint(positions).astype(np.int64)
    # numpy arrays may be read-only or in Fortran order; the engine needs its own C-ordered copy.
    probe = torch.tensor(np.ascontiguousarray(start.probe), device=device)
    return LiveState(
        object=roomy(start.object.shape, torch.complex64, device).copy_(torch.tensor(start.object)),
        probe=probe,
        corners=corners,
        fractions=torch.from_numpy((positions - corners).astype(np.float32)).to(device),
        photons=float(modes.power(probe).sum()),
        history={"error": list(start.errors)},
    )


def freeze(state: LiveState, start: Reconstruction, made: Mapping[str, Any]) -> Reconstruction:
    """Copy the live state into an immutable result on the CPU, with its provenance `made`."""
    return replace(
        start,
        object=state.object.cpu().numpy().copy(),
        probe=state.probe.cpu().numpy().copy(),
        errors=tuple(state.history["error"]),
        provenance=made,
    )


def provenance_of(
    scan: Scan, frames: Frames, options: EngineOptions, start: Reconstruction, device: torch.device
) -> dict[str, Any]:
    """Return how a result came about: software, scan and every run so far, fit for JSON."""
    this = {
        "engine": options.title,
        "options": options.as_dict(),
        "first_epoch": len(start.errors),
        "device": str(device),
    }
    return {
        "software": f"napari-ptycho {__version__}",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "scan": scan.name,
        "scan_checksum": f"blake2b-128 {frames.checksum}",
        "scan_sources": dict(scan.sources),
        "scan_notes": list(scan.notes),
        "start": start.provenance.get("start", start.name),
        "runs": [*start.provenance.get("runs", []), this],
    }
