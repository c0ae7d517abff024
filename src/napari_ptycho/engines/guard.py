"""Watches the error: calms momentum, and goes back to the best state when a run diverges."""

import math

from napari_ptycho.engines.method import Method
from napari_ptycho.engines.state import LiveState

RISE = 1.02  # an error that rises more within an epoch asks for less momentum
EPOCHS = 4  # epochs in a row of rising error that count as divergence
FAR = 2.0  # an error so many times the best one counts as divergence
LEAST = 1 / 64  # steps are not made smaller than this share


class Guard:
    """Keeps the best state of a run.

    The error of the first epochs may rise for good reasons (the probe begins to move, a stage
    begins), so only the best since then counts.
    """

    def __init__(self, state: LiveState, method: Method, patient: bool) -> None:
        """Begin to watch.

        Args:
            state: What the engine works on.
            method: The engine.
            patient: The error rises and falls by nature (DM, RAAR): only a broken state counts.
        """
        self.state, self.method, self.patient = state, method, patient
        self.factor = 1.0
        self.best, self.last, self.rising = math.inf, math.inf, 0
        self._keep()

    def _keep(self) -> None:
        state = self.state
        tensors = (state.object, state.probe, state.background, state.intensities)
        self.kept = (
            [tensor.clone() for tensor in (*tensors, state.variations, state.weights)],
            state.positions.copy(),
        )

    def _go_back(self) -> None:
        state, (tensors, positions) = self.state, self.kept
        state.object = tensors[0].clone()
        kept = (state.probe, state.background, state.intensities, state.variations, state.weights)
        for tensor, before in zip(kept, tensors[1:], strict=True):
            tensor.copy_(before)
        state.place(positions)

    def after_epoch(self, error: float, epoch: int) -> None:
        """Look at the error of an epoch (1-based count of epochs done); act and tell."""
        self.rising = self.rising + 1 if error > self.last * (1 + 1e-4) else 0
        broken = not math.isfinite(error)
        lost = error > FAR * self.best or self.rising >= EPOCHS
        if broken or (lost and not self.patient):
            self._rescue(error, epoch)
            return
        if error > RISE * self.last:
            self.method.calm()
        if error <= self.best:
            self.best = error
            self._keep()
        self.last = error

    def _rescue(self, error: float, epoch: int) -> None:
        self.rising, self.last = 0, self.best
        if self.factor <= LEAST:
            self.best = math.inf if not math.isfinite(error) else error
            return
        self.factor /= 2
        self._go_back()
        self.method.restart()
        self.state.notes.append(
            f"epoch {epoch}: the error rose to {error:.3g} (best {self.best:.3g}); "
            f"went back to the best state and made the steps {1 / self.factor:.0f} times smaller"
        )
