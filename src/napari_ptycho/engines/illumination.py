"""The probe over each frame: shifted, brighter or darker, varied, spread along a path.

    P_j,m,l = sqrt(I_j / L) S(f_j + o_j,l) [P_m + sum_k w_jk V_k,m]

for frame j, mode m and point l of L along the path of a fly-scan: S shifts by pixels and fractions
(Fourier), f_j is the fraction of the position, o_j,l the way from the middle of the exposure, I_j
the intensity, V_k a variation of the probe (orthogonal probe relaxation, Odstrčil et al. 2016).
The modes and points lie in one axis, m major, and add up incoherently (Thibault & Menzel 2013;
fly-scan: Odstrčil et al. 2018). `pull` is the adjoint, and learns I, V and w on the way.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho.engines.frames import Ids
from napari_ptycho.engines.options import EngineOptions
from napari_ptycho.engines.share import Share
from napari_ptycho.engines.state import LiveState, Tree
from napari_ptycho.physics import modes
from napari_ptycho.physics.propagate import TINY, abs2
from napari_ptycho.torch_state import tensor_of

LEARN = 0.5  # step of variations, their weights, and flux
WEAKEST = 0.1  # of the strongest variation: keeps the steps of weak ones finite
SEED = 1e-3  # amplitude of a variation to begin with, relative to the probe
JUMP = 4.0  # a step so many times longer than the median one is a jump between lines


class Illumination:
    """The forward map from the shared probe to the probes of a batch, and its adjoint."""

    def __init__(self, state: LiveState, options: EngineOptions, share: Share) -> None:
        self.state, self.options, self.share = state, options, share
        h, w = state.probe.shape[1:]
        where = state.probe.device
        self.ky = torch.fft.fftfreq(h, device=where)[:, None]
        self.kx = torch.fft.fftfreq(w, device=where)[None, :]
        self.points = options.fly_points
        self.scaled = options.flux or bool((state.flux != 1).any())
        self.per_frame = self.scaled or options.variations > 0 or self.points > 1
        self.turn: Tensor | None = None
        self.ramps: dict[bytes, Tensor | None] = {}
        self._seed()
        self.begin_epoch(late=False)

    @property
    def waves(self) -> int:
        """Incoherent waves per frame: modes times points of the path."""
        return len(self.state.probe) * self.points

    def _seed(self) -> None:
        """Give variations that are still empty a shape: the probe times noise."""
        kinds = self.state.variations
        if not len(kinds) or kinds.abs().max() > 0:
            return
        generator = torch.Generator().manual_seed(self.options.seed)
        noise = torch.randn(kinds.shape, generator=generator, dtype=torch.complex64)
        kinds.copy_(self.state.probe * noise.to(kinds.device))
        self._normalise()
        size = SEED * float(np.sqrt(self.state.photons))
        noise = torch.randn(self.state.weights.shape, generator=generator, dtype=torch.complex64)
        self.state.weights.copy_(size * noise.to(kinds.device))

    def begin_epoch(self, late: bool) -> None:
        """Follow the positions; forget what was learnt about the frames in the last epoch.

        Args:
            late: Variations may be learnt: the object has taken shape.
        """
        self.ramps.clear()
        self.varies = late and len(self.state.variations) > 0
        if self.points > 1:
            self.offsets = path(self.state.positions, self.points, self.options.fly_share)
        self.flux = torch.zeros((len(self.state.weights), 2), device=self.state.probe.device)

    def saved(self) -> dict[str, Any]:
        """Return what an epoch under way has learnt."""
        return {"varies": self.varies, "flux": self.flux}

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned; the positions must be in place."""
        self.begin_epoch(late=False)
        self.varies = tree["varies"]
        self.flux.copy_(tensor_of(tree["flux"]))

    def probe(self, ids: Ids, fractions: NDArray[np.float32] | None = None) -> Tensor:
        """Return the probe over each frame: (1 or B, M L, h, w); 1 where it is the same for all.

        Args:
            ids: The frames.
            fractions: (B, 2) pixels by which the probes are shifted, instead of the positions' own.
        """
        state = self.state
        if not (self.per_frame or self.options.shifts or self.options.reduction > 1):
            self.turn = None
            return state.probe.unsqueeze(0)
        shift = state.fractions[ids] if fractions is None else fractions
        if not self.options.shifts and self.options.reduction == 1:
            shift = np.zeros_like(shift)
        if not self.per_frame and (shift == shift[0]).all():
            shift = shift[:1]
        self.turn = self._known_ramps(ids, shift)
        return self.spread(ids, self._varied(ids))

    def _varied(self, ids: Ids) -> Tensor:
        """Return the probe of each frame before it is shifted and scaled: (1 or B, M, h, w)."""
        state, base = self.state, self.state.probe.unsqueeze(0)
        if not len(state.variations):
            return base
        return base + torch.einsum("bk,kmyx->bmyx", state.weights[self._at(ids)], state.variations)

    def spread(self, ids: Ids, waves: Tensor) -> Tensor:
        """Shift and scale waves (1 or B, M, h, w) as the probes of the last call of `probe`."""
        if self.scaled:
            waves = waves * self.state.flux[self._at(ids)].sqrt()[:, None, None, None]
        if self.turn is None:
            return waves
        spectrum = torch.fft.fft2(waves).unsqueeze(2) * self.turn
        return torch.fft.ifft2(spectrum).flatten(1, 2)

    def _known_ramps(self, ids: Ids, shift: NDArray[np.float32]) -> Tensor | None:
        """Return the ramps, made once where all frames of a batch share one shift."""
        if len(shift) > 1 or self.points > 1:
            return self._ramps(ids, shift)
        key = shift.tobytes()
        if key not in self.ramps:
            self.ramps[key] = self._ramps(ids, shift)
        return self.ramps[key]

    def _ramps(self, ids: Ids, shift: NDArray[np.float32]) -> Tensor | None:
        """Return the phase ramps (B, 1, L, h, w) that shift a spectrum, scaled by 1 / sqrt L."""
        if self.points == 1 and not shift.any():
            return None
        moves = shift[:, None, :]
        if self.points > 1:
            moves = moves + self.offsets[ids].astype(np.float32)
        away = torch.from_numpy(moves).to(self.ky.device).unsqueeze(1)
        y, x = away[..., 0, None, None], away[..., 1, None, None]
        angle = (self.ky * y + self.kx * x) * (-2 * torch.pi)
        size = torch.full_like(angle, self.points**-0.5)
        return torch.polar(size, angle)

    @property
    def plain(self) -> bool:
        """Whether all frames of the last batch had the very probe, or one common shift of it."""
        return not self.per_frame and (self.turn is None or len(self.turn) == 1)

    def pull(self, ids: Ids, change: Tensor, windows: Tensor) -> Tensor:
        """Return the pull on the shared probe (M, h, w): the adjoint of `probe`; learn.

        Args:
            ids: The frames of the last call of `probe`.
            change: (B, M L, h, w) change of their exit waves.
            windows: (B, h, w) the object under them.
        """
        pulls = self._pulls(ids, change, windows)
        if len(self.state.variations) or self.options.flux:
            self._learn(ids, pulls, abs2(windows))
        return pulls.sum(dim=0)

    def adjoint(self, ids: Ids, change: Tensor, windows: Tensor) -> Tensor:
        """Return the same as `pull`, and learn nothing."""
        return self._pulls(ids, change, windows).sum(dim=0)

    def _pulls(self, ids: Ids, change: Tensor, windows: Tensor) -> Tensor:
        pulls = self._unshifted(change * windows.conj().unsqueeze(1))
        if self.scaled:
            pulls = pulls * self.state.flux[self._at(ids)].sqrt()[:, None, None, None]
        return pulls

    def unshift(self, pull: Tensor) -> Tensor:
        """Return the pull of a `plain` batch on the shared probe, (M, h, w)."""
        return pull if self.turn is None else self._unshifted(pull.unsqueeze(0))[0]

    def _unshifted(self, pulls: Tensor) -> Tensor:
        if self.turn is None:
            return pulls
        spectrum = torch.fft.fft2(pulls).unflatten(1, (-1, self.points))
        return torch.fft.ifft2((spectrum * self.turn.conj()).sum(dim=2))

    def _learn(self, ids: Ids, pulls: Tensor, light: Tensor) -> None:
        """Move variations and their weights; collect what flux should be.

        Args:
            ids: The frames.
            pulls: (B, M, h, w) pull of each frame on its own, unshifted probe.
            light: (B, h, w) |object|^2 under them.
        """
        state, at = self.state, self._at(ids)
        if self.options.flux:
            own = self._varied(ids)
            up = (own.conj() * pulls).real.sum(dim=(1, 2, 3))
            down = (abs2(own) * light.unsqueeze(1)).sum(dim=(1, 2, 3))
            self.flux[at, 0], self.flux[at, 1] = up, down * state.flux[at].sqrt()
        if self.varies:
            self._learn_variations(at, pulls, light)

    def _learn_variations(self, at: Tensor, pulls: Tensor, light: Tensor) -> None:
        """Take the step of ePIE for the shapes, and a damped Newton step for the weights."""
        state = self.state
        weights, shapes = state.weights[at], state.variations
        up = torch.einsum("kmyx,bmyx->bk", shapes.conj(), pulls)
        down = torch.einsum("kmyx,byx->bk", abs2(shapes), light)
        way = torch.einsum("bk,bmyx->kmyx", weights.conj(), pulls)
        lit = torch.einsum("bk,byx->kyx", abs2(weights), light)
        self.share.sum_(way, lit)
        scale = lit.amax(dim=(1, 2)) + WEAKEST * self._strength()
        shapes.add_(way * (LEARN / scale)[:, None, None, None])
        state.weights[at] = weights + LEARN * up / (down + 0.1 * down.mean() + TINY)

    def _strength(self) -> Tensor:
        """Return the mean |w|^2 of the strongest variation."""
        return abs2(self.state.weights).mean(dim=0).amax()

    def end_epoch(self) -> None:
        """Apply what was learnt: flux of mean 1, variations orthogonal to each other."""
        state = self.state
        if self.options.flux:
            self.share.sum_(self.flux)
            root = state.flux.sqrt()
            root = root + LEARN * self.flux[:, 0] / self.flux[:, 1].clamp_min(TINY)
            state.flux.copy_(root.clamp(0.1, 10).square())
            state.flux.div_(state.flux.mean())
        if self.varies:
            self._share_weights()
            self._absorb()

    def _share_weights(self) -> None:
        """Take every frame's weights from the process that has the frame."""
        if self.share.size > 1:
            own = self._at(self.share.frames(len(self.state.weights)))
            theirs = torch.zeros_like(self.state.weights)
            theirs[own] = self.state.weights[own]
            self.share.sum_(theirs)
            self.state.weights.copy_(theirs)

    def _absorb(self) -> None:
        """Give the mean variation to the probe; make the others orthonormal, strongest first."""
        state = self.state
        mean = state.weights.mean(dim=0)
        state.probe.add_(torch.einsum("k,kmyx->myx", mean, state.variations))
        state.weights.sub_(mean)
        self._normalise()

    def _normalise(self) -> None:
        state = self.state
        flat, weights = state.variations.flatten(1), state.weights
        basis, mix = torch.linalg.qr(flat.T.cpu())
        left, sizes, right = torch.linalg.svd(weights.cpu() @ mix.T, full_matrices=False)
        count = len(sizes)
        turned = (right @ basis.T).to(flat.device)
        if float(sizes.max()) == 0:
            turned, left = basis.T.to(flat.device), left * 0
        state.variations[:count].copy_(turned.unflatten(1, state.probe.shape))
        state.weights[:, :count] = (left * sizes).to(weights.device)

    def rotate(self, unitary: Tensor) -> None:
        """Mix the modes of the variations as those of the probe were mixed, (M, M)."""
        if len(self.state.variations):
            turned = torch.einsum("nm,kmyx->knyx", unitary, self.state.variations)
            self.state.variations.copy_(turned)

    def orthogonalise(self) -> Tensor | None:
        """Make the probe's modes orthogonal; return the unitary (M, M) that did it, or None."""
        if len(self.state.probe) == 1:
            return None
        unitary = modes.unitary(self.state.probe)
        self.state.probe.copy_(torch.einsum("nm,myx->nyx", unitary, self.state.probe))
        self.rotate(unitary)
        return unitary

    def _at(self, ids: Ids) -> Tensor:
        return torch.from_numpy(ids).to(self.state.probe.device)


def path(positions: NDArray[np.float64], points: int, share: float) -> NDArray[np.float64]:
    """Return where the points of each exposure lie from its middle: (N, L, 2), in pixels.

    The way of a frame is half of that from the frame before to the frame after; at the ends of
    lines, where the scan jumps, that to its only neighbour. Positions are the middle of exposures.
    """
    steps = np.diff(positions, axis=0)
    length = np.linalg.norm(steps, axis=1)
    good = length <= JUMP * np.median(length)
    before, after = np.zeros((2, *positions.shape))
    before[1:][good], after[:-1][good] = steps[good], steps[good]
    neighbours = np.zeros(len(positions))
    neighbours[1:] += good
    neighbours[:-1] += good
    way = (before + after) / np.maximum(neighbours, 1)[:, None]
    along = share * ((np.arange(points) + 0.5) / points - 0.5)
    moves: NDArray[np.float64] = along[None, :, None] * way[:, None, :]
    return moves
