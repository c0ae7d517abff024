"""HDF5 files that are being written: scans in one file (SWMR), masters with their data files."""

from pathlib import Path

from napari_ptycho.io import files, hdf5
from napari_ptycho.io.growing.looking import Looking
from napari_ptycho.io.growing.reading import GrowingReading
from napari_ptycho.io.superblock import Writer, is_old, stored_size, writer_of
from napari_ptycho.model import Scan

try:
    import fcntl
except ImportError:  # Windows: there a file that is written cannot be opened at all
    fcntl = None  # type: ignore[assignment]

QUIET_S = 10.0
"""A file that was closed so long ago has ended, if no writer was seen that says so itself."""


class GrowingFile(Looking):
    """A scan in an HDF5 file, or in the files that it links to."""

    def __init__(self, path: Path, reading: GrowingReading) -> None:
        """Begin; the file need not be there yet."""
        super().__init__(path, reading.growth)
        self._reading = reading
        self._second = reading.request.positions
        self._swmr_seen = False

    def files(self) -> list[Path]:
        """Return the file, those with frames or positions, and the folder where more may come."""
        parts = self.growth.parts
        found = [self.path, *parts]
        if self._second is not None:
            found.append(self._second)
        if parts != (self.path,):
            found.append(self.path.parent)
        return list(dict.fromkeys(found))

    def unready(self) -> str:
        """Return why the file cannot be read yet, "" if it can."""
        if not self.path.is_file() or not (size := self.path.stat().st_size):
            return f"{self.name}: not there yet"
        head = files.read_head(self.path)
        writer = writer_of(head)
        self._swmr_seen |= writer is Writer.SWMR
        if writer is Writer.ALONE or (is_old(head) and _is_locked(self.path)):
            return (
                f"{self.name}: is being written without SWMR; its frames can be read when it is "
                "closed. Switch SWMR on in the program that writes"
            )
        if writer is Writer.NONE and (stored_size(head) or 0) > size:
            return f"{self.name}: the file is incomplete; it is still being written or copied"
        return ""

    def read(self) -> Scan:
        """Return the scan of what is there."""
        with hdf5.open_file(self.path, growing=True) as file:
            scan = self._reading.of_hdf5(file)
        return self._reading.finished(scan)

    def ended(self) -> bool:
        """Whether the writer has closed the file for good, as far as that can be known."""
        writer = writer_of(files.read_head(self.path))
        if self.growth.parts != (self.path,) or writer is not Writer.NONE:
            return False
        missing = self.expected is not None and self.growth.there < self.expected
        return self._swmr_seen or (self.silent_s > QUIET_S and not missing)


def _is_locked(path: Path) -> bool:
    """Whether a program holds the lock of a file that it writes.

    Asking takes the lock for a moment, so only files that do not say it themselves are asked.
    """
    if fcntl is None:
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # a file system without locks
            return False
    return False
