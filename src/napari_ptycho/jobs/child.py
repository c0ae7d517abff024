"""A task in a process of its own: whatever it does to that process, the queue goes on."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection

from napari_ptycho.recipes.report import Report
from napari_ptycho.recipes.tasks import Event, Progress, Stop, Task, Tell, run_task

POLL_S = 0.25
GIVEN_UP = 3
"""Exit code of a child whose parent has died."""
Started = Callable[[int], None]
Run = Callable[[Task, Tell, Stop], Report]


def run_apart(task: Task, stop: Stop, started: Started, run: Run = run_task) -> Iterator[Event]:
    """Do a task in a process of its own, which dies with this one.

    Args:
        task: What to do.
        stop: Asked a few times a second.
        started: Told the pid of the process.
        run: Does it there; a function of a module.

    Yields:
        Events; the last one has a report, also if the process crashed.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, task, run), name="task")
    process.start()
    theirs.close()
    report = None
    try:
        started(process.pid or 0)
        for news in _heard(ours, stop):
            if isinstance(news, Progress):
                yield Event(task, progress=news)
            else:
                report = news
    finally:
        ours.close()  # a child that still works ends by this
        process.join()
    yield Event(task, report=report or _crashed(task, process.exitcode))


def _heard(ours: "Connection[None, Progress | Report]", stop: Stop) -> Iterator[Progress | Report]:
    """Yield what the child says until it has ended; pass on that it is to stop."""
    asked = False
    with suppress(EOFError, ConnectionError):
        while True:
            if not asked and stop():
                asked = True
                with suppress(ConnectionError):  # it has just ended
                    ours.send(None)
            if ours.poll(POLL_S):
                yield ours.recv()


def _work(theirs: "Connection[Progress | Report, None]", task: Task, run: Run) -> None:
    """Do a task in the child."""
    stopping = threading.Event()
    threading.Thread(target=_listen, args=(theirs, stopping), daemon=True).start()
    theirs.send(run(task, theirs.send, stopping.is_set))


def _listen(theirs: "Connection[Progress | Report, None]", stopping: threading.Event) -> None:
    """Wait for the word to stop; without a parent, leave at once (the checkpoint is there)."""
    try:
        while True:
            theirs.recv()
            stopping.set()
    except (EOFError, OSError):
        os._exit(GIVEN_UP)


def _crashed(task: Task, code: int | None) -> Report:
    """Say how a process ended that made no report."""
    how = f"with exit code {code}"
    if code is not None and code < 0:
        with suppress(ValueError):
            how = f"by {signal.Signals(-code).name}"
        if -code == getattr(signal, "SIGKILL", 0):
            how += ", which is what the system does when memory runs out"
    return Report(
        scan=task.scan,
        output=task.output,
        state="failed",
        message=f"its process was ended {how}; Again goes on from the last autosave",
    )
