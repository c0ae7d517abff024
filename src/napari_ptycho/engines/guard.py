"""Watches the error: calms momentum, and goes back to the best state when a run diverges."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_ptycho.engines.method import Method
from napari_ptycho.engines.state import LiveState, Tree
from napari_ptycho.torch_state import tensor_of

RISE = 1.02  # an error that rises more within an epoch asks for less momentum
EPOCHS = 4  # epochs in a row of rising error that count as divergence,
CLEARLY = 1.05  # if by then it is so many times the best one
FAR = 3.0  # an error so many times the best one counts as divergence
BOLDER = 1.2  # steps grow again by this with every better epoch
LEAST = 1 / 64  # steps are not made smaller than this share


Kept = tuple[list[Tensor], NDArray[np.float64], NDArray[np.float64]]


class Guard:
    """Keeps the best state of a run: the one that the epoch with the least error began with."""

    def __init__(self, state: LiveState, method: Method, patient: bool) -> None:
        """Begin to watch.

        Args:
            state: What the engine works on.
            method: The engine.
            patient: The error rises and falls by nature (DM, RAAR): only a broken state counts.
        """
        self.state, self.method, self.patient = state, method, patient
        self.factor = 1.0
        self.rescues: list[tuple[int, int]] = []  # where in the notes, and after which epoch
        self._forget()
        self.before = self.kept = self._copy()

    def _forget(self) -> None:
        """Take the next error as the best so far: with other steps it means something else."""
        self.best, self.last, self.rising = math.inf, math.inf, 0

    def _copy(self) -> Kept:
        state = self.state
        tensors = (state.object, state.probe, state.background, state.flux)
        copies = [tensor.clone() for tensor in (*tensors, state.variations, state.weights)]
        return copies, state.positions.copy(), state.misfits

    def saved(self, midway: bool) -> dict[str, Any]:
        """Return what it remembers; `midway` in an epoch also what that began with."""
        names = ("factor", "rescues", "best", "last", "rising", "kept")
        tree = {name: getattr(self, name) for name in names}
        return {**tree, "before": self.before} if midway else tree

    def restore(self, tree: Tree) -> None:
        """Go on from what `saved` has returned."""
        for name in ("factor", "best", "last", "rising"):
            setattr(self, name, tree[name])
        self.rescues = [(at, epoch) for at, epoch in tree["rescues"]]
        self.kept = self._revived(tree["kept"])
        if "before" in tree:
            self.before = self._revived(tree["before"])

    def _revived(self, copy: Any) -> Kept:
        arrays, positions, misfits = copy
        where = self.state.object.device
        return [tensor_of(array).to(where) for array in arrays], positions, misfits

    def begin_epoch(self) -> None:
        """Remember what the epoch begins with."""
        self.before = self._copy()

    def accepts(self, error: float, epoch: int) -> bool:
        """Return whether a run may go on from here; if not, it has gone back to its best state.

        Args:
            error: Of the epoch that has just ended.
            epoch: Epochs done since the very start.
        """
        self.rising = self.rising + 1 if error > self.last * (1 + 1e-4) else 0
        broken = not math.isfinite(error)
        long = self.rising >= EPOCHS and error > CLEARLY * self.best
        lost = error > FAR * self.best or long
        if broken or (lost and not self.patient and self.factor > LEAST):
            self._go_back(error, epoch)
            return False
        if error > RISE * self.last:
            self.method.calm()
        if error <= self.best:
            self.best, self.kept = error, self.before
            self.factor = min(1.0, self.factor * BOLDER)
        self.last = error
        return True

    def _go_back(self, error: float, epoch: int) -> None:
        state, (tensors, positions, misfits) = self.state, self.kept
        state.object = tensors[0].clone()
        kept = (state.probe, state.background, state.flux, state.variations, state.weights)
        for tensor, before in zip(kept, tensors[1:], strict=True):
            tensor.copy_(before)
        state.place(positions)
        state.misfits = misfits
        self.factor = max(LEAST, self.factor / 2)
        self.method.restart()
        if self.rescues:
            state.notes.pop(self.rescues[-1][0])
        text = f"the error rose to {error:.3g} (best {self.best:.3g})"
        self.rescues.append((len(state.notes), epoch))
        often = f" ({len(self.rescues)} times so far)" if len(self.rescues) > 1 else ""
        state.notes.append(
            f"epoch {epoch}: {text}; went back to the best state, with steps of "
            f"{self.factor:.0%} for now{often}"
        )
        self._forget()
