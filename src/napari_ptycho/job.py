"""Jobs: anything long is an iterator of immutable updates that its caller drives.

Algorithms are generators that yield a cheap *live* state after every small step. `run` turns live
states into `Update`s, at most one per `every_s` and at most a tenth of the time. Whoever iterates
(a command, a test, the window's runner) may stop at any update: closing the job closes the
algorithm, and the last update holds everything reached so far.
"""

import collections
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from napari_ptycho.errors import JobError

Result = TypeVar("Result")
State = TypeVar("State", bound="LiveState")


class LiveState(Protocol):
    """What an algorithm yields: valid only until its next step."""

    @property
    def done(self) -> float:
        """Epochs (or iterations) finished, with the fraction of the one under way."""

    @property
    def history(self) -> Mapping[str, list[float]]:
        """Curves by name, one value per finished epoch."""


@dataclass(frozen=True)
class Update(Generic[Result]):
    """A snapshot of a job. Each holds the whole history, so dropping one loses nothing."""

    done: float
    """Epochs (or iterations) finished in this job."""
    total: float
    """Epochs (or iterations) asked for in this job."""
    history: Mapping[str, tuple[float, ...]]
    """Curves by name ("error", "loss", ...), one value per finished epoch, from the very start."""
    result: Result
    """What has been reached: immutable, on the CPU."""
    notes: tuple[str, ...] = field(default=())
    """Sentences the user should see (a fallback taken, a warning)."""


def run(
    states: Iterator[State],
    total: float,
    freeze: Callable[[State], Result],
    every_s: float = 0.2,
    notes: Callable[[], tuple[str, ...]] = tuple,
) -> Iterator[Update[Result]]:
    """Turn live states into updates: one per `every_s`, a tenth of the time, always the last.

    Args:
        states: The algorithm; closed when this iterator is closed.
        total: Epochs (or iterations) asked for.
        freeze: Copies a live state into an immutable result.
        every_s: Shortest time between two updates, in seconds.
        notes: Returns the sentences to show so far.
    """
    due, unsent = 0.0, None

    def update(state: State) -> Update[Result]:
        history = {name: tuple(values) for name, values in state.history.items()}
        return Update(state.done, total, history, freeze(state), notes())

    try:
        for state in states:
            unsent, began = state, time.monotonic()
            if began >= due:
                frozen = update(state)
                due, unsent = time.monotonic(), None
                due += max(every_s, 9 * (due - began))
                yield frozen
        if unsent is not None:
            yield update(unsent)
    finally:
        close = getattr(states, "close", None)
        if close is not None:
            close()


def run_to_end(job: Iterator[Update[Result]]) -> Result:
    """Drive a job to its end and return its last result.

    Raises:
        JobError: The job ended without any update.
    """
    last = collections.deque(job, maxlen=1)
    if not last:
        raise JobError("the job ended before it reached a result")
    return last[0].result
