"""A real scheduler with two worker processes; what the tasks do is a stand-in with files."""

import itertools
import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from distributed import Client

from napari_ptycho.cluster import following, run_there, schedulers
from napari_ptycho.cluster.schedulers import Cluster
from napari_ptycho.errors import JobError
from napari_ptycho.recipes.report import Report
from napari_ptycho.recipes.tasks import Progress, Task

DEADLINE_S = 120.0


def working(steps, step_s=0.05):
    """Return what counts to `steps` in a file that the next worker goes on from.

    It is pickled by value: workers do not have the tests.
    """

    def do(task, tell, stop):
        import os
        import time
        from pathlib import Path

        log, saved = Path(task.output + ".log"), Path(task.output + ".saved")
        with log.open("a") as file:
            file.write(f"begun {os.getpid()} {time.time()}\n")
        first = done = int(saved.read_text()) if saved.exists() else 0
        while done < steps and not stop():
            time.sleep(step_s)
            done += 1
            saved.write_text(str(done))
            tell(Progress(done, steps, str(os.getpid())))
        with log.open("a") as file:
            file.write(f"ended {os.getpid()} {time.time()}\n")
        state = "done" if done == steps else "stopped"
        return Report(task.scan, task.output, state, epochs=done, resumed_from=first)

    return do


def begun(task):
    log = Path(task.output + ".log")
    return log.read_text().count("begun") if log.exists() else 0


def never():
    return False


