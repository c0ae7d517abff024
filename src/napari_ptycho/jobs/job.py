"""A job: a task in the queue, and what has become of it."""

import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from napari_ptycho.cluster import PROTOCOLS
from napari_ptycho.errors import OptionsError
from napari_ptycho.recipes.tasks import Task

HERE = "this computer"
HOST = platform.node()
State = Literal["waiting", "running", "done", "failed", "stopped", "interrupted"]
STATES: tuple[State, ...] = get_args(State)
ENDED: tuple[State, ...] = ("done", "failed", "stopped", "interrupted")
AGAIN: tuple[State, ...] = ("failed", "stopped", "interrupted")
"""What can be asked for once more."""


@dataclass(frozen=True)
class Job:
    """A task in the queue.

    The fields up to `stopping` are written by who asks for it (a window, a command), the others by
    the agent that does it: no file has two kinds of writers.
    """

    id: str
    """The name of its files in the queue."""
    title: str
    """What people read: the scan, and what is done to it."""
    task: Task
    """What is to be done."""
    where: str = HERE
    """`HERE`, or the address of a scheduler."""
    host: str = HOST
    """The computer whose agent does it, or hands it to the scheduler."""
    created: float = 0.0
    """When it was asked for, the first time."""
    queued: float = 0.0
    """When it was asked for, the last time; like all times in seconds since 1970."""
    run: int = 1
    """How often it was asked for."""
    stopping: float = 0.0
    """When it was asked to stop; 0: not at all."""
    state: State = "waiting"
    """What has become of it."""
    done: float = 0.0
    """Steps that are done of the part under way."""
    total: float = 0.0
    """In the steps of the part under way, see `Progress`."""
    text: str = ""
    """What it is doing, or what came out."""
    message: str = ""
    """Why it failed, or where it stopped."""
    warnings: tuple[str, ...] = ()
    """What is odd about the result."""
    started: float = 0.0
    """When it began; 0: not yet."""
    ended: float = 0.0
    """When it ended; 0: not yet."""
    agent: Mapping[str, Any] = field(default_factory=dict)
    """Of the process that does it: "host", "pid", "created"; its child's "worker" pid."""
    rank: int = 0
    """Place in the queue, from 1; 0 if it does not wait."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.state in ENDED

    @property
    def fraction(self) -> float:
        """How much of the part under way is done, 0 to 1."""
        whole = math.isfinite(self.done) and math.isfinite(self.total) and self.total > 0
        return min(1.0, max(0.0, self.done / self.total)) if whole else 0.0

    def seconds(self, now: float) -> float:
        """Return how long it has worked by now; 0 if it has not begun."""
        return max(0.0, (self.ended or now) - self.started) if self.started else 0.0


def order_of(job: Job) -> dict[str, Any]:
    """Return what was asked for, fit for JSON."""
    kept = ("id", "title", "where", "host", "created", "queued", "run", "stopping")
    return {**{name: getattr(job, name) for name in kept}, "task": asdict(job.task)}


def standing_of(job: Job) -> dict[str, Any]:
    """Return what has become of it, fit for JSON."""
    kept = ("run", "state", "done", "total", "text", "message", "warnings", "started", "ended")
    return {**{name: getattr(job, name) for name in kept}, "agent": dict(job.agent)}


def from_order(values: Mapping[str, Any]) -> Job:
    """Return the job that was asked for.

    Raises:
        ValueError, TypeError, KeyError: It is none.
    """
    return Job(
        id=str(values["id"]),
        title=str(values["title"]),
        task=Task(**values["task"]),
        where=str(values["where"]),
        host=str(values["host"]),
        created=float(values["created"]),
        queued=float(values["queued"]),
        run=int(values["run"]),
        stopping=float(values["stopping"]),
    )


def standing(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has become of a job, as fields of `Job`.

    Raises:
        ValueError, TypeError, KeyError: It says nothing of the kind.
    """
    numbers = {name: float(values[name]) for name in ("done", "total", "started", "ended")}
    texts = {name: str(values[name]) for name in ("text", "message")}
    warnings = tuple(str(one) for one in values["warnings"])
    state: State = STATES[STATES.index(values["state"])]
    agent = dict(values["agent"])
    more = {"state": state, "warnings": warnings, "agent": agent, "run": int(values["run"])}
    return {**numbers, **texts, **more}


def check_where(where: str) -> str:
    """Return the address of a scheduler, or `HERE`.

    Raises:
        OptionsError: It is neither.
    """
    where = where.strip()
    if where != HERE and not (where.startswith(PROTOCOLS) and where.partition("://")[2]):
        raise OptionsError(
            f"'{where}' is no address of a scheduler; give one like tcp://host:8786, or '{HERE}'"
        )
    return where
