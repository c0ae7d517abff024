"""The thread side of a job: it touches no Qt object, no widget, no layer, no viewer.

Everything the window learns goes through a `Task`: a one-slot mailbox in which the newest update
wins, and, once, how the job ended. The window looks whenever it has time (`runner.py`).
"""

import atexit
import logging
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from threading import Event, Thread
from typing import Any

from napari_ptycho import device
from napari_ptycho.errors import PtychoError
from napari_ptycho.job import Update

log = logging.getLogger(__name__)
JOIN_S = 5.0
REPORT = "a fault of the program: the terminal says where; please report it"
_running: "weakref.WeakSet[Task]" = weakref.WeakSet()


class Task:
    """One job on its own thread, as both sides see it."""

    def __init__(self, title: str, total: float, abandoned: Event) -> None:
        self.title, self.total = title, total
        self.stopping = Event()
        """Set by the window: stop at the next update."""
        self.abandoned = abandoned
        """Set when the runner was deleted: nobody listens any more."""
        self.mailbox: deque[Update[Any]] = deque(maxlen=1)
        self.last: Any = None
        """The newest update, or what a plain function returned; kept whatever happens."""
        self.error: BaseException | None = None
        self.ended = Event()

    @property
    def outcome(self) -> str:
        """How it ended: "done", "stopped" or "failed"."""
        if self.error is not None:
            return "failed"
        return "stopped" if self.stopping.is_set() else "done"

    def should_stop(self) -> bool:
        """Whether the job is to end at the next update."""
        return self.stopping.is_set() or self.abandoned.is_set()


def launch(task: Task, body: Callable[[Task], None]) -> Thread:
    """Run `body(task)` in a daemon thread that ends by setting `task.ended`, come what may."""
    thread = Thread(target=_run, args=(task, [body]), name=f"ptycho: {task.title}", daemon=True)
    _running.add(task)
    thread.start()
    return thread


def iterate(make_job: Callable[[], Iterator[Update[Any]]]) -> Callable[[Task], None]:
    """Return the body that drives a job; the generator is closed in the worker thread.

    torch is warmed up and its threads are set before the job is made, and put back at the end.
    """

    def body(task: Task) -> None:
        with computing():
            job = make_job()
            try:
                for update in job:
                    task.last = update
                    task.mailbox.append(update)
                    if task.should_stop():
                        break
            finally:
                getattr(job, "close", lambda: None)()

    return body


def call(function: Callable[[], Any], compute: bool) -> Callable[[Task], None]:
    """Return the body that runs a plain function, with torch made ready if it computes."""

    def body(task: Task) -> None:
        with computing() if compute else nullcontext():
            task.last = function()

    return body


def computing() -> AbstractContextManager[None]:
    """Warm torch up in this thread, and give it all CPU threads but the window's."""
    device.warm_up()
    return device.threads(device.window_threads())


def sentence(error: BaseException) -> str:
    """What the user reads: our own errors as they are, others as unexpected."""
    if isinstance(error, PtychoError):
        return str(error)
    return f"unexpected: {type(error).__name__}: {error} ({REPORT})"


def _run(task: Task, once: list[Callable[[Task], None]]) -> None:
    try:
        once.pop()(task)  # nothing keeps the body, nor what it holds on to, beyond its call
    except BaseException as error:  # noqa: BLE001 - whatever it is, the user must hear of it
        if not isinstance(error, PtychoError):
            # as text: a log record that keeps the traceback keeps the job's arrays with it
            log.error("%s failed\n%s", task.title, traceback.format_exc())
        task.error = _without_frames(error)
    finally:
        _running.discard(task)
        task.ended.set()


def _without_frames(error: BaseException) -> BaseException:
    """Drop the frames of a traceback: they hold the job's arrays and tensors."""
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen.__traceback__ = None
        seen = seen.__cause__ or seen.__context__
    return error


@atexit.register
def _end_all() -> None:
    """At exit no thread may be left inside torch: ask all to stop, and wait a little."""
    for task in list(_running):
        task.stopping.set()
        task.ended.wait(JOIN_S)
