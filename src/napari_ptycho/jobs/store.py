"""The queue on the disk: two small JSON files per job, each replaced as a whole.

What is asked for is written by windows and commands (`ID.job.json`, and the order in
`queue.json`), what has become of it by the agent (`ID.state.json`). Nobody waits for anybody, and
a reader sees the old file or the new one.
"""

import os
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import platformdirs

from napari_ptycho.errors import FileError, JobError
from napari_ptycho.io.autosave import alive
from napari_ptycho.io.files import translated
from napari_ptycho.jobs.files import (
    DAMAGED,
    ORDER,
    QUEUE,
    STANDING,
    Files,
    Sign,
    read_json,
    write_json,
)
from napari_ptycho.jobs.job import (
    AGAIN,
    HERE,
    HOST,
    Job,
    check_where,
    order_of,
    standing_of,
)
from napari_ptycho.recipes.tasks import Task

FOLDER = "NAPARI_PTYCHO_JOBS"
"""Environment variable that names another folder."""
SILENT_S = 600.0
"""A job on another computer that has told nothing for so long was interrupted."""
DIED = "its process died; Again goes on from the last autosave"
UNKNOWN = "what became of it cannot be read; Again goes on from the last autosave"


def folder() -> Path:
    """Return where the queue is."""
    named = os.environ.get(FOLDER)
    path = Path(named or Path(platformdirs.user_state_dir("napari-ptycho")) / "jobs")
    return path.expanduser().absolute()


