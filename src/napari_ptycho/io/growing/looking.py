"""What all growing scans share: what is new, what is only not whole yet, how long it is quiet."""

import time
from abc import ABC, abstractmethod
from pathlib import Path

from napari_ptycho.errors import FileError, NeedsPositions, OptionsError, PtychoError, ScanError
from napari_ptycho.io import tables
from napari_ptycho.io.files import translated
from napari_ptycho.io.growing import Arrived
from napari_ptycho.io.growing.growth import Growth, NotYet
from napari_ptycho.model import Scan

PATIENCE_S = 3.0
"""What cannot be read for so long, while nothing new comes, is broken; few frames must do then."""
SETTLED_S = 0.1
"""So long after a change a file may change again without its time telling: clocks have ticks."""
Mark = tuple[int, ...] | None
"""Size, time and number of a file; None where it is not there."""


class Looking(ABC):
    """A `Growing`; a subclass knows its files."""

    def __init__(self, path: Path, growth: Growth) -> None:
        """Begin with nothing; no file is opened before the first look."""
        self.path, self.growth, self.name = path, growth, path.name
        self.waiting = f"{path.name}: not looked at yet"
        self._marks: dict[Path, Mark] = {}
        self._settled = self._pending = self._ended = self._complete = False
        self.shown: Scan | None = None
        """The scan that was returned last."""
        self._came = time.monotonic()
        self._troubled: float | None = None

    @property
    def expected(self) -> int | None:
        """Frames that the writer has announced; None if it has not."""
        return self.growth.expected

    @property
    def silent_s(self) -> float:
        """Seconds since anything new came."""
        return time.monotonic() - self._came

    def close(self) -> None:
        """Let go of what was read; no file is open between looks."""
        self.shown = None

    @abstractmethod
    def files(self) -> list[Path]:
        """Return the files (and folders) that change when something comes."""

    @abstractmethod
    def unready(self) -> str:
        """Return why the files cannot be read yet, "" if they can."""

    @abstractmethod
    def read(self) -> Scan:
        """Return the scan of what is there.

        Raises:
            NotYet: Too little is there.
            PtychoError: It cannot be read.
        """

    @abstractmethod
    def ended(self) -> bool:
        """Whether the writer has said that no more will come."""

    @property
    def restless(self) -> bool:
        """Whether time alone may bring something, though no file changes."""
        return False

    def look(self) -> Arrived | None:
        """Return what has come, None if nothing is new; raises as `Growing.look` says."""
        settled = self._settled
        changed = self._note_changes()
        try:
            with translated(self.path):
                scan = self._read(changed or not settled)
        except PtychoError as error:
            self._hold_back(error)
            return None
        if scan is None:
            return None
        self._pending, self._troubled, self.waiting = False, None, ""
        return self._arrived(scan)

    def _read(self, changed: bool) -> Scan | None:
        """Return the scan of what is there, None where a look need not read it."""
        if why := self.unready():
            raise NotYet(why)
        before, self._ended = self._ended, self.ended()
        if not (changed or self._pending or self.restless or self._ended != before):
            return None
        self.growth.last = self._ended or self.silent_s > PATIENCE_S
        return self.read()

    def _note_changes(self) -> bool:
        """Whether any file is not as it was at the last look."""
        marks = {path: _mark(path) for path in self.files()}
        changed = marks != self._marks
        if changed:
            self._marks, self._came = marks, time.monotonic()
        calm = SETTLED_S if self.growth.second is None else SETTLED_S + tables.SETTLED_S
        self._settled = self.silent_s > calm
        return changed

    def _arrived(self, scan: Scan) -> Arrived | None:
        first = 0 if self.shown is None else len(self.shown)
        if self.growth.there < first:
            raise FileError(
                f"{self.name}: had {first} frames and has {self.growth.there} now; it was written "
                "anew: watch it again"
            )
        if len(scan) < first:  # a table that is written again from its first line
            self.waiting, self._pending = f"{self.name}: positions are being written again", True
            return None
        announced = self.expected is not None and self.growth.paired >= self.expected
        complete = self._ended or announced
        if first == len(scan) and complete == self._complete:
            return None
        self.shown, self._complete = scan, complete
        return Arrived(scan, first, complete)

    def _hold_back(self, error: PtychoError) -> None:
        """Take an error for something that is not whole yet, as long as that can be.

        Raises:
            PtychoError: The error, where it will not go away.
        """
        self.waiting, self._pending = str(error), True
        if isinstance(error, NotYet) or self.shown is not None:
            return
        now = time.monotonic()
        self._troubled = now if self._troubled is None else self._troubled
        quiet = min(now - self._troubled, self.silent_s) > PATIENCE_S
        # Without a frame, empty datasets look like wrong ones.
        bare = self.growth.there == 0 and not self._ended and type(error) is ScanError
        lasting = now - self._troubled > PATIENCE_S and isinstance(error, NeedsPositions)
        if isinstance(error, OptionsError) or (not bare and (quiet or lasting)):
            raise error


def _mark(path: Path) -> Mark:
    try:
        found = path.stat()
    except OSError:  # not there yet, or a network disk that is away
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino
