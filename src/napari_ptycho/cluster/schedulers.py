"""The scheduler: one that runs somewhere, or one that is started for a while on this computer."""

import logging
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import dask
from distributed import Client, LocalCluster, Worker
from distributed.utils import silence_logging_cmgr

from napari_ptycho import device
from napari_ptycho.cluster import LOCAL, PROTOCOLS
from napari_ptycho.errors import JobError
from napari_ptycho.recipes.tasks import Task

CONNECT_S, START_S = 8.0, 300.0
GPU, SCAN = "GPU", "SCAN"
"""Resources of workers: a GPU each, or "one scan at a time"."""
SETTINGS = {
    # A task that has not begun stays with the scheduler: the death of a worker is not its fault.
    "distributed.scheduler.worker-saturation": 1.0,
    # A busy computer needs its time to start a worker again; Dask would give it up after 15 s.
    "distributed.deploy.lost-worker-timeout": "5 minutes",
}
LOGS = ("distributed", "tornado", "asyncio")


@dataclass(frozen=True)
class Cluster:
    """A scheduler to give tasks to."""

    client: Client
    address: str
    """As the user knows it."""
    threads: int | None = None
    """CPU threads of each task; None: as many as its worker was given."""
    memory_bytes: int | None = None
    """Most that each task may take unless it says so itself; None: what is free."""


@contextmanager
def connected(scheduler: str, tasks: Sequence[Task], workers: int | None) -> Iterator[Cluster]:
    """Give the scheduler for the length of the block; a local one ends with it.

    Raises:
        JobError: No scheduler answers, or the local one cannot start.
    """
    with ExitStack() as stack:
        for name in LOGS:
            stack.enter_context(silence_logging_cmgr(logging.CRITICAL, name))
        if scheduler == LOCAL:
            yield stack.enter_context(_local(tasks, workers))
            return
        if workers is not None:
            raise JobError(f"{scheduler} has its own workers; leave out the number of workers")
        yield Cluster(stack.enter_context(_client(scheduler)), scheduler)


class _Closed(Client):
    """A client that is closed if it does not come to be.

    Else it is when it is collected as garbage: perhaps in the middle of Dask's starting another
    one, which then waits for its own lock for ever.
    """

    def __init__(self, address: str) -> None:
        try:
            super().__init__(  # type: ignore[no-untyped-call]
                address, timeout=CONNECT_S, set_as_default=False
            )
        except BaseException:
            self.status = "closed"
            self._loop_runner.stop()
            raise


def _client(address: str) -> Client:
    if not address.startswith(PROTOCOLS):
        raise JobError(
            f"scheduler '{address}' is neither '{LOCAL}' nor an address like tcp://host:8786"
        )
    try:
        return _Closed(address)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise JobError(
            f"{address}: no Dask scheduler answers ({reason}); "
            f"start one with 'dask scheduler', or use '{LOCAL}'"
        ) from error


@contextmanager
def _local(tasks: Sequence[Task], workers: int | None) -> Iterator[Cluster]:
    """Start processes on this computer, and end them."""
    gpus = _gpus(tasks)
    cores = os.cpu_count() or 1
    count = workers or min(len(tasks), len(gpus) or _processes(tasks, cores))
    memory = None if gpus else device.free_ram() // count
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        stack.enter_context(dask.config.set(SETTINGS))
        try:
            cluster = stack.enter_context(_cluster(gpus, folder))
            cluster.scale(count)
            client = stack.enter_context(Client(cluster, set_as_default=False))
            client.wait_for_workers(1, timeout=START_S)
        except (OSError, RuntimeError) as error:
            raise JobError(f"cannot start workers on this computer: {error}") from error
        yield Cluster(client, LOCAL, max(1, cores // count), memory)


def _cluster(gpus: Sequence[str], folder: str) -> LocalCluster:
    """Return a local cluster without workers; those it will have see one GPU each."""

    class OneGpuEach(LocalCluster):
        def new_worker_spec(self) -> dict[Any, Any]:
            [(name, spec)] = super().new_worker_spec().items()  # type: ignore[no-untyped-call]
            options = dict(spec["options"])
            if gpus:
                options["env"] = {"CUDA_VISIBLE_DEVICES": gpus[int(name) % len(gpus)]}
                options["resources"] = {GPU: 1}
            return {name: {**spec, "options": options}}

    return OneGpuEach(  # type: ignore[no-untyped-call]
        n_workers=0,
        threads_per_worker=1,
        processes=True,
        memory_limit=0,  # a task keeps to its own; Dask would kill the worker
        silence_logs=logging.CRITICAL,
        local_directory=folder,
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        preload=[__name__],
    )


def dask_setup(worker: Worker) -> None:
    """Leave Ctrl-C to the process that has started this worker (Dask calls this in the worker)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _gpus(tasks: Sequence[Task]) -> list[str]:
    """Return the GPUs of this computer by the names that CUDA_VISIBLE_DEVICES knows."""
    if any(task.device not in ("auto", "cuda") for task in tasks):
        return []
    if device.pick("auto").type != "cuda":
        return []
    count = len(device.each("cuda:all"))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return visible.split(",")[:count] if visible else [str(index) for index in range(count)]


def _processes(tasks: Sequence[Task], cores: int) -> int:
    """Return how many processes share the cores; one if they would share a GPU."""
    if any(task.device not in ("auto", "cpu") for task in tasks):
        return 1
    return max(min(2, cores), cores // 4)