def until(condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_every_scan_ends_right_and_once_although_a_worker_is_killed(two_workers, tasks):
    killed, reports, said = None, [], []
    for event in run_there(tasks, two_workers, never, say=said.append, do=working(20)):
        if event.report is not None:
            reports.append(event)
            continue
        if killed is None and event.progress.done > 3:
            killed = event.task
            os.kill(int(event.progress.text), signal.SIGKILL)
    assert sorted(event.task.output for event in reports) == [task.output for task in tasks]
    assert all(event.report.state == "done" and event.report.epochs == 20 for event in reports)
    assert [begun(task) for task in tasks] == [1 + (task == killed) for task in tasks]
    [again] = [event.report for event in reports if event.task == killed]
    assert again.resumed_from > 3
    assert [sentence.partition(";")[0] for sentence in said] == [
        f"{killed.scan}: its worker was lost"
    ]


def test_a_scan_that_kills_its_workers_fails_and_takes_no_other_with_it(own_cluster, tasks):
    work = working(20)  # a nanny does not restart a worker that dies while it starts

    def do(task, tell, stop):
        if task.scan.endswith("0.h5"):
            work(task, tell, stop)
            os.kill(os.getpid(), signal.SIGKILL)
        return work(task, tell, stop)

    events = list(run_there(tasks[:4], own_cluster.scheduler_address, never, retries=1, do=do))
    ends = {event.task.output: event.report for event in events if event.report is not None}
    assert len(ends) == sum(event.report is not None for event in events) == 4
    states = [ends[task.output].state for task in tasks[:4]]
    assert states == ["failed", *["done"] * 3], [end.message for end in ends.values()]
    assert "lost its worker 2 times" in ends[tasks[0].output].message
    assert 2 <= begun(tasks[0]) <= 4  # the news of a start may come late


def test_a_worker_taken_for_lost_that_still_works_is_not_heard(own_cluster, tasks):
    own_scheduler = own_cluster.scheduler_address
    lost, reports = None, []
    for event in run_there(tasks[:3], own_scheduler, never, do=working(20)):
        if event.report is not None:
            reports.append(event)
        elif lost is None and event.progress.done > 3:
            lost = int(event.progress.text)
            _forget_worker(own_scheduler, lost)
    assert sorted(event.task.output for event in reports) == [task.output for task in tasks[:3]]
    assert all(event.report.state == "done" for event in reports)
    assert sum(begun(task) for task in tasks[:3]) > 3


def _forget_worker(address, pid):
    async def forget(worker, dask_scheduler):
        await dask_scheduler.remove_worker(worker, stimulus_id="test", close=False)

    with Client(address, set_as_default=False) as client:
        [worker] = [where for where, found in client.run(os.getpid).items() if found == pid]
        client.run_on_scheduler(forget, worker)


def test_one_scan_at_a_time_for_each_worker(two_workers, tasks):
    assert all(event for event in run_there(tasks, two_workers, never, do=working(4)))
    spans = {}
    for task in tasks:
        words = Path(task.output + ".log").read_text().split()
        spans.setdefault(words[1], []).append((float(words[2]), float(words[5])))
    assert len(spans) == 2
    for alone in spans.values():
        alone.sort()
        assert all(end <= after for (_, end), (after, _) in itertools.pairwise(alone))


def test_a_scheduler_that_dies_is_told(own_worker, tasks):
    reports = []
    for event in run_there(tasks, own_worker.scheduler_address, never, do=working(100_000)):
        if event.report is None:
            own_worker.close()
        else:
            reports.append(event.report)
    assert sorted(report.output for report in reports) == [task.output for task in tasks]
    assert {report.state for report in reports} == {"failed"}
    assert all("was lost; the same command again" in report.message for report in reports)


def test_a_stop_ends_what_runs_and_what_waits(two_workers, tasks):
    running = set()
    reports = {}
    for event in run_there(tasks, two_workers, lambda: len(running) == 2, do=working(100_000)):
        if event.report is None:
            running.add(event.task.output)
        else:
            assert event.task.output not in reports
            reports[event.task.output] = event.report
    assert len(reports) == len(tasks)
    assert {report.state for report in reports.values()} == {"stopped"}
    for output, report in reports.items():
        assert (report.epochs > 0) == (output in running)
        assert ("before it began" in report.message) == (output not in running)


def test_a_stop_does_not_wait_for_workers_that_are_gone(own_worker, tasks):
    gone, states = [], []
    address = own_worker.scheduler_address
    for event in run_there(tasks, address, lambda: bool(gone), do=working(100_000)):
        if event.report is not None:
            states.append(event.report.state)
        elif not gone:
            own_worker.scale(0)
            gone.append(event)
    assert states == ["stopped"] * len(tasks)


def test_local_workers_that_died_for_good_are_not_waited_for(tasks, monkeypatch):
    monkeypatch.setattr(following, "LONELY_S", 0.0)
    client = SimpleNamespace(
        nthreads=dict,
        status="running",
        subscribe_topic=lambda *_: None,
        submit=lambda *_, **__: Never(),
    )
    run = following.Following(Cluster(client, "local"), 2, print, None)
    run._send(tasks[0])
    [event] = run._alone()
    assert event.report.state == "failed"
    assert "all workers on this computer have died" in event.report.message
    assert list(run._alone()) == []


class Never:
    """A future that never ends."""

    def add_done_callback(self, _):
        pass

    def done(self):
        return False

    def cancel(self):
        pass


def test_closing_the_iterator_stops_what_runs(two_workers, tasks):
    events = run_there(tasks, two_workers, never, do=working(100_000))
    task = next(events).task
    events.close()
    until(lambda: "ended" in Path(task.output + ".log").read_text())
    assert sum(begun(task) for task in tasks) <= 4


def test_what_raises_is_a_failed_report_and_is_not_tried_again(two_workers, tasks):
    work = working(1)

    def do(task, tell, stop):
        work(task, tell, stop)
        raise ArithmeticError("no such number")

    events = run_there(tasks[:1], two_workers, never, do=do)
    [report] = [event.report for event in events if event.report is not None]
    assert report.state == "failed"
    assert "ArithmeticError: no such number" in report.message
    assert begun(tasks[0]) == 1


def test_files_that_a_worker_does_not_see(two_workers, tasks, tmp_path):
    Path(tasks[0].scan).unlink()
    gone = [tasks[0], type(tasks[1])("", tasks[1].scan, str(tmp_path / "absent" / "1.out"))]
    events = list(run_there(gone, two_workers, never, do=working(1)))
    messages = {event.task.scan: event.report.message for event in events}
    assert {event.report.state for event in events} == {"failed"}
    assert "does not see this file" in messages[gone[0].scan]
    assert "does not see this folder" in messages[gone[1].scan]


def test_workers_with_other_versions_are_told(two_workers, tasks, monkeypatch):
    monkeypatch.setattr(following, "versions", lambda: {"torch": "0.1"})
    said = []
    events = run_there(tasks[:4], two_workers, never, say=said.append, do=working(1))
    assert sum(event.report is not None for event in events) == 4
    assert 1 <= len(said) <= 2
    assert "(here 0.1): results may differ" in said[0]


@pytest.mark.parametrize(
    ("scheduler", "sentence"),
    [
        ("tcp://127.0.0.1:9", "tcp://127.0.0.1:9: no Dask scheduler answers"),
        ("tls://127.0.0.1:9", "tls://127.0.0.1:9: no Dask scheduler answers"),
        ("elsewhere", "'elsewhere' is neither 'local' nor an address"),
    ],
)
def test_no_scheduler(tasks, scheduler, sentence, monkeypatch):
    monkeypatch.setattr("napari_ptycho.cluster.schedulers.CONNECT_S", 0.5)
    with pytest.raises(JobError, match=sentence):
        list(run_there(tasks, scheduler, never))


def test_the_number_of_workers_is_that_of_the_scheduler(tasks, scheduler):
    with pytest.raises(JobError, match="has its own workers"):
        list(run_there(tasks, scheduler, never, workers=3))


def test_nothing_to_do_starts_nothing():
    assert list(run_there([], "tcp://127.0.0.1:9", never)) == []


def test_a_scheduler_that_does_not_answer_leaves_no_thread(monkeypatch):
    monkeypatch.setattr(schedulers, "CONNECT_S", 1.0)
    before = set(threading.enumerate())
    with pytest.raises(JobError, match="no Dask scheduler answers"):
        list(run_there([Task("", "a.h5", "b.h5")], "tcp://127.0.0.1:9", never))
    until(lambda: not any(one.name == "IO loop" for one in set(threading.enumerate()) - before))


def test_local_workers_leave_no_process_and_no_word(tasks, capfd):
    def processes():
        return {process.pid for process in psutil.Process().children(recursive=True)}

    before = processes()
    states = [
        event.report.state
        for event in run_there(tasks[:3], "local", never, workers=2, do=working(3))
        if event.report is not None
    ]
    assert states == ["done"] * 3
    until(lambda: processes() <= before)
    assert capfd.readouterr() == ("", "")
