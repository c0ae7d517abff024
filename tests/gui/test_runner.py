import gc
import threading
import time
import weakref

import pytest
from napari.utils import progress
from qtpy.QtCore import QObject, QTimer

from napari_ptycho.errors import ScanError
from napari_ptycho.gui import worker
from napari_ptycho.gui.runner import FLOOR_MS, Runner
from napari_ptycho.job import Update


class Held:
    """Something large that a job holds on to."""


def update(done, total=100, result=None):
    return Update(done, total, {"error": (1.0,) * int(done)}, result)


def counting(n, pause_s=0.0, closed=None):
    try:
        for i in range(1, n + 1):
            yield update(i, n, i)
            time.sleep(pause_s)
    finally:
        if closed is not None:
            closed.append(threading.current_thread().name)


@pytest.fixture
def runner(qtbot):
    parent = QObject()
    runner = Runner(parent)
    runner.seen, runner.ends = [], []
    runner.updated.connect(runner.seen.append)
    runner.finished.connect(lambda *end: runner.ends.append(end))
    yield runner
    runner.stop()
    assert runner.wait(10)


def run(qtbot, runner, make_job, total=100):
    with qtbot.waitSignal(runner.finished, timeout=60_000):
        assert runner.start(make_job, "test", total)


def test_the_last_update_arrives_and_finished_is_last_and_once(qtbot, runner):
    run(qtbot, runner, lambda: counting(5))
    assert runner.seen[-1].result == 5
    assert [outcome for outcome, _ in runner.ends] == ["done"]
    assert runner.ends[0][1] is runner.last is runner.seen[-1]
    assert not runner.running


def test_a_torch_runtime_error_reaches_the_user_once(qtbot, runner, notifications, caplog):
    def job():
        import torch

        yield update(1)
        torch.ones(2) @ torch.ones(3)

    run(qtbot, runner, job)
    assert [outcome for outcome, _ in runner.ends] == ["failed"]
    assert isinstance(runner.ends[0][1], RuntimeError)
    assert len(notifications()) == 1
    assert notifications()[0].startswith("unexpected: RuntimeError: ")
    assert "Traceback" in caplog.text
    assert runner.last.done == 1, "what was reached is kept"


def test_our_own_errors_are_shown_as_they_are(qtbot, runner, notifications):
    def job():
        raise ScanError("star: 3 patterns but 4 positions; need as many")
        yield

    run(qtbot, runner, job)
    assert notifications() == ["star: 3 patterns but 4 positions; need as many"]


def test_a_job_that_cannot_be_made_fails_the_same_way(qtbot, runner, notifications):
    def make():
        raise ScanError("no")

    run(qtbot, runner, make)
    assert notifications() == ["no"]
    assert runner.ends[0][0] == "failed"


def test_a_flood_of_updates_does_not_block_the_window(qtbot, runner):
    ticks = []
    timer = QTimer(interval=10)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start()
    began = time.perf_counter()
    run(qtbot, runner, lambda: counting(20_000))
    took = time.perf_counter() - began
    timer.stop()
    assert runner.last.result == 20_000
    assert len(runner.seen) <= 3 + took / (FLOOR_MS / 1e3)
    assert len(ticks) > 0


def test_the_pause_between_updates_follows_their_cost(qtbot, runner):
    runner.updated.connect(lambda _: time.sleep(0.03))
    run(qtbot, runner, lambda: counting(60, 0.01))
    assert 30 / 0.04 <= runner.interval_ms <= 5000
    assert len(runner.seen) <= 3


def test_stop_ends_soon_keeps_the_state_and_closes_the_generator_in_its_thread(qtbot, runner):
    closed = []
    runner.start(lambda: counting(100_000, 0.001, closed), "endless", 100_000)
    qtbot.waitUntil(lambda: bool(runner.seen), timeout=60_000)
    began = time.perf_counter()
    with qtbot.waitSignal(runner.finished):
        runner.stop()
    assert time.perf_counter() - began < 0.5
    assert closed == ["ptycho: endless"]
    assert runner.ends == [("stopped", runner.last)]
    assert runner.last.result >= runner.seen[0].result


def test_starting_twice_is_refused_politely(qtbot, runner, notifications):
    runner.start(lambda: counting(1000, 0.01), "first", 1000)
    assert runner.start(lambda: counting(1), "second", 1) is False
    assert notifications() == ["first is still running: stop it first, or wait for it."]
    with qtbot.waitSignal(runner.finished):
        runner.stop()
    assert len(runner.ends) == 1


