"""What is known of a growing scan: how much is there, and what was decided once for all of it."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.io import tables
from napari_ptycho.io.files import read_head
from napari_ptycho.io.frames import Frames
from napari_ptycho.io.growing.written import Written, announced
from napari_ptycho.io.interpret import Decided, Interpreted, decide, made_by
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.places import Places
from napari_ptycho.io.positions import read_positions
from napari_ptycho.io.superblock import Writer, writer_of
from napari_ptycho.model.arrays import Bools

if TYPE_CHECKING:
    from napari_ptycho.io.counts import Told
    from napari_ptycho.io.draft import Draft

ENOUGH = 8
"""Frames from which what they are is decided; sooner only when no more seem to come."""


class NotYet(ScanError):
    """Too little has come so far; more may follow."""


class Growth:
    """Goes with each reading of a growing scan (`Request.growing`); survives from one to the next.

    A draft is cut to the frames that are there with all that belongs to them. What a finished scan
    is asked as a whole (its values, zero frequency, dead pixels, usual flux) is decided when
    `ENOUGH` frames are there, and then stays.
    """

    def __init__(self, second: Path | None = None) -> None:
        """Begin with nothing."""
        self.expected: int | None = None
        """Frames that were announced."""
        self.there = 0
        """Frames whose counts are in the files."""
        self.paired = 0
        """Those of them whose position is there too."""
        self.last = False
        """Whether no more are waited for: the few that are there must do."""
        self.parts: tuple[Path, ...] = ()
        """The files with the frames."""
        self.numbers: NDArray[np.intp] | None = None
        """(N,) which position each frame has, where frames never came; None: one after another."""
        self.positions = 0
        """Positions that were there at the last look."""
        self.second = second
        """The file with the positions, if they lie apart."""
        self._written = Written()
        self._decided: Decided | None = None
        self._once: dict[str, float] = {}
        self._read_once: dict[Path, tuple[float, Places]] = {}

    def begin(self, draft: "Draft") -> None:
        """Cut a draft to the frames that are in the files.

        Raises:
            NotYet: There are none.
        """
        frames = draft.patterns
        assert isinstance(frames, Frames)  # as in `_cut`
        self.parts = frames.parts
        if self.expected is None:
            self.expected = draft.expected or announced(frames)
        self.there, self.paired = self._written.count(frames), 0
        self._cut(draft, self.there)

    def _cut(self, draft: "Draft", n: int) -> None:
        if n == 0 or (n < ENOUGH and not self.last):
            raise NotYet(f"{draft.file.name}: {n} frames with a position so far")
        assert isinstance(draft.patterns, Frames)  # of files, which may grow
        draft.patterns.shorten(n)
        for name in ("monitor", "exposure", "valid"):
            held = getattr(draft, name)
            by_frame = held is not None and (name != "valid" or held.ndim == 3)
            if by_frame and np.size(held) > 1:
                setattr(draft, name, held[:n])

    def second_file(self, path: Path, layout: Layout, n: int) -> Places:
        """Return the positions in a file of their own, as it was read last if nobody changed it.

        Raises:
            PtychoError: As `read_positions`.
        """
        known, changed = self._read_once.get(path), path.stat().st_mtime
        if known is None or known[0] != changed or len(known[1].values) < n:
            found = read_positions(path, layout, n, growing=True)
            if time.time() - changed < tables.SETTLED_S:
                return found
            self._read_once[path] = known = changed, found
        return known[1]

    def planned(self, layout: Layout, n: int) -> int:
        """Return of how many frames a raster is.

        Raises:
            OptionsError: Nobody says how long its rows are.
        """
        if layout.raster_columns:
            return max(n, layout.raster_rows * layout.raster_columns)
        if self.expected is None:
            raise OptionsError(
                "the raster of a scan that is still being written needs its columns; give them too"
            )
        return max(n, self.expected)

    def fitted(self, draft: "Draft", found: Places) -> Places:
        """Return the positions of the frames whose position is there, and cut the draft to them.

        A position belongs to the frame of its number, or so many of them in a row do if there are
        so many times the announced frames.

        Raises:
            NotYet: There are none, or too few.
        """
        values = found.values
        holder = read_head(self.second or draft.file)
        known = len(values) if writer_of(holder) is Writer.NONE else _known(values)
        samples, rest = divmod(len(values), self.expected or len(values))
        if samples > 1 and rest == 0:
            known //= samples
            values = values[: known * samples].reshape(known, samples, 2).mean(axis=1)
        self.positions = known
        if self.numbers is not None:
            known = int(np.searchsorted(self.numbers, known))
            values = values[self.numbers[:known]]
        lengths = [draft.patterns.shape[0], known]
        for held in (draft.monitor, draft.exposure):
            if held is not None and np.size(held) > 1:
                lengths.append(_known(np.reshape(held, (-1, 1))) or len(held))
        self.paired = n = min(lengths)
        self._cut(draft, n)
        return replace(found, values=values[:n])

    def interpreted(
        self, frames: "NDArray[Any] | Frames", own: Bools | None, near: bool, told: "Told"
    ) -> Interpreted:
        """Make counts of stored frames as was decided when enough had come.

        Raises:
            NotYet: There was no light so far.
        """
        if self._decided is None:
            seen = decide(frames, own, near, told)
            if not seen.lit and not self.last:
                raise NotYet(f"{frames.shape[0]} frames so far, without a single count in them")
            self._decided = seen
        return made_by(self._decided, frames)

    def once(self, name: str, value: float) -> float:
        """Return a number as it was when it was first asked for."""
        return self._once.setdefault(name, value)


def _known(values: NDArray[Any]) -> int:
    """Return how many rows there are up to the last that holds numbers, of which not all are 0."""
    there = np.flatnonzero((np.isfinite(values) & (values != 0)).any(axis=1))
    return int(there[-1]) + 1 if len(there) else 0
