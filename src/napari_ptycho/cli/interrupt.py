"""Ctrl-C: the job under way ends well, and what it has reached is kept."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

from napari_ptycho.cli import show

if TYPE_CHECKING:  # --help must open at once
    from napari_ptycho.job import Update

Result = TypeVar("Result")
STOPPED = 130
"""Exit code of a command that Ctrl-C has ended."""
STDERR = 2
SENTENCE = "stopping; what was reached will be written (Ctrl-C again to end at once)"


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether Ctrl-C was pressed; pressed twice, it ends the program.

    Works in the main thread, which is where commands run.
    """
    pressed = False

    def wish(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        # sys.stderr may be in the middle of a line, and would raise
        os.write(STDERR, f"napari-ptycho: {SENTENCE}\n".encode())

    before = signal.signal(signal.SIGINT, wish)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


def driven(
    job: "Iterator[Update[Result]]", bar: show.Bar, text: "Callable[[Update[Result]], str]"
) -> "tuple[Update[Result] | None, bool]":
    """Run a job under a progress bar; Ctrl-C ends it and keeps the last update.

    Args:
        job: Closed at the end.
        bar: With the total of the job.
        text: What to say beside the bar.

    Returns:
        The last update, None if there was none, and whether it was stopped.
    """
    last, stopped = None, False
    with bar:
        try:
            for last in job:
                bar.show(last.done, text(last))
        except KeyboardInterrupt:
            stopped = True
        finally:
            getattr(job, "close", lambda: None)()
    return last, stopped


def nothing_reached() -> int:
    """Say that Ctrl-C came before there was a result; return the exit code."""
    show.error("stopped before anything was reached; nothing was written")
    return STOPPED
