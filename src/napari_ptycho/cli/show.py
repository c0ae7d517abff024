"""What a command says: results to stdout, progress and errors to stderr."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def out() -> Console:
    """Return the console for results."""
    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    """Return the console for progress and errors."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def error(sentence: str) -> None:
    """Say why it did not work, in one line on stderr."""
    sys.stderr.write(f"napari-ptycho: {' '.join(sentence.split())}\n")
    sys.stderr.flush()


def lines(sentences: Iterable[str], quiet: bool = False) -> None:
    """Print lines to stdout, unless a machine listens."""
    if not quiet:
        for sentence in sentences:
            out().print(sentence, markup=False)


def as_json(values: Mapping[str, Any]) -> None:
    """Print one JSON object, in one line."""
    sys.stdout.write(json.dumps(values, default=str, allow_nan=False) + "\n")
    sys.stdout.flush()


def finite(value: float) -> float | None:
    """Return a number for JSON, which has no word for one that is not finite."""
    return value if abs(value) < float("inf") else None


@contextmanager
def busy(text: str) -> Iterator[None]:
    """Show a spinner on a terminal while something without steps runs."""
    with err().status(text):
        yield


@dataclass
class Bar:
    """A progress bar on a terminal; in a log, a line at each tenth of the way."""

    title: str
    total: float
    _progress: Progress | None = None
    _said: int = 0
    _began: float = field(default_factory=time.monotonic)

    def __enter__(self) -> "Bar":
        if err().is_terminal:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
            )
            self._progress = Progress(*columns, console=err())
            self._progress.add_task(self.title, total=self.total, note="")
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, done: float, note: str) -> None:
        """Move to `done` of the total, with a note."""
        if self._progress is not None:
            task = self._progress.task_ids[0]
            self._progress.update(task, completed=done, note=note)
            return
        tenth = int(10 * done / self.total)
        if tenth > self._said:
            self._said = tenth
            seconds = time.monotonic() - self._began
            err().print(f"{self.title}: {note}, {seconds:.1f} s", markup=False)
