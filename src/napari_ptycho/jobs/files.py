"""The files of a queue: what is in them, read again only where they have changed."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_ptycho.errors import FileError
from napari_ptycho.io.atomic import written
from napari_ptycho.io.files import translated
from napari_ptycho.jobs.job import from_order, standing

FORMAT = 1
ORDER, STANDING, QUEUE = ".job.json", ".state.json", "queue.json"
DAMAGED = (ValueError, TypeError, KeyError, AttributeError)
"""What a file raises that holds JSON of another kind, or none."""
Sign = tuple[int, int, int]
"""Time of the last change, bytes and number of a file: it is read again once they change."""


class Files:
    """What the files of a queue held at the last look."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.found: dict[str, tuple[Sign, Any]] = {}
        """By name: a job (`ORDER`), fields of one (`STANDING`), keys in order (`QUEUE`); None if
        it is damaged, {} if it was removed meanwhile."""

    def look(self) -> None:
        """Read what is new or has changed.

        Raises:
            OSError: The folder cannot be read.
        """
        before, self.found = self.found, {}
        for name, sign in _signs(self._folder):
            kept = before.get(name)
            fresh = kept is None or kept[0] != sign
            self.found[name] = (sign, _parsed(self._folder / name)) if fresh else before[name]

    def damaged(self) -> list[str]:
        """Return the names of files that could not be understood."""
        return sorted(name for name, (_, content) in self.found.items() if content is None)


def _signs(path: Path) -> Iterator[tuple[str, Sign]]:
    """Yield the files of a queue."""
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.endswith((ORDER, STANDING)) or entry.name == QUEUE:
                with suppress(FileNotFoundError):  # removed since
                    found = entry.stat()
                    yield entry.name, (found.st_mtime_ns, found.st_size, found.st_ino)


def _parsed(path: Path) -> Any:
    """Return a job, what has become of one, or the order; None if it is damaged."""
    try:
        values = read_json(path)
        if values is None:  # removed since
            return {}
        if path.name == QUEUE:
            return tuple(str(key) for key in values["order"])
        if path.name.endswith(STANDING):
            return standing(values)
        job = from_order(values)
        return job if path.name == f"{job.id}{ORDER}" else None
    except (FileError, *DAMAGED):
        return None


def read_json(path: Path) -> dict[str, Any] | None:
    """Return what a file of a queue holds; None if there is none.

    Raises:
        FileError: It cannot be read.
        ValueError: It is damaged, or of another version.
    """
    with translated(path):
        try:
            text = path.read_text()
        except FileNotFoundError:
            return None
    values = json.loads(text)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError("no file of this version")
    return values


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a file of a queue, whole or not at all.

    Raises:
        FileError: The folder is missing or the disk is full.
    """
    with written(path) as temporary:
        temporary.write_text(json.dumps({"format": FORMAT, **values}))
