"""The process that works the queue off: order, stop, crashes of it and of what it runs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from napari_ptycho import jobs, recipes
from napari_ptycho.engines import RpieOptions
from napari_ptycho.io.autosave import beside, read_checkpoint
from napari_ptycho.jobs import lock
from napari_ptycho.jobs.agent import summary
from napari_ptycho.recipes.report import Report
from napari_ptycho.recipes.tasks import Task

from .conftest import wait_for


def test_jobs_run_one_after_the_other_and_one_is_stopped(queue):
    first = queue.add("hold", "first")
    second, third = queue.add("hold", "second"), queue.add("steps=5", "third")
    queue.wait_for(lambda: queue.now(first).done > 3)
    running = queue.now(first)
    assert (running.state, running.total) == ("running", 1000.0)
    assert running.text.startswith("step ")
    assert [job.rank for job in map(queue.now, (second, third))] == [1, 2]
    queue.store.move(third.id, -1)
    assert [job.id for job in queue.store.all()] == [first.id, third.id, second.id]
    queue.store.stop(first.id)
    stopped = queue.wait(first, "stopped")
    assert stopped.ended >= stopped.started > 0
    assert Path(stopped.task.output).read_text() == f"{stopped.text.partition(' ')[0]}"
    done = queue.wait(third, "done")
    assert (done.text, done.message) == ("5 epochs · error 0.0123", "")
    queue.wait(second, "running")
    queue.go(second)
    assert queue.wait(second, "done").started >= done.ended >= done.started >= stopped.ended
    queue.wait_for(lambda: lock.agent_pid(queue.store.folder) is None)
    late = queue.add("steps=1", "late")
    queue.wait(late, "done")


def test_what_ends_its_process_fails_and_the_others_go_on(queue):
    crash, killed = queue.add("crash", "crash"), queue.add("hold", "killed")
    broken, last = queue.add("fail", "broken"), queue.add("steps=3", "last")
    queue.wait_for(lambda: queue.now(killed).done > 3)
    os.kill(queue.now(killed).agent["worker"], signal.SIGKILL)
    assert queue.wait(last, "done").text.startswith("3 epochs")
    found = [queue.now(job) for job in (crash, killed, broken)]
    assert [job.state for job in found] == ["failed"] * 3
    assert "SIGSEGV" in found[0].message
    assert "memory" in found[1].message
    assert found[2].message == "the scan is broken"


def test_a_killed_agent_leaves_an_interrupted_job_that_goes_on(queue):
    job, waiting = queue.add("hold", "long"), queue.add("steps=2", "waiting")
    queue.wait_for(lambda: queue.now(job).done > 5)
    before = queue.now(job)
    worker = psutil.Process(before.agent["worker"])
    os.kill(before.agent["pid"], signal.SIGKILL)
    interrupted = queue.wait(job, "interrupted")
    assert "Again" in interrupted.message
    queue.wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    checkpoint = int(Path(f"{job.task.output}.autosave").read_text())
    assert checkpoint >= before.done
    assert queue.now(waiting).state == "waiting"
    queue.store.again(job.id)
    assert [one.id for one in queue.store.all()] == [waiting.id, job.id]
    assert jobs.wake(queue.store)
    queue.wait(waiting, "done")
    queue.wait_for(lambda: queue.now(job).done > checkpoint)
    queue.go(job)
    queue.wait(job, "done")
    assert int(Path(job.task.output).read_text()) > checkpoint


def test_a_second_agent_leaves_at_once(queue, monkeypatch):
    job = queue.add("hold", "only")
    queue.wait(job, "running")
    pid = lock.agent_pid(queue.store.folder)
    command = [sys.executable, "-c", SECOND, str(queue.store.folder)]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"False\n"
    lock.start(queue.store.folder)
    assert lock.agent_pid(queue.store.folder) == pid
    queue.go(job)
    queue.wait(job, "done")


SECOND = (
    "import sys, pathlib\n"
    "from napari_ptycho.jobs import lock\n"
    "with lock.held(pathlib.Path(sys.argv[1]), 0.3) as mine: print(mine)"
)


def test_a_scheduler_that_is_not_there_is_told(queue, monkeypatch):
    job = queue.add("steps=1", "away", where="tcp://127.0.0.1:9")
    beside = queue.add("steps=1", "here")
    queue.wait(beside, "done")
    assert "127.0.0.1:9" in queue.wait(job, "failed").message


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({}, ""),
        (
            {"epochs": 50, "error": 0.01234, "resolution_m": 31e-9},
            "50 epochs · error 0.01234 · 31 nm",
        ),
        ({"resolution_px": 2.5, "warnings": ("thin", "odd")}, "2.5 px · 2 warnings"),
    ],
)
def test_what_came_out_is_a_line(how, text):
    assert summary(Report("scan", "result", "done", **how)) == text


def test_a_real_reconstruction_goes_on_after_its_agent_was_killed(tmp_path):
    """Nothing pretends here: the checkpoint of the killed run is what the next one begins with."""
    recipe = recipes.Recipe(title="rPIE", stages=(RpieOptions(epochs=15),))
    store = jobs.Store(tmp_path / "jobs")
    output = tmp_path / "star.h5"
    task = Task(recipes.dumps(recipe), "sample:star-64", str(output), device="cpu", autosave_s=0.0)
    job = jobs.submit(task, "star", store=store)
    wait_for(store, lambda: beside(output).exists() and store.get(job.id).done > 1)
    os.kill(lock.agent_pid(store.folder), signal.SIGKILL)
    wait_for(store, lambda: store.get(job.id).state == "interrupted")
    assert not output.exists()
    done = read_checkpoint(beside(output), arrays=False).done
    store.again(job.id)
    assert jobs.wake(store)
    wait_for(store, lambda: store.get(job.id).has_ended)
    report = recipes.read_report(output)
    assert (report.state, report.epochs) == ("done", 15)
    assert report.resumed_from >= done > 0
    assert store.get(job.id).warnings == report.warnings
    assert store.get(job.id).text.startswith("15 epochs · error ")
    assert not beside(output).exists()
    psutil.Process(lock.agent_pid(store.folder)).kill()
    lock._started.pop(store.folder).wait()


def test_a_job_that_comes_while_the_agent_leaves_has_an_agent(queue):
    """The process is still there, but has looked at the queue for the last time."""
    first = queue.add("steps=1", "first")
    queue.wait(first, "done")
    leaving = psutil.Process(lock.agent_pid(queue.store.folder))
    queue.wait_for(lambda: lock.agent_pid(queue.store.folder) is None)
    lock._started[queue.store.folder] = Lingering(leaving.pid)
    late = queue.add("steps=1", "late")
    queue.wait(late, "done")


class Lingering:
    """A process that has said that it leaves, and has not left."""

    def __init__(self, pid):
        self.pid = pid

    def poll(self):
        return None