def test_a_runner_can_be_used_again(qtbot, runner):
    for n in (3, 4):
        run(qtbot, runner, lambda n=n: counting(n))
    assert [last.result for _, last in runner.ends] == [3, 4]


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_of_the_job_is_kept(qtbot, runner, fails):
    kept = []

    def job(held):
        kept.append(weakref.ref(held))
        local = Held()
        kept.append(weakref.ref(local))
        yield update(1)
        if fails:
            raise RuntimeError("CUDA out of memory")

    argument = Held()
    run(qtbot, runner, lambda held=argument: job(held))
    del argument
    qtbot.waitUntil(lambda: gc.collect() is not None and not any(ref() for ref in kept[1:]))
    qtbot.waitUntil(lambda: gc.collect() is not None and not kept[0]())
    assert runner.last.done == 1


@pytest.mark.parametrize("drop_python_side", [False, True])
def test_a_deleted_runner_ends_its_thread_quietly(qtbot, notifications, drop_python_side):
    parent, closed = QObject(), []
    runner = Runner(parent)
    runner.start(lambda: counting(100_000, 0.001, closed), "orphan", 100_000)
    if drop_python_side:
        del runner
    parent.deleteLater()
    del parent
    qtbot.waitUntil(lambda: closed == ["ptycho: orphan"], timeout=60_000)
    assert notifications() == []
    assert not progress._all_instances


def test_torch_is_warm_before_the_job_is_made_and_not_in_the_window_thread(
    qtbot, runner, monkeypatch
):
    from napari_ptycho import device

    order = []
    warm_up = device.warm_up
    monkeypatch.setattr(
        device, "warm_up", lambda: (order.append(threading.current_thread().name), warm_up())
    )

    def make():
        order.append("made")
        return counting(1)

    run(qtbot, runner, make)
    assert order == ["ptycho: test", "made"]


def test_torch_threads_are_the_windows_for_the_length_of_the_job_and_put_back(
    qtbot, runner, monkeypatch
):
    import torch

    from napari_ptycho import device

    monkeypatch.setattr(device, "window_threads", lambda: before + 3)
    before, during = torch.get_num_threads(), []

    def job():
        during.append(torch.get_num_threads())
        yield update(1)
        raise ScanError("even if it fails")

    run(qtbot, runner, job)
    assert during == [before + 3]
    assert torch.get_num_threads() == before


def test_overlapping_jobs_put_the_threads_back_when_the_last_one_ends(monkeypatch):
    import torch

    from napari_ptycho import device

    before = torch.get_num_threads()
    first, second = device.threads(before + 1), device.threads(before + 2)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert torch.get_num_threads() == before + 2
    second.__exit__(None, None, None)
    assert torch.get_num_threads() == before


def test_a_plain_function_runs_in_the_thread_and_its_value_comes_back(qtbot, runner):
    with qtbot.waitSignal(runner.finished):
        runner.call(lambda: threading.current_thread().name, "load")
    assert runner.ends == [("done", "ptycho: load")]


def test_a_plain_function_that_fails_is_reported_once(qtbot, runner, notifications):
    def load():
        raise OSError("disk gone")

    with qtbot.waitSignal(runner.finished):
        runner.call(load, "load")
    assert notifications() == [f"unexpected: OSError: disk gone ({worker.REPORT})"]
    assert runner.ends[0][0] == "failed"


def test_a_bar_shows_in_the_activity_dock_while_the_job_runs(qtbot, runner):
    runner.start(lambda: counting(100_000, 0.001), "a long one", 100_000)
    assert not progress._all_instances  # what is over at once is not announced
    qtbot.waitUntil(lambda: bool(progress._all_instances), timeout=60_000)
    assert [bar.desc for bar in progress._all_instances] == ["a long one"]
    qtbot.waitUntil(lambda: next(iter(progress._all_instances)).n > 0, timeout=60_000)
    with qtbot.waitSignal(runner.finished):
        runner.stop()
    assert not progress._all_instances


def test_the_program_exits_in_the_middle_of_a_job():
    import subprocess
    import sys

    code = (
        "import time\n"
        "from napari_ptycho.gui.worker import Task, iterate, launch\n"
        "from threading import Event\n"
        "from napari_ptycho.job import Update\n"
        "def job():\n"
        "    try:\n"
        "        while True:\n"
        "            yield Update(0, 1, {}, None)\n"
        "    finally:\n"
        "        print('closed', flush=True)\n"
        "task = Task('t', 1, Event())\n"
        "launch(task, iterate(job))\n"
        "while task.last is None: time.sleep(0.01)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "closed\n")
