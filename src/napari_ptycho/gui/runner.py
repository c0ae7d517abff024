"""The one place where jobs meet Qt.

A job runs in a plain daemon thread (`worker.py`) that never calls Qt. This side looks into the
mailbox on a timer, so an update costs the window nothing until it has time for one: the pause
between two updates follows what the last one cost, paint included. Why not the ready-made workers:
docs/architecture.md.
"""

import logging
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from threading import Event
from typing import Any

from napari.utils import progress
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QLabel, QWidget

from napari_ptycho.gui import worker
from napari_ptycho.gui.pause import Pause
from napari_ptycho.job import Update

log = logging.getLogger(__name__)
TICK_MS = 20
FLOOR_MS, CAP_MS = 250.0, 5000.0
SHORT_S = 0.5
"""What takes no longer is not announced: a bar in the activity dock costs more than it tells."""
DUTY = 0.04
RUNNING: "weakref.WeakSet[Runner]" = weakref.WeakSet()
"""The runners of all docks that have a job; those of deleted docks are `abandoned`."""


class Runner(QObject):
    """Runs one job at a time for a dock, which is its parent.

    However a job ends, `finished` is emitted exactly once and last. If it failed, the user has
    read one message by then, and the newest update is still in `last`.
    """

    updated = Signal(object)
    """An `Update`: the newest there is, as often as the window can afford."""
    finished = Signal(str, object)
    """"done" or "stopped" with the last `Update` (or the function's value), "failed" with the
    exception."""
    working = Signal(bool)
    """A job has begun (True), or has ended or was left (False), just before `finished`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.interval_ms = FLOOR_MS
        """Pause between two updates: the cost of the last one over `DUTY`."""
        self.last: Any = None
        """The newest update of the running or last job."""
        self._task: worker.Task | None = None
        self._plain = False  # it is a function, that can only be left
        self._bars: list[progress] = []
        self._due = self._began = self._announce = 0.0
        self._abandoned = Event()
        self.destroyed.connect(self._abandoned.set)
        self.destroyed.connect(partial(_close, self._bars))
        self._ticks = QTimer(self, interval=TICK_MS)
        self._ticks.timeout.connect(self._tick)
        self._painted = Pause(self, 0, self._measure)

    @property
    def running(self) -> bool:
        """Whether a job is under way; True until `finished` has been emitted."""
        return self._task is not None

    @property
    def abandoned(self) -> bool:
        """Whether its dock was deleted: nothing of Qt may be asked of it any more."""
        return self._abandoned.is_set()

    @property
    def about(self) -> tuple[str, float]:
        """Title of the job that runs and its seconds so far; empty if none runs."""
        if self._task is None:
            return "", 0.0
        return self._task.title, time.perf_counter() - self._announce + SHORT_S

    @property
    def newest(self) -> Any:
        """The newest update that the thread has made, shown or not; for closing the window."""
        return self.last if self._task is None else self._task.last

    def start(
        self, make_job: Callable[[], Iterator[Update[Any]]], title: str, total: float
    ) -> bool:
        """Start a job; `make_job` is called in the thread. False if one is running already.

        Args:
            make_job: Returns the job; may compute and may raise.
            title: What the activity dock calls it.
            total: The updates' total, for the progress bar.
        """
        return self._launch(worker.iterate(make_job), title, total, plain=False)

    def call(self, function: Callable[[], Any], title: str, compute: bool = False) -> bool:
        """Run a plain function in the thread; its value comes with `finished`.

        Args:
            function: Loads, bins, simulates, saves. It cannot be stopped, only left: `leave`.
            title: What the activity dock calls it.
            compute: Whether it uses torch.
        """
        return self._launch(worker.call(function, compute), title, 0, plain=True)

    def stop(self) -> None:
        """End the job at its next update; what it reached is kept."""
        if self._task is not None:
            self._task.stopping.set()

    def leave(self) -> None:
        """Wait no longer for a plain function: "stopped", now; what it returns is dropped.

        Its thread goes on until the function ends: nothing can stop a read amid a file.
        """
        if self._task is not None:
            self._task.stopping.set()
            self._let_go()
            self.last = None
            self.finished.emit("stopped", None)

    def end(self) -> None:
        """What a button *Stop* does: stop a job, leave a plain function."""
        if self._plain:
            self.leave()
        else:
            self.stop()

    def wait(self, seconds: float) -> bool:
        """Block until the thread has ended (only for closing the window); False if it has not."""
        return self._task is None or self._task.ended.wait(seconds)

    def _launch(
        self, body: Callable[[worker.Task], None], title: str, total: float, plain: bool
    ) -> bool:
        if self._task is not None:
            show_info(f"{self._task.title} is still running: stop it first, or wait for it.")
            return False
        self._plain = plain
        self.last = None
        self.interval_ms, self._due = FLOOR_MS, 0.0
        self._task = worker.Task(title, total, self._abandoned)
        self._announce = time.perf_counter() + SHORT_S
        worker.launch(self._task, body)
        RUNNING.add(self)
        self._ticks.start()
        self.working.emit(True)
        return True

    def _tick(self) -> None:
        task = self._task
        if task is None:
            return
        if not self._bars and time.perf_counter() >= self._announce and not task.ended.is_set():
            self._bars.append(_activity(task.title, task.total))
            _calm(self.parent())
        if task.ended.is_set():
            self._finish(task)
        elif time.perf_counter() >= self._due and not self._painted.isActive():
            self._pull(task)

    def _pull(self, task: worker.Task) -> None:
        if not task.mailbox:
            return
        update = task.mailbox.pop()
        self.last = update
        self._began = time.perf_counter()
        for bar in self._bars:
            _advance(bar, update)
        self.updated.emit(update)
        self._painted.start()  # fires after the paint that the update caused

    def _measure(self) -> None:
        now = time.perf_counter()
        self.interval_ms = min(CAP_MS, max(FLOOR_MS, (now - self._began) * 1e3 / DUTY))
        self._due = now + self.interval_ms / 1e3

    def _finish(self, task: worker.Task) -> None:
        self._pull(task)
        self._let_go()
        self.last = task.last
        if task.error is not None:
            show_error(worker.sentence(task.error))
        self.finished.emit(task.outcome, task.last if task.error is None else task.error)

    def _let_go(self) -> None:
        self._ticks.stop()
        self._task = None
        RUNNING.discard(self)
        _close(self._bars)
        self.working.emit(False)


def _activity(title: str, total: float) -> progress:
    """A bar in napari's activity dock; tqdm's own printing to the terminal is not wanted."""
    return progress(total=round(total), desc=title, file=_Nowhere())


def _calm(widget: QObject | None) -> None:
    """Hold napari's spinner still.

    Every picture of it repaints the window and with it the canvas. On a graphics card that is
    nothing; in software rendering (remote desktops, virtual machines) it took the event loop from
    a median gap of 0.2 ms to 27 ms, for a picture of 18 x 18 pixels.
    """
    if isinstance(widget, QWidget):
        for label in widget.window().findChildren(QLabel):
            movie = label.movie()
            if movie is not None:
                movie.setPaused(True)


def _advance(bar: progress, update: Update[Any]) -> None:
    step = round(update.done) - bar.n
    if step > 0:
        bar.update(step)


def _close(bars: list[progress], *_: object) -> None:
    while bars:
        bars.pop().close()


class _Nowhere:
    """A text stream that keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""
