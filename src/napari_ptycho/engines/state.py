"""What an engine works on: the live object and probe, and what else it learns (torch)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho import device as devices
from napari_ptycho.engines.frames import Frames, cornered, roomy
from napari_ptycho.engines.options import EngineOptions
from napari_ptycho.errors import ScanError
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.physics import modes
from napari_ptycho.physics.propagate import TINY
from napari_ptycho.physics.windows import Corners
from napari_ptycho.torch_state import tensor_of

Tree = Mapping[str, Any]
"""What something needs to go on: arrays, tensors and plain values, see `io.autosave.flat`."""
LEARNT = ("object", "probe", "background", "flux", "variations", "weights")
EDGE_PX = 2
"""Pixels that stay free around all windows, so that slopes have neighbours."""


@dataclass
class LiveState:
    """Object and probe under way; the tensors change with every step."""

    object: Tensor
    """(H, W) complex64."""
    probe: Tensor
    """(M, h, w) complex64."""
    positions: NDArray[np.float64]
    """(N, 2) top-left window corners (y, x), in pixels; set them by `place`."""
    photons: float
    """Power of the probe, kept by every epoch: photons per pattern."""
    background: Tensor
    """(h, w) float32 counts that do not come from the sample, at least TINY."""
    flux: Tensor
    """(N,) float32 flux of each frame relative to the mean."""
    variations: Tensor
    """(K, M, h, w) complex64 shapes by which the probe varies from frame to frame."""
    weights: Tensor
    """(N, K) complex64, how much of each variation is in each frame."""
    misfits: NDArray[np.float64]
    """(N,) amplitude misfit of each frame in its last step, in counts."""
    given: NDArray[np.float64]
    """(N, 2) the positions as the scan gives them."""
    home: NDArray[np.float64] = field(init=False)
    """(N, 2) the positions that the stage began with."""
    grown: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    """(2,) rows and columns that were put before the first ones of the start's object."""
    edge: int = 0
    """Pixels that stay free around every window."""
    done: float = 0.0
    history: dict[str, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    corners: Corners = field(init=False)
    """(N, 2) whole pixels of the positions."""
    fractions: NDArray[np.float32] = field(init=False)
    """(N, 2) what is left of the positions, -0.5..0.5 pixels."""

    def __post_init__(self) -> None:
        self.place(self.positions)
        self.home = self.positions.copy()

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels of the object (H, W)."""
        return int(self.object.shape[0]), int(self.object.shape[1])

    @property
    def finite(self) -> bool:
        """Whether object and probe are numbers."""
        return bool(torch.isfinite(self.object.sum() + self.probe.sum()))

    def place(self, positions: NDArray[np.float64]) -> None:
        """Move the windows; each stays inside the object, `edge` pixels from its border."""
        most = np.array(self.shape) - self.probe.shape[1:] - self.edge
        self.positions = np.clip(positions, self.edge, most)
        self.corners = np.rint(self.positions).astype(np.int64)
        self.fractions = (self.positions - self.corners).astype(np.float32)

    def grow(self, margin: int) -> None:
        """Put at least so many free pixels around all windows, of the object's mean.

        From then on the windows stay `EDGE_PX` inside.
        """
        self.edge = EDGE_PX
        low = np.maximum(0, np.ceil(margin - self.positions.min(axis=0))).astype(int)
        room = np.array(self.shape) - self.positions.max(axis=0) - self.probe.shape[1:]
        high = np.maximum(0, np.ceil(margin - room)).astype(int)
        if not low.any() and not high.any():
            return
        shape = np.array(self.shape) + low + high
        larger = roomy((int(shape[0]), int(shape[1])), torch.complex64, self.object.device)
        larger.fill_(complex(self.object.mean()))
        h, w = self.shape
        larger[low[0] : low[0] + h, low[1] : low[1] + w] = self.object
        self.object = larger
        self.given, self.grown = self.given + low, self.grown + low
        self.home = self.home + low
        self.place(self.positions + low)

    def saved(self) -> dict[str, Any]:
        """Return what has changed since `begin`."""
        names = (*LEARNT, "positions", "misfits", "done", "history")
        return {name: getattr(self, name) for name in names}

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned, on the same start."""
        for name in LEARNT:
            getattr(self, name).copy_(tensor_of(tree[name]))
        self.place(tree["positions"])
        self.misfits, self.done = tree["misfits"], tree["done"]
        self.history = {name: list(values) for name, values in tree["history"].items()}

    def fix_scale(self) -> float:
        """Set the probe to its power and scale the object against it; return the probe's factor."""
        scale = (self.photons / modes.power(self.probe).sum().clamp_min(TINY)).sqrt()
        self.probe.mul_(scale)
        torch.view_as_real(self.object).div_(scale)  # six times as fast as dividing complex ones
        return float(scale)


def begin(start: Reconstruction, frames: Frames, options: EngineOptions) -> LiveState:
    """Put a start on the device, with what it knows and room for what the engine learns."""
    device, n = frames.device, len(start.positions_px)
    # numpy arrays may be read-only or in Fortran order; the engine needs its own C-ordered copy.
    probe = torch.tensor(np.ascontiguousarray(start.probe), device=device)
    image = roomy(start.object.shape, torch.complex64, device).copy_(torch.tensor(start.object))
    extras, shape = start.extras, probe.shape[1:]
    background = torch.full(shape, TINY, device=device)
    if "background" in extras:
        background += cornered(extras["background"], start.geometry).to(device)
    kinds = options.variations
    variations = torch.zeros((kinds, *probe.shape), dtype=torch.complex64, device=device)
    weights = torch.zeros((n, kinds), dtype=torch.complex64, device=device)
    known = extras.get("variations")
    if known is not None and known.shape[1:] == probe.shape:
        kept = min(kinds, len(known))
        variations[:kept] = torch.tensor(known[:kept])
        weights[:, :kept] = torch.tensor(extras["variation_weights"][:, :kept])
    flux = torch.ones(n, device=device)
    if "flux" in extras:
        flux = torch.tensor(extras["flux"], dtype=torch.float32, device=device)
    state = LiveState(
        object=image,
        probe=probe,
        positions=start.positions_px.copy(),
        photons=float(modes.power(probe).sum()),
        background=background,
        flux=flux,
        variations=variations,
        weights=weights,
        misfits=np.zeros(n),
        given=start.positions_px - extras.get("position_moves_px", 0.0),
        history={"error": list(start.errors)},
    )
    if options.positions != "as given" or options.probe_centre:
        state.grow(EDGE_PX + int(np.ceil(options.positions_reach_px)) + 2)
    return state


def freeze(
    state: LiveState, start: Reconstruction, frames: Frames, made: Mapping[str, Any]
) -> Reconstruction:
    """Copy the live state into an immutable result on the CPU, with its provenance `made`."""
    extras = {"frame_errors": state.misfits / np.maximum(frames.totals, 1)}
    if float(state.background.max()) > 2 * TINY:
        extras["background"] = _middle(state.background.cpu().numpy() - np.float32(TINY), start)
    if float((state.flux - 1).abs().max()) > 0:
        extras["flux"] = state.flux.cpu().numpy().astype(np.float64)
    if len(state.variations):
        extras["variations"] = state.variations.cpu().numpy().copy()
        extras["variation_weights"] = state.weights.cpu().numpy().copy()
    if (state.positions != state.given).any():
        extras["position_moves_px"] = state.positions - state.given
    return replace(
        start,
        object=state.object.cpu().numpy().copy(),
        probe=state.probe.cpu().numpy().copy(),
        positions_px=state.positions,
        errors=tuple(state.history["error"]),
        provenance=made,
        extras=extras,
    )


def check_start(scan: Scan, start: Reconstruction) -> None:
    """Refuse a start that belongs to another scan.

    Raises:
        ScanError: Frames or their shape do not match.
    """
    if len(start.positions_px) != len(scan) or start.probe.shape[1:] != scan.frame_shape:
        raise ScanError(
            f"{scan.name}: {len(scan)} patterns of {scan.frame_shape} but the start has "
            f"{len(start.positions_px)} positions and a probe of {start.probe.shape[1:]}; "
            "start from a reconstruction of the same scan"
        )


def _middle(pattern: NDArray[Any], start: Reconstruction) -> NDArray[Any]:
    """Undo `cornered`."""
    return np.fft.fftshift(pattern) if start.geometry.propagation == "far" else pattern


def provenance_of(
    scan: Scan, frames: Frames, start: Reconstruction, device: torch.device
) -> dict[str, Any]:
    """Return where a result came from: software, scan and start, fit for JSON."""
    return {
        **devices.software(device),
        "scan": scan.name,
        "scan_checksum": f"blake2b-128 {frames.checksum}",
        "scan_sources": dict(scan.sources),
        "scan_notes": list(scan.notes),
        **_start_of(start),
    }


def _start_of(start: Reconstruction) -> dict[str, Any]:
    """Return what a run began with: a sentence, and how a network made it, if one did."""
    made = start.provenance
    said = str(made.get("start", start.name))
    by = {name: made[name] for name in ("predicted", "denoised") if made.get(name)}
    if not by:
        return {"start": said, **{name: made[name] for name in ("start_from",) if name in made}}
    words = []
    if "predicted" in by:
        network = by["predicted"].get("network", "") if isinstance(by["predicted"], dict) else ""
        words.append(f"predicted by {network or 'a network'}")
    if "denoised" in by:
        words.append("denoised")
    return {"start": f"'{start.name}', {' and '.join(words)}; before: {said}", "start_from": by}


def run_of(options: EngineOptions, start: Reconstruction, device: torch.device) -> dict[str, Any]:
    """Return the entry of one run in the provenance."""
    return {
        "engine": options.title,
        "options": options.as_dict(),
        "first_epoch": len(start.errors),
        "device": str(device),
    }
