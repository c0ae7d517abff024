"""Frames that lie uncompressed in a file, each at the same distance from the one before."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import FileError
from napari_ptycho.io.frames import Frames
from napari_ptycho.prepare.text import size as size_text


class RawFrames(Frames):
    """Frames at a fixed stride in one file; the file is opened only while it is read."""

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int, int],
        dtype: Any,
        start: int = 0,
        around: tuple[int, int] = (0, 0),
    ) -> None:
        """Remember where the frames lie.

        Args:
            path: The file.
            shape: (N, H, W).
            dtype: As stored, byte order included.
            start: Bytes before the first frame and what leads it.
            around: Bytes before each frame (a header of its own) and after it.

        Raises:
            FileError: The file is too short for so many frames.
        """
        super().__init__((path,), shape, dtype)
        self.start, self.around = start, around
        needed, there = start + prod(shape[:1]) * self._stride, path.stat().st_size
        if needed > there:
            raise FileError(
                f"{path.name}: should hold {size_text(needed)} but only {size_text(there)} are "
                "there; the file is damaged or still being written"
            )

    @property
    def _stride(self) -> int:
        return sum(self.around) + prod(self._all[1:]) * self.dtype.itemsize

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return stored frames."""
        before, after = self.around
        record = np.dtype(
            [
                ("before", f"V{before}"),
                ("frame", self.dtype, self._all[1:]),
                ("after", f"V{after}"),
            ]
        )
        with self.path.open("rb") as file:
            file.seek(self.start + start * self._stride)
            block = np.fromfile(file, record, stop - start)
        if len(block) != stop - start:
            raise FileError(f"{self.path.name}: frame {start + len(block)} is no longer there")
        return np.asarray(block["frame"])
