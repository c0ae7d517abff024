"""Refinement of the positions: along the slope of the error, by trying places, or as one affine.

Moving a probe by d changes its exit wave as d . grad(O) P does (both make the same pattern, up to
a phase that no detector sees), so the least-squares move of frame j that its change c_j asks for is

    [sum Re(a* a) sum Re(a* b)]     [sum Re(a* c)]
    [sum Re(a* b) sum Re(b* b)] d = [sum Re(b* c)],   a = P dO/dy, b = P dO/dx,

summed over pixels and modes. The mean move is taken off: with it object and scan would drift.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho.engines.frames import Frames, Ids
from napari_ptycho.engines.illumination import Illumination
from napari_ptycho.engines.options import EngineOptions
from napari_ptycho.engines.share import Share
from napari_ptycho.engines.state import LiveState, Tree
from napari_ptycho.physics.propagate import Propagator, misfits
from napari_ptycho.physics.windows import cut
from napari_ptycho.torch_state import tensor_of

OUTLIER = 10.0  # a move so many times the median one is cut
FRICTION = 0.8  # share of the last move that an affine map keeps: it converges slowly
GAIN = 0.5  # object and probe move at the same time and take their part of the error
STRIDE_PX = 0.5  # longest move along a slope in an epoch
LONE_PX = 0.1  # but so far any position may move
TRIES = 4  # places tried per epoch, one in each quadrant
Moves = NDArray[np.float64]


class Positions:
    """What the frames of an epoch say about where they lie."""

    def __init__(
        self, state: LiveState, light: Illumination, options: EngineOptions, share: Share
    ) -> None:
        self.state, self.light, self.options, self.share = state, light, options, share
        self.random = np.random.default_rng(options.seed)
        self.active = False
        self.apart = np.zeros(0, np.int64)  # frames that do not help to place others
        self.velocity = np.zeros_like(state.positions)
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        """Forget the slopes of the last epoch."""
        options = self.options
        self.active = options.positions != "as given" and epoch >= options.positions_start
        self.slopes = self.active
        where = self.state.object.device
        self.normal = torch.zeros((len(self.state.positions), 5), device=where)

    def saved(self) -> dict[str, Any]:
        """Return what it remembers, and what an epoch under way has said."""
        return {
            "random": self.random.bit_generator.state,
            "active": self.active,
            "velocity": self.velocity,
            "normal": self.normal,
        }

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned."""
        self.random.bit_generator.state = tree["random"]
        self.active = self.slopes = tree["active"]
        self.velocity = tree["velocity"]
        self.normal.copy_(tensor_of(tree["normal"]))

    def watch(self, ids: Ids, change: Tensor, probe: Tensor) -> None:
        """Collect what the changes (B, M, h, w) of exit waves ask of the positions."""
        if not self.slopes:
            return
        h, w = change.shape[-2:]
        wide = cut(self.state.object, self.state.corners[ids] - 1, (h + 2, w + 2)).unsqueeze(1)
        down = (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) * 0.5 * probe
        right = (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) * 0.5 * probe
        pairs = ((down, down), (down, right), (right, right), (down, change), (right, change))
        at = torch.from_numpy(ids).to(self.normal.device)
        for column, (one, other) in enumerate(pairs):
            self.normal[at, column] = (one.conj() * other).real.sum(dim=(1, 2, 3))

    def end_epoch(self, frames: Frames, beam: Propagator, left: float, share: float) -> float:
        """Move the positions; return the largest move in pixels.

        Args:
            frames: The measured data, for trying places.
            beam: The propagator.
            left: Share of the run that is still to come.
            share: Factor on the moves, less than 1 where the run had to be calmed.
        """
        if not self.active:
            return 0.0
        before = self.state.positions.copy()
        self._follow_slopes(GAIN * share)
        if self.options.positions == "annealing":
            look = self._try_affines if self.options.positions_affine else self._try_places
            look(frames, beam, left)
        self._stay_near()
        return float(np.abs(self.state.positions - before).max())

    def _stay_near(self) -> None:
        """Keep every position within reach of where it was, and the scan in its place."""
        reach = self.options.positions_reach_px
        moves = self.state.positions - self.state.home
        if not self.options.positions_affine:
            moves = np.clip(moves - np.median(moves, axis=0), -reach, reach)
        self.state.place(self.state.home + moves - moves.mean(axis=0))

    def _follow_slopes(self, share: float) -> None:
        self.share.sum_(self.normal)
        normal = self.normal.cpu().double().numpy()
        if self.options.positions_affine:
            self.velocity = FRICTION * self.velocity + _affine_moves(self.state.positions, normal)
            most = max(float(np.abs(self.velocity).max(initial=0)), 1e-30)
            self.velocity *= min(1.0, STRIDE_PX / most)
            moves = self.velocity
        else:
            moves = _moves(normal)
            limit = min(STRIDE_PX, max(LONE_PX, OUTLIER * float(np.median(np.abs(moves)))))
            moves = np.clip(moves, -limit, limit)
        self.state.place(self.state.positions + share * moves)

    def _try_places(self, frames: Frames, beam: Propagator, left: float) -> None:
        """Try one random place in each quadrant around every position; keep the best."""
        n, reach = len(self.state.positions), self.options.positions_reach_px * left
        best = self._misfits(frames, beam, self.state.positions)
        places = self.state.positions.copy()
        for quadrant in range(TRIES):
            sign = np.array([quadrant // 2, quadrant % 2]) * 2 - 1
            tried = self.state.positions + sign * self.random.uniform(0, reach, (n, 2))
            found = self._misfits(frames, beam, tried)
            better = found < best
            best[better], places[better] = found[better], tried[better]
        self.state.place(places)

    def _try_affines(self, frames: Frames, beam: Propagator, left: float) -> None:
        """Try random affine maps of the whole scan; keep the best."""
        reach = self.options.positions_reach_px * left
        centred = self.state.positions - self.state.positions.mean(axis=0)
        size = np.abs(centred).max()
        best, place = self._sum_of_misfits(frames, beam, self.state.positions), None
        for _ in range(2 * TRIES):
            affine = self.random.uniform(-reach, reach, (2, 2)) / size
            tried = self.state.positions + centred @ affine.T
            found = self._sum_of_misfits(frames, beam, tried)
            if found < best:
                best, place = found, tried
        if place is not None:
            self.state.place(place)

    def _sum_of_misfits(self, frames: Frames, beam: Propagator, places: Moves) -> float:
        return float(np.delete(self._misfits(frames, beam, places), self.apart).sum())

    def _misfits(self, frames: Frames, beam: Propagator, places: Moves) -> Moves:
        """Return the misfit that every frame would have in some place, (N,)."""
        state, found = self.state, torch.zeros(len(places), device=frames.device)
        most = np.array(state.shape) - state.probe.shape[1:]
        places = np.clip(places, 0, most)
        corners = np.rint(places).astype(np.int64)
        fractions = (places - corners).astype(np.float32)
        shape = (int(state.probe.shape[1]), int(state.probe.shape[2]))
        for first in range(0, len(frames.ids), self.options.batch):
            ids = frames.ids[first : first + self.options.batch]
            probe = self.light.probe(ids, fractions[ids])
            waves = cut(state.object, corners[ids], shape).unsqueeze(1) * probe
            amplitude, valid, at = frames.pick(ids)
            rows = torch.from_numpy(ids).to(found.device)
            found[rows] = misfits(beam.to_detector(waves), amplitude, valid, at, state.background)
        self.share.sum_(found)
        result: Moves = found.cpu().double().numpy()
        return result


def _moves(normal: Moves) -> Moves:
    """Solve the 2 x 2 system of each frame, damped: (N, 5) -> (N, 2)."""
    yy, yx, xx, cy, cx = normal.T
    damp = 0.1 * (yy + xx) / 2 + 1e-3 * float((yy + xx).mean()) + 1e-30
    yy, xx = yy + damp, xx + damp
    determinant = np.maximum(yy * xx - yx**2, 1e-30)
    return np.stack([(xx * cy - yx * cx) / determinant, (yy * cx - yx * cy) / determinant], axis=1)


def _affine_moves(positions: Moves, normal: Moves) -> Moves:
    """Return the moves of the one affine map that all frames together ask for, (N, 2)."""
    yy, yx, xx, cy, cx = normal.T
    centred = positions - positions.mean(axis=0)
    y, x = centred.T
    # moves = (a y + b x + e, c y + d x + f): six unknowns, weighted by the frames' curvatures.
    columns = np.stack([y, x, np.ones_like(y)])
    left = np.zeros((6, 6))
    left[:3, :3] = (columns * yy) @ columns.T
    left[3:, 3:] = (columns * xx) @ columns.T
    left[:3, 3:] = (columns * yx) @ columns.T
    left[3:, :3] = left[:3, 3:].T
    right = np.concatenate([columns @ cy, columns @ cx])
    left += np.diag(1e-6 * np.diag(left) + 1e-30)
    solved = np.linalg.solve(left, right)
    moves = np.stack([solved[:3] @ columns, solved[3:] @ columns], axis=1)
    result: Moves = moves - moves.mean(axis=0)
    return result
