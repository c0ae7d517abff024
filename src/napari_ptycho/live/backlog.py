"""Frames that wait until somebody has time for them."""

from collections import deque

from napari_ptycho.live.patterns import joined, piece_of
from napari_ptycho.model import Scan


class Backlog:
    """Parts of a scan, in memory, in their order."""

    def __init__(self) -> None:
        self._parts: deque[Scan] = deque()

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def put(self, part: Scan) -> None:
        """Let frames wait."""
        self._parts.append(part)

    def take(self, most: int | None = None) -> Scan:
        """Return the frames that have waited longest, so many at most; all without a number."""
        most = len(self) if most is None else most
        taken = [self._parts.popleft()]
        while self._parts and sum(map(len, taken)) < most:
            taken.append(self._parts.popleft())
        part = joined(taken)
        if len(part) > most:
            self._parts.appendleft(piece_of(part, slice(most, len(part))))
            part = piece_of(part, slice(0, most))
        return part
