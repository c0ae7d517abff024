"""Tasks on their way: given to a scheduler, followed until each has exactly one report."""

import queue
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from distributed import Event as Flag
from distributed import Future, KilledWorker

from napari_ptycho.cluster import LOCAL, Do
from napari_ptycho.cluster.schedulers import GPU, SCAN, Cluster
from napari_ptycho.cluster.work import TOPIC, Order, perform, versions
from napari_ptycho.recipes.report import Report, State
from napari_ptycho.recipes.tasks import Event, Progress, Stop, Task

WAIT_S, GATHER_S, LONELY_S = 0.25, 10.0, 600.0
AGAIN = "the same command again goes on from its last checkpoint"


@dataclass(eq=False)
class _Sent:
    """A task that the scheduler has."""

    task: Task
    key: str
    future: Future[Any]
    sendings: int
    """How often it was given to the scheduler."""
    starts: int = 0
    """How often a worker has begun it."""
    worker: str = ""
    """Address of the last worker that has."""


class Following:
    """The tasks of one run, and what has been heard of them."""

    def __init__(self, cluster: Cluster, retries: int, say: Callable[[str], None], do: Do) -> None:
        """Listen to the workers of a cluster."""
        self.cluster, self.retries, self.say, self.do = cluster, retries, say, do
        self.client = cluster.client
        self.run = f"{TOPIC}-{uuid.uuid4().hex}"
        self.flag = Flag(self.run, client=self.client)
        self.stopping = False
        self.needed: dict[str, float] = {}
        self._sent: dict[str, _Sent] = {}
        self._news: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._greeted: set[str] = set()
        self._peopled = time.monotonic()
        self.client.subscribe_topic(TOPIC, self._hear)

    def _hear(self, event: tuple[float, Any]) -> None:
        message = event[1]
        if message["run"] == self.run:
            self._news.put((message["key"], message))

    def events(self, tasks: Sequence[Task], stop: Stop) -> Iterator[Event]:
        """Send tasks and yield what is heard of them, until each has a report."""
        self.needed = self._needed(tasks)
        for task in tasks:
            self._send(task)
        while self._sent:
            if not self.stopping and stop():
                yield from self._stop()
            try:
                key, news = self._news.get(timeout=WAIT_S)
            except queue.Empty:
                yield from self._alone()
                continue
            sent = self._sent.get(key)
            if sent is None:
                continue  # it has its report: this comes from a worker that was taken for lost
            event = self._ended(sent) if news is None else self._told(sent, news)
            if event is not None:
                if event.report is not None:
                    self._forget(sent)
                yield event

    def close(self) -> None:
        """Stop what still runs, and listen no more."""
        self.client.unsubscribe_topic(TOPIC)
        for sent in list(self._sent.values()):
            self._forget(sent)
        if self.client.status == "running":
            with suppress(OSError):  # the scheduler is gone after all
                self.flag.clear()

    def _needed(self, tasks: Sequence[Task]) -> dict[str, float]:
        """Return the resources that every task asks for: what the workers offer."""
        workers = self.client.scheduler_info()["workers"].values()
        if not workers:
            self.say(f"{self.cluster.address}: no worker is there yet; waiting for one")
        offered = {name for worker in workers for name, n in worker["resources"].items() if n >= 1}
        if GPU in offered and all(task.device != "cpu" for task in tasks):
            return {GPU: 1}
        if SCAN in offered:
            return {SCAN: 1}
        if any(worker["nthreads"] > 1 for worker in workers):
            self.say(
                f"{self.cluster.address}: has workers with several threads; each computes one scan "
                f"at a time while others wait for it: start them with --resources {SCAN}=1"
            )
        return {}

    def _send(self, task: Task, sendings: int = 1, starts: int = 0) -> None:
        key = f"{self.run}-{uuid.uuid4().hex}"
        limited = task
        if task.memory_bytes is None:
            limited = replace(task, memory_bytes=self.cluster.memory_bytes)
        order = Order(limited, self.run, key, self.cluster.threads)
        future = self.client.submit(perform, order, self.do, key=key, resources=self.needed)
        self._sent[key] = _Sent(task, key, future, sendings, starts)
        self._await(self._sent[key])

    def _await(self, sent: _Sent) -> None:
        sent.future.add_done_callback(lambda _: self._news.put((sent.key, None)))

    def _forget(self, sent: _Sent) -> None:
        """Let the scheduler drop a task; a worker that still does it stops."""
        del self._sent[sent.key]
        if not sent.future.done():
            sent.future.cancel()

    def _stop(self) -> Iterator[Event]:
        """Ask the tasks under way to stop, and end those that have not begun."""
        self.stopping = True
        self.flag.set()
        for sent in list(self._sent.values()):
            if not sent.starts and not sent.future.done():
                self._forget(sent)
                yield self._end(sent, "stopped", "stopped before it began")

    def _alone(self) -> Iterator[Event]:
        """End what no worker will do: all is to stop, or the local workers have died for good."""
        local = self.cluster.address == LOCAL
        if not (self.stopping or local) or self.client.status != "running":
            return
        there, now = self.client.nthreads(), time.monotonic()
        if there:
            self._peopled = now
        if not self.stopping and now - self._peopled < LONELY_S:
            return
        for sent in list(self._sent.values()):
            if sent.worker not in there and not sent.future.done():
                self._forget(sent)
                if self.stopping:
                    yield self._end(sent, "stopped", f"stopped after its worker was lost; {AGAIN}")
                else:
                    yield self._failed(sent, f"all workers on this computer have died; {AGAIN}")

    def _told(self, sent: _Sent, message: dict[str, Any]) -> Event | None:
        """Return what a worker said of a task."""
        if "progress" in message:
            if message["worker"] != sent.worker:
                return None  # from one that was taken for lost
            return Event(sent.task, Progress(*message["progress"]))
        sent.starts, sent.worker = sent.starts + 1, message["worker"]
        self._greet(message)
        if sent.starts > self.retries + 1:
            return self._lost(sent)
        if sent.starts > 1:
            self.say(f"{sent.task.scan}: its worker was lost; it goes on on {message['host']}")
        return None

    def _greet(self, message: dict[str, Any]) -> None:
        """Say once what a worker has in other versions than this computer."""
        here, there = versions(), message["versions"]
        differing = [name for name in here if here[name] != there.get(name)]
        if differing and message["worker"] not in self._greeted:
            self._greeted.add(message["worker"])
            told = ", ".join(f"{name} {there.get(name)} (here {here[name]})" for name in differing)
            self.say(f"the worker on {message['host']} has {told}: results may differ")

    def _ended(self, sent: _Sent) -> Event | None:
        """Return how a task ended; None if it is not over yet."""
        status = sent.future.status
        if status == "pending":
            self._await(sent)  # its result was lost with its worker, and is computed again
            return None
        if status == "finished":
            try:
                return Event(sent.task, report=sent.future.result(timeout=GATHER_S))
            except TimeoutError:
                self._await(sent)
                return None
        if status != "error":
            return self._failed(sent, f"the scheduler at {self.cluster.address} was lost; {AGAIN}")
        error = sent.future.exception()
        if not isinstance(error, KilledWorker):
            told = f"{type(error).__name__}: {error}"
            return self._failed(sent, f"the worker at {sent.worker} could not do it: {told}")
        if max(sent.sendings, sent.starts) > self.retries:
            return self._lost(sent)
        del self._sent[sent.key]
        self._send(sent.task, sent.sendings + 1, sent.starts)
        return None

    def _lost(self, sent: _Sent) -> Event:
        times = "once" if self.retries == 0 else f"{self.retries + 1} times"
        return self._failed(
            sent,
            f"lost its worker {times}: it was killed, perhaps for taking more memory than it may "
            f"(give less with --memory); {AGAIN}",
        )

    def _failed(self, sent: _Sent, message: str) -> Event:
        return self._end(sent, "failed", message)

    def _end(self, sent: _Sent, state: State, message: str) -> Event:
        return Event(sent.task, report=Report(sent.task.scan, sent.task.output, state, message))
