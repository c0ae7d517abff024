"""A folder in which a file appears for each frame."""

from dataclasses import replace
from pathlib import Path

from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.formats import FOLDER, Format, numbered, rasters
from napari_ptycho.io.growing.growth import ENOUGH, NotYet
from napari_ptycho.io.growing.looking import Looking, Mark
from napari_ptycho.io.growing.queue import Queue, first_files
from napari_ptycho.io.growing.reading import GrowingReading
from napari_ptycho.model import Scan


class GrowingFolder(Looking):
    """A folder of TIFF or NPY files; the folder need not be there yet."""

    def __init__(self, path: Path, reading: GrowingReading) -> None:
        """Begin with no file."""
        super().__init__(path, reading.growth)
        self._reading = reading
        self._queue: Queue | None = None
        self._state: tuple[int, Mark, bool] | None = None

    @property
    def expected(self) -> int | None:
        """Frames for which the positions were there before the first of them; None: not known."""
        table = self.growth.second
        if table is None or self._queue is None or not self._queue.paths:
            return None
        planned = table.stat().st_mtime_ns < self._queue.paths[0].stat().st_mtime_ns
        return self.growth.positions or None if planned else None

    def files(self) -> list[Path]:
        """Return the folder, the positions, and the next frame while it is not whole."""
        half = self._queue.half if self._queue is not None else None
        return [path for path in (self.path, self.growth.second, half) if path is not None]

    def unready(self) -> str:
        """Return why there is nothing to read yet, "" if there is."""
        return "" if self.path.is_dir() else f"{self.name}: no such folder yet"

    @property
    def restless(self) -> bool:
        """Whether a frame is waited for that may never come."""
        return self._queue is not None and self._queue.waits

    def ended(self) -> bool:
        """Whether the writer has said that it ended: in a folder none does."""
        return False

    def read(self) -> Scan:
        """Return the scan of the frames that are there, whole and in order."""
        if self._queue is None:
            paths = first_files(self.path)
            if len(paths) < (2 if self.growth.last else ENOUGH):
                raise NotYet(f"{self.name}: {len(paths)} files of frames so far")
            self._queue = Queue(paths)
        self._queue.take_in()
        if not self._queue.paths:
            raise NotYet(f"{self.name}: no whole frame so far")
        table = self._marks.get(self.growth.second or self.path)
        state = len(self._queue.paths), table, self._settled
        if self.shown is None or self._pending or state != self._state:
            self._state = state
            return self._reading.finished(self._reading.scan(FRAMES, self._queue))
        return self.shown


def _read(queue: Queue, request: Request) -> Scan:
    growth = request.growing
    assert growth is not None  # `GrowingReading` set it
    folder = queue.paths[0].parent
    notes = [f"{len(queue.paths)} files so far, from {queue.paths[0].name} on."]
    if queue.lost:
        lost = ", ".join(map(str, queue.lost[:10]))
        notes.append(f"{len(queue.lost)} frames never came and were left out: {lost}.")
        growth.numbers = queue.places
    if growth.second is None:
        growth.second = numbered.with_table(folder, request, notes).positions
    request = replace(request, positions=growth.second)
    draft = Draft(folder, queue.frames(), None, sources={"patterns": "file"}, notes=notes)
    draft.sources["probe"] = "unknown"
    return rasters.scan(draft, request, f"{len(queue.paths)} files of frames")


FRAMES = Format("folders in which frames appear", (FOLDER,), lambda _: True, _read)
