"""The agent: a process of its own that works the queue off, whether a window is open or not.

Tasks for this computer run one at a time, each in a child process; tasks for a scheduler run many
at once. It ends when there has been nothing to do for a while.
"""

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from napari_ptycho.errors import FileError, PtychoError
from napari_ptycho.jobs import lock
from napari_ptycho.jobs.child import Started, run_apart
from napari_ptycho.jobs.job import HERE, HOST, Job
from napari_ptycho.jobs.store import Store
from napari_ptycho.recipes.report import Report
from napari_ptycho.recipes.summary import resolution
from napari_ptycho.recipes.tasks import Event, Stop, Task

log = logging.getLogger(__name__)
TICK_S, TELL_S, BREATH_S = 0.25, 0.5, 60.0
IDLE_S = 10.0
LEAVING_S = 5.0
"""How long a new agent waits for an old one to leave."""
AWAY = 32
"""So many tasks are with schedulers at a time; the others wait here."""
Do = Callable[[Task, Stop, Started], Iterator[Event]]


class Agent:
    """Works off what this computer was asked for in one queue."""

    def __init__(self, folder: Path, here: Do = run_apart) -> None:
        """Begin nothing yet.

        Args:
            folder: Of the queue.
            here: Does a task on this computer.
        """
        self._folder, self._here = folder, here
        self._store = Store(folder)
        self._at_work: dict[str, _Work] = {}
        self._news = threading.Event()

    def work(self, idle_s: float = IDLE_S) -> None:
        """Work until there has been nothing to do for `idle_s`."""
        idle_since = time.monotonic()
        while self._at_work or time.monotonic() - idle_since < idle_s:
            self._news.wait(TICK_S)
            self._news.clear()
            self._at_work = {k: one for k, one in self._at_work.items() if one.is_alive()}
            for job in self._next():
                work = _Work(job, self._folder, self._do(job), self._news)
                self._at_work[job.id] = work
                work.start()
            if self._at_work:
                idle_since = time.monotonic()

    def is_asked(self) -> bool:
        """Whether a job waits for this computer."""
        return any(True for _ in self._next())

    def _next(self) -> Iterator[Job]:
        """Yield the jobs whose turn it is."""
        here = sum(one.job.where == HERE for one in self._at_work.values())
        away = len(self._at_work) - here
        for job in self._jobs():
            if job.state != "waiting" or job.host != HOST or job.id in self._at_work:
                continue
            if job.where == HERE and not here:
                here += 1
                yield job
            elif job.where != HERE and away < AWAY:
                away += 1
                yield job

    def _jobs(self) -> tuple[Job, ...]:
        try:
            return self._store.all()
        except FileError as error:  # a network disk that is gone for a moment
            log.error("%s", error)
            return ()

    def _do(self, job: Job) -> Do:
        return self._here if job.where == HERE else _there(job.where)


class _Work(threading.Thread):
    """Follows one job, and tells the queue about it."""

    def __init__(self, job: Job, folder: Path, do: Do, news: threading.Event) -> None:
        super().__init__(name=job.title, daemon=True)
        now = time.time()
        self.job = replace(job, state="running", started=now, ended=0.0, agent=lock.me())
        if job.where != HERE:
            self.job = replace(self.job, text="waits for a worker")
        self._store, self._do, self._news = Store(folder), do, news
        self._due = self._breath = 0.0

    def run(self) -> None:
        """Do the job, whatever comes of it."""
        try:
            self._tell()
            report = self._report()
            self.job = replace(
                self.job,
                state=report.state,
                text=summary(report),
                message=report.message,
                warnings=report.warnings,
            )
        except PtychoError as error:
            self.job = replace(self.job, state="failed", message=str(error))
        except Exception as error:  # noqa: BLE001 - the others in the queue are to go on
            log.error("%s\n%s", self.job.title, traceback.format_exc())
            sentence = f"unexpected: {type(error).__name__}: {error}"
            self.job = replace(self.job, state="failed", message=sentence)
        self.job = replace(self.job, ended=time.time())
        self._tell()
        self._news.set()

    def _report(self) -> Report:
        """Follow the task to its end."""
        for event in self._do(self.job.task, self._should_stop, self._on_started):
            if event.report is not None:
                return event.report
            if event.progress is not None:
                told = event.progress
                self.job = replace(self.job, done=told.done, total=told.total, text=told.text)
                if time.monotonic() >= self._due:
                    self._tell()
        raise FileError("it ended without a report; see the log of the agent")

    def _on_started(self, pid: int) -> None:
        self.job = replace(self.job, agent={**self.job.agent, "worker": pid})
        self._tell()

    def _should_stop(self) -> bool:
        """Whether somebody asked for it, or for nothing any more."""
        now = time.monotonic()
        if now >= self._breath:
            self._breath = now + BREATH_S
            self._store.breathe(self.job)
        return not self._store.wants(self.job)

    def _tell(self) -> None:
        self._due = time.monotonic() + TELL_S
        try:
            self._store.tell(self.job)
        except FileError as error:
            log.error("%s: %s", self.job.title, error)


def _there(address: str) -> Do:
    """Return what does a task on a scheduler."""

    def do(task: Task, stop: Stop, _: Started) -> Iterator[Event]:
        from napari_ptycho.cluster import run_there

        return iter(run_there([task], address, stop, say=log.warning))

    return do


def summary(report: Report) -> str:
    """Return what came out, in a line."""
    parts = [f"{report.epochs} epochs"] if report.epochs else []
    if report.error is not None:
        parts.append(f"error {report.error:.4g}")
    if resolution(report):
        parts.append(resolution(report))
    if report.warnings:
        count = len(report.warnings)
        parts.append(f"{count} warning{'s' * (count > 1)}")
    return " · ".join(parts)


def main(folder: Path) -> None:
    """Be the agent of a queue, unless there is one, until there is nothing to do."""
    with lock.held(folder, LEAVING_S) as mine:
        agent = Agent(folder)
        asked = mine
        while asked:
            lock.announce(folder)
            agent.work()
            lock.withdraw(folder)
            asked = agent.is_asked()  # who added it may have seen us at work


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    main(Path(sys.argv[1]))
