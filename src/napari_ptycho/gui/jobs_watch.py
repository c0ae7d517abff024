"""Looks at the queue, and asks it for things, in a thread: its folder may be on a slow disk."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_ptycho import jobs
from napari_ptycho.errors import PtychoError
from napari_ptycho.jobs import Job, Store, lock
from napari_ptycho.jobs.job import HOST

QUICK_S, SLOW_S = 0.25, 1.0
"""Between two looks, while something runs and while nothing does."""
WAKE_S = 60.0
"""Between two tries to start an agent for a queue that stands still."""
KEPT = "window"
"""What is remembered of the last window lies under this name beside the queue."""
Ask = Callable[[Store], object]


@dataclass(frozen=True)
class Seen:
    """The queue at one look."""

    jobs: tuple[Job, ...] = ()
    warnings: tuple[str, ...] = ()


class Watch:
    """The thread. The window reads `seen` and `errors`, and calls `ask` and `end`."""

    def __init__(self, folder: Path | None = None) -> None:
        """Begin to look.

        Args:
            folder: Of the queue; None: that of the user.
        """
        self.seen: Seen | None = None
        """The newest look; the same object as long as nothing changes."""
        self.kept: Mapping[str, Any] = {}
        """What the last window has remembered; there before the first look."""
        self.errors: deque[str] = deque()
        """Sentences about what was asked and did not work."""
        self._folder = folder
        self._asked: queue.SimpleQueue[Ask | None] = queue.SimpleQueue()
        self._wake_at = 0.0
        self.thread = threading.Thread(target=self._run, name="ptycho: jobs", daemon=True)
        self.thread.start()

    def ask(self, what: Ask) -> None:
        """Do something with the queue, and look at once."""
        self._asked.put(what)

    def end(self, *_: object) -> None:
        """Look no more."""
        self._asked.put(None)

    def _run(self) -> None:
        store, going = None, True
        while going:
            try:
                store = store or self._opened()
                self._look(store)
            except PtychoError as error:
                self._show(Seen(warnings=(str(error),)))
            going = self._answer(store)

    def _opened(self) -> Store:
        store = Store(self._folder)
        self.kept = store.remembered(KEPT)
        return store

    def _answer(self, store: Store | None) -> bool:
        """Wait for what is asked next, and do it; False if it is over."""
        running = self.seen is not None and any(j.state == "running" for j in self.seen.jobs)
        try:
            what = self._asked.get(timeout=QUICK_S if running else SLOW_S)
        except queue.Empty:
            return True
        if what is not None and store is not None:
            try:
                what(store)
            except PtychoError as error:
                self.errors.append(str(error))
        return what is not None

    def _look(self, store: Store) -> None:
        found = store.all()
        warnings = store.damaged
        if _stands_still(found, store.folder):
            if time.monotonic() >= self._wake_at:
                self._wake_at = time.monotonic() + WAKE_S
                jobs.wake(store)
            elif time.monotonic() > self._wake_at - WAKE_S / 2:
                log = lock.log_file(store.folder)
                warnings += (
                    f"Jobs wait, but nothing works them off: {log} may say why; it is tried again "
                    "every minute.",
                )
        else:
            self._wake_at = 0.0
        self._show(Seen(found, warnings))

    def _show(self, seen: Seen) -> None:
        if seen != self.seen:
            self.seen = seen


def _stands_still(found: Sequence[Job], folder: Path) -> bool:
    """Whether jobs wait for this computer and none of its processes works."""
    waits = any(job.state == "waiting" and job.host == HOST for job in found)
    return waits and lock.agent_pid(folder) is None
