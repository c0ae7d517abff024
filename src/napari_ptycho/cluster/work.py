"""What a worker does: one task at a time, telling how far it is and asking whether to stop."""

import platform
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from distributed import Worker, get_worker
from distributed.utils import sync

from napari_ptycho import __version__
from napari_ptycho.cluster import Do
from napari_ptycho.recipes.recipe import SAMPLE
from napari_ptycho.recipes.report import Report
from napari_ptycho.recipes.tasks import Progress, Task

TOPIC = "napari-ptycho"
TELL_S, ASK_S, ANSWER_S = 0.5, 1.0, 5.0
ALIVE = ("executing", "long-running")
"""States of a Dask task that somebody still waits for."""
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Order:
    """A task on its way to a worker."""

    task: Task
    run: str
    """Of all tasks that are done together: the name of the flag that stops them."""
    key: str
    """Of the Dask task."""
    threads: int | None
    """CPU threads that torch may use; None: as many as the worker was given."""


def perform(order: Order, do: Do) -> Report:
    """Do a task on the worker that this is called on."""
    worker, stop = get_worker(), _asked(order)
    with _one_at_a_time:
        _tell(worker, order, {"versions": versions(), "host": platform.node()})
        stop()  # asks the scheduler: the news is there before the task can end this process
        unseen = _unseen(order.task)
        if unseen:
            return Report(order.task.scan, order.task.output, "failed", unseen)
        from napari_ptycho import device

        with device.threads(order.threads or worker.state.nthreads):
            return do(order.task, _teller(worker, order), stop)


def versions() -> dict[str, str]:
    """Return the versions that results depend on."""
    return {"napari-ptycho": __version__, "torch": metadata.version("torch")}


def _tell(worker: Worker, order: Order, news: Mapping[str, Any]) -> None:
    about = {"run": order.run, "key": order.key, "worker": worker.address}
    worker.log_event(TOPIC, {**about, **news})


def _teller(worker: Worker, order: Order) -> Callable[[Progress], None]:
    last = -TELL_S

    def tell(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= TELL_S:
            last = now
            _tell(worker, order, {"progress": [progress.done, progress.total, progress.text]})

    return tell


def _asked(order: Order) -> Callable[[], bool]:
    """Return what says whether to stop: the flag is up, or nobody waits for the task any more."""
    worker = get_worker()
    last, found = -ASK_S, False

    def stop() -> bool:
        nonlocal last, found
        mine = worker.state.tasks.get(order.key)
        if mine is None or mine.state not in ALIVE:
            return True
        now = time.monotonic()
        if now - last >= ASK_S and not found:
            last = now
            found = _is_up(worker, order.run)
        return found

    return stop


def _is_up(worker: Worker, flag: str) -> bool:
    """Whether a `distributed.Event` is set; asking through one would open a client per worker."""
    ask = worker.scheduler.event_is_set
    try:
        return bool(sync(worker.loop, ask, name=flag, callback_timeout=ANSWER_S))
    except TimeoutError:
        return False  # a busy scheduler: ask again
    except OSError:
        return True  # it is gone, and this worker will be


def _unseen(task: Task) -> str:
    """Return a sentence about a file that this machine does not see; empty if all is there."""
    host = platform.node()
    if not task.scan.startswith(SAMPLE) and not Path(task.scan).exists():
        return (
            f"{task.scan}: the worker on {host} does not see this file; "
            "put scans where all workers find them by the same name"
        )
    folder = Path(task.output).parent
    if not folder.is_dir():
        return (
            f"{folder}: the worker on {host} does not see this folder; "
            "write results where all workers find it by the same name"
        )
    return ""