class Store:
    """The queue in one folder. Looking again reads only what has changed.

    An instance belongs to one thread; any number of them, in any number of processes, may work on
    the same folder.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Open a queue.

        Args:
            path: Its folder, made if it is not there; None: `folder()`.

        Raises:
            FileError: It cannot be made.
        """
        self.folder = folder() if path is None else Path(path)
        self.damaged: tuple[str, ...] = ()
        """Sentences about files that could not be understood, from the last look."""
        self._files = Files(self.folder)
        with translated(self.folder, "make"):
            self.folder.mkdir(parents=True, exist_ok=True)

    # -- looking

    def all(self) -> tuple[Job, ...]:
        """Return all jobs: what runs, what waits in its order, what has ended, newest first.

        Raises:
            FileError: The folder cannot be read.
        """
        with translated(self.folder, "look into"):
            self._files.look()
        known = [self._job(name) for name in self._files.found if name.endswith(ORDER)]
        jobs = [job for job in known if job is not None]
        self.damaged = tuple(
            f"{name}: not understood, it is left out" for name in self._files.damaged()
        )
        places = {key: place for place, key in enumerate(self._queue())}
        waiting = sorted(
            (job for job in jobs if job.state == "waiting"),
            key=lambda job: (places.get(_key(job), len(places)), job.queued, job.id),
        )
        running = sorted((job for job in jobs if job.state == "running"), key=lambda j: j.started)
        ended = sorted((job for job in jobs if job.has_ended), key=lambda j: -(j.ended or j.queued))
        ranked = [replace(job, rank=rank) for rank, job in enumerate(waiting, 1)]
        return (*running, *ranked, *ended)

    def get(self, ident: str) -> Job:
        """Return a job.

        Args:
            ident: Its id, or enough of the beginning.

        Raises:
            JobError: There is none, or more than one.
        """
        jobs = self.all()
        found = [job for job in jobs if job.id == ident] or [
            job for job in jobs if ident and job.id.startswith(ident)
        ]
        if len(found) != 1:
            what = "several jobs begin" if found else "no job begins"
            raise JobError(f"{what} with '{ident}'; see the list for their ids")
        return found[0]

    # -- asking

    def add(self, task: Task, title: str, where: str = HERE) -> Job:
        """Put a task at the end of the queue.

        Raises:
            OptionsError: `where` is no address.
            JobError: A job that has not ended writes the same result.
            FileError: It cannot be written.
        """
        now = time.time()
        ident = secrets.token_hex(4)
        while (self.folder / f"{ident}{ORDER}").exists():
            ident = secrets.token_hex(4)
        job = Job(ident, title, task, check_where(where), created=now, queued=now)
        self.check([task.output])
        self._ask(job)
        return job

    def check(self, outputs: Sequence[str]) -> None:
        """Keep two jobs from writing one result at the same time.

        Raises:
            JobError: They would.
        """
        busy = {job.task.output: job for job in self.all() if not job.has_ended}
        for at, output in enumerate(outputs):
            if output in outputs[:at]:
                raise JobError(f"{output}: would be the result of two scans; queue them apart")
            if output in busy:
                job = busy[output]
                raise JobError(
                    f"{job.title} is {job.state} and writes {output} too; "
                    "choose another file, or stop it first"
                )

    def stop(self, ident: str) -> None:
        """Ask a job to end; one that waits has ended at once, one that has ended stays as it is.

        Raises:
            JobError: There is no such job.
        """
        job = self.get(ident)
        if not job.has_ended and not job.stopping:
            self._ask(replace(job, stopping=time.time()))

    def again(self, ident: str) -> None:
        """Put a job that failed, was stopped or interrupted at the end of the queue, from here.

        Raises:
            JobError: There is no such job, it has not ended so, or another one that has not ended
                writes the same result.
        """
        job = self.get(ident)
        if job.state not in AGAIN:
            raise JobError(f"{job.title} is {job.state}; only {', '.join(AGAIN)} jobs run again")
        self.check([job.task.output])
        anew = replace(job, host=HOST, queued=time.time(), run=job.run + 1, stopping=0.0)
        self._ask(anew)

    def move(self, ident: str, by: int) -> None:
        """Move a job that waits; -1 is one place forward. It stops at the ends of the queue.

        Raises:
            JobError: There is no such job, or it does not wait.
        """
        job = self.get(ident)
        waiting = [one for one in self.all() if one.rank]
        if not job.rank:
            raise JobError(f"{job.title} is {job.state}; only jobs that wait can be moved")
        keys = [_key(one) for one in waiting]
        keys.remove(_key(job))
        keys.insert(max(0, min(len(keys), job.rank - 1 + by)), _key(job))
        write_json(self.folder / QUEUE, {"order": keys})

    def remove(self, ident: str) -> None:
        """Take a job that has ended off the list; its result stays.

        Raises:
            JobError: There is no such job, or it has not ended.
        """
        job = self.get(ident)
        if not job.has_ended:
            raise JobError(f"{job.title} is {job.state}; stop it before it is removed")
        with translated(self.folder, "remove a job from"):
            for ending in (ORDER, STANDING):
                (self.folder / f"{job.id}{ending}").unlink(missing_ok=True)

    # -- doing (the agent)

    def tell(self, job: Job) -> None:
        """Write what has become of a job.

        Raises:
            FileError: It cannot be written.
        """
        write_json(self.folder / f"{job.id}{STANDING}", standing_of(job))

    def wants(self, job: Job) -> bool:
        """Whether a job that runs is still asked for."""
        try:
            values = read_json(self.folder / f"{job.id}{ORDER}")
            return values is not None and not values["stopping"] and values["run"] == job.run
        except (FileError, *DAMAGED):
            return True  # nobody said that it is to end

    def breathe(self, job: Job) -> None:
        """Say that a job goes on, though there is nothing to tell."""
        with suppress(OSError):
            os.utime(self.folder / f"{job.id}{STANDING}")

    # -- what is remembered of the last time

    def remembered(self, name: str) -> Mapping[str, Any]:
        """Return what `remember` has kept under a name; empty if there is nothing."""
        with suppress(FileError, *DAMAGED):
            return read_json(self.folder / f"{name}.json") or {}
        return {}

    def remember(self, name: str, values: Mapping[str, Any]) -> None:
        """Keep plain values beside the queue.

        Raises:
            FileError: They cannot be written.
        """
        write_json(self.folder / f"{name}.json", values)

    # -- putting together

    def _ask(self, job: Job) -> None:
        write_json(self.folder / f"{job.id}{ORDER}", order_of(job))

    def _job(self, name: str) -> Job | None:
        """Return the job of an order, with what has become of it."""
        order = self._files.found[name][1]
        if not isinstance(order, Job):
            return None
        sign, told = self._files.found.get(f"{order.id}{STANDING}", ((0, 0, 0), {}))
        if told is None and sign[0] / 1e9 < order.queued:
            told = {}  # damaged, but of an earlier run
        if told is None:
            return replace(order, state="interrupted", message=UNKNOWN)
        if told.get("run") != order.run:
            if order.stopping:
                return replace(order, state="stopped", ended=order.stopping)
            return order
        job = replace(order, **told)
        if job.state == "running" and not _goes_on(job, sign):
            return replace(job, state="interrupted", message=DIED, ended=sign[0] / 1e9)
        return job

    def _queue(self) -> Sequence[str]:
        found: Sequence[str] = self._files.found.get(QUEUE, (None, None))[1] or ()
        return found


def _key(job: Job) -> str:
    """Name a job in the queue; asked for again, it is another one."""
    return f"{job.id}.{job.run}"


def _goes_on(job: Job, sign: Sign) -> bool:
    """Whether the agent of a running job lives."""
    if job.agent.get("host") != HOST:
        return time.time() - sign[0] / 1e9 < SILENT_S
    return alive(job.agent)
