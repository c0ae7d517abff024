"""When frames came: how fast they come, and how long a frame has been there."""

import time
from collections import deque
from collections.abc import Callable

LATELY_S = 3.0
REMEMBERED = 1000  # looks


class Arrivals:
    """How many frames there were at each look that found some."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with none; `clock` tells seconds."""
        self._clock = clock
        self._looks: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)

    def note(self, count: int) -> None:
        """So many frames are there now."""
        self._looks.append((self._clock(), count))

    @property
    def per_second(self) -> float:
        """Frames that came in a second, over the last seconds; 0 while that is not known."""
        now = self._clock()
        lately = [look for look in self._looks if now - look[0] <= LATELY_S]
        before = [look for look in self._looks if now - look[0] > LATELY_S][-1:]
        looks = before + lately
        if len(looks) < 2 or not lately:
            return 0.0
        (began, first), (_, last) = looks[0], looks[-1]
        return (last - first) / max(now - began, 1e-9)

    def age_s(self, frame: int) -> float:
        """Return how long a frame has been there; 0 if nobody has seen it come."""
        came = next((moment for moment, count in self._looks if count > frame), None)
        return 0.0 if came is None else self._clock() - came
