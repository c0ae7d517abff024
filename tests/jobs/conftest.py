"""A queue of its own for each test, worked off by a real agent with tasks that pretend."""

import sys
import time
from pathlib import Path

import psutil
import pytest

from napari_ptycho import jobs
from napari_ptycho.jobs import lock
from napari_ptycho.recipes.tasks import Task

PATIENCE_S = 240.0


def wait_for(store, condition, about=lambda: ""):
    """Wait for something, and say what the agent said if it does not come."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, (about(), lock.log_file(store.folder).read_text())
        time.sleep(0.02)


class Queue:
    """A queue, as a window uses it."""

    def __init__(self, folder):
        self.store = jobs.Store(folder / "jobs")
        self.results = folder / "results"
        self.results.mkdir()

    def task(self, recipe, name):
        return Task(recipe, "sample:none", str(self.results / f"{name}.h5"))

    def add(self, recipe, name, **how):
        """Add a job and wake the agent."""
        return jobs.submit(self.task(recipe, name), name, store=self.store, **how)

    def now(self, job):
        return self.store.get(job.id)

    def wait(self, job, *states):
        self.wait_for(lambda: self.now(job).state in states, lambda: self.now(job))
        return self.now(job)

    def wait_for(self, condition, about=lambda: ""):
        wait_for(self.store, condition, about)

    def go(self, job):
        """Let a job that holds come to its end."""
        Path(job.task.output).with_suffix(".go").touch()


@pytest.fixture
def queue(tmp_path, monkeypatch):
    fake = str(Path(__file__).with_name("fake_agent.py"))
    monkeypatch.setattr(lock, "AGENT", (sys.executable, fake))
    queue = Queue(tmp_path)
    yield queue
    pid = lock.agent_pid(queue.store.folder)
    if pid is not None:
        psutil.Process(pid).kill()
    started = lock._started.pop(queue.store.folder, None)
    if started:
        started.kill()
        started.wait()
