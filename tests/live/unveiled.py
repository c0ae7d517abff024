"""A growing scan for tests."""

import time

from napari_ptycho.io.growing import Arrived
from napari_ptycho.live.patterns import first_frames


class Unveiled:
    """What `io.open_growing` returns, without files: a clock unveils a scan, or the test does."""

    def __init__(self, scan, per_second=2000.0, expected=None, until=None, late=0.0):
        """Begin with nothing.

        `per_second`: None leaves it to the test, which sets `there`; `until`: the writer dies after
        so many; `late`: seconds before positions are known.
        """
        self.name, self.expected = scan.name, expected
        self.waiting = f"{scan.name}: not there yet"
        self.closed, self.there = False, 0
        self._scan, self._rate = scan, per_second
        self._until = len(scan) if until is None else until
        self._begin = time.monotonic() + late
        self._known, self._last = 0, time.monotonic()

    def look(self):
        if self._rate is not None:
            self.there = int((time.monotonic() - self._begin) * self._rate)
        there = min(max(self.there, 0), self._until)
        if there == self._known:
            return None
        first, self._known, self._last = self._known, there, time.monotonic()
        return Arrived(first_frames(self._scan, there), first, there == len(self._scan))

    @property
    def silent_s(self):
        return time.monotonic() - self._last

    def close(self):
        self.closed = True
