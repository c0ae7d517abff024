"""How fast a job goes, and when it will be done."""

import time
from collections.abc import Callable
from typing import Any

from napari_ptycho.job import Update

EPOCHS = ("epoch", "epochs")
ITERATIONS = ("it", "it")


class Pace:
    """Measures epochs per second from the first update on (what comes before is preparation)."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, unit: tuple[str, str] = EPOCHS
    ) -> None:
        """Begin.

        Args:
            clock: Tells seconds.
            unit: What is counted: one of it, and many.
        """
        self._clock = clock
        self._one, self._many = unit
        self._first: tuple[float, float] | None = None

    def text(self, update: Update[Any]) -> str:
        """Return "epoch 12 / 100 · 3.1 epochs/s · 0:28 left", as far as it is known."""
        where = f"{self._one} {int(update.done)} / {update.total:.0f}"
        now = self._clock()
        if self._first is None:
            self._first = (now, update.done)
            return where
        seconds, epochs = now - self._first[0], update.done - self._first[1]
        if seconds <= 0 or epochs <= 0:
            return where
        rate = epochs / seconds
        speed = f"{rate:.1f} {self._many}/s" if rate >= 1 else f"{1 / rate:.1f} s/{self._one}"
        left = (update.total - update.done) / rate
        return f"{where} · {speed} · {clock_text(left)} left"


def clock_text(seconds: float) -> str:
    """Return 75 s as "1:15", 4000 s as "1:06:40"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
