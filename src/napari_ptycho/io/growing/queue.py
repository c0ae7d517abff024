"""The files of a folder in the order of their numbers, each taken in when it is whole."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import FileError
from napari_ptycho.io.formats import npys, numbered, tiffs
from napari_ptycho.io.frames import Frames

GAP_S = 10.0
"""A frame that is missing for so long, while later ones are there, never comes."""
NPY = ".npy"


class Queue:
    """Frames that came one by one; one that is late is waited for, so that none is out of order."""

    def __init__(self, paths: list[Path]) -> None:
        """Learn from the first files how they are numbered.

        Args:
            paths: In order; names that differ by a number.
        """
        self.paths: list[Path] = []
        """Of the frames that are there, in order, and whole."""
        self.lost: list[int] = []
        """Numbers of frames that never came."""
        self._folder = paths[0].parent.absolute()
        self._like = _pattern(paths[0].name)
        self._number: Callable[[str], tuple[int, ...]] = numbered.order(paths)
        numbers = [self._number(path.name)[0] for path in paths]
        self._first = self._next = numbers[0]
        self._step = _step(numbers)
        self._taken: list[int] = []
        self._come: dict[int, Path] = {}
        self._names: set[str] = set()
        self._gap: tuple[int, float] | None = None
        self._sample: Any = None

    @property
    def half(self) -> Path | None:
        """The next file, if it is there but not whole."""
        return self._come.get(self._next)

    @property
    def waits(self) -> bool:
        """Whether later frames are there than the next one."""
        return max(self._come, default=self._next) > self._next

    @property
    def places(self) -> NDArray[np.intp]:
        """(N,) number of each frame among those that should be there, counted from 0."""
        if not self._step:
            return np.arange(len(self.paths))
        return (np.array(self._taken, np.intp) - self._first) // self._step

    def frames(self) -> Frames:
        """Return the frames that are there."""
        kind = npys.ArrayFiles if self.paths[0].suffix.lower() == NPY else tiffs.Series
        return kind(self.paths, self._sample)

    def take_in(self) -> None:
        """Look which files came, and take those that follow the last one and are whole."""
        for entry in os.scandir(self._folder):
            if entry.name not in self._names and _pattern(entry.name) == self._like:
                self._names.add(entry.name)
                number = self._number(entry.name)[0]
                if number >= self._next:  # an earlier one was given up, or never belonged here
                    self._come[number] = self._folder / entry.name
        while self._come:
            if not self._step:
                self._next = min(self._come)
            path = self._come.get(self._next)
            if path is not None and self._is_whole(path):
                self.paths.append(path)
                self._taken.append(self._next)
            elif self._is_lost():
                self.lost.append(self._next)
            else:
                return
            self._come.pop(self._next, None)
            self._next += self._step or 1

    def _is_lost(self) -> bool:
        """Whether the next frame was missing for too long while later ones are there."""
        if not self.waits:
            return False
        if self._gap is None or self._gap[0] != self._next:
            self._gap = self._next, time.monotonic()
        return time.monotonic() - self._gap[1] > GAP_S

    def _is_whole(self, path: Path) -> bool:
        look = npys.header_of if path.suffix.lower() == NPY else tiffs.single_page
        try:
            found = look(path)
        except FileError:
            return False
        if self._sample is None:
            self._sample = found
        return (found.shape, found.dtype) == (self._sample.shape, self._sample.dtype)


def first_files(folder: Path) -> list[Path]:
    """Return the frames in a folder so far, in order; of two kinds the one with more files."""
    paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
    kinds = ((NPY,), tiffs.ENDINGS)
    sets = [[path for path in paths if path.suffix.lower() in kind] for kind in kinds]
    return max((numbered.largest_set(one)[0] for one in sets), key=len)


def _pattern(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _step(numbers: list[int]) -> int:
    """Return the step between the numbers of frames; 0 where they do not count, as times do not."""
    steps = np.diff(numbers)
    if not len(steps):
        return 1
    least = int(steps.min())
    return least if 2 * (steps == least).sum() >= len(steps) else 0
