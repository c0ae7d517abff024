"""Scans that are still being written: HDF5 (SWMR), DECTRIS data files, folders of frames."""

from dataclasses import dataclass
from typing import Protocol

from napari_ptycho.model import Scan


@dataclass(frozen=True, eq=False)
class Arrived:
    """What has come so far."""

    scan: Scan
    """All frames so far whose position is known too; lazy, read from the files when asked."""
    first: int
    """Number of the first frame that was not there at the last look."""
    complete: bool
    """Whether the writer has said that it has ended (or all announced frames are there)."""


class Growing(Protocol):
    """A scan that is still being written. Each look is short, and never waits for the writer."""

    name: str
    waiting: str
    """Why the last look showed nothing: a sentence; "" where it could read what is there."""

    @property
    def expected(self) -> int | None:
        """Frames that the writer has announced; None if it has not."""

    def look(self) -> Arrived | None:
        """Return what has come; None if nothing is new since the last look.

        Raises:
            PtychoError: The files are of no known kind, or what they hold is broken for good. What
                is only not whole yet is waited for.
        """

    @property
    def silent_s(self) -> float:
        """Seconds since anything new came: after some of it the writer may have died."""

    def close(self) -> None:
        """Let go of the files."""
