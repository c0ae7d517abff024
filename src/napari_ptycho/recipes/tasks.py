"""One scan through one recipe: the unit of work of batches, queues and clusters."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from napari_ptycho.io.autosave import EVERY_S
from napari_ptycho.recipes.report import Report


@dataclass(frozen=True)
class Task:
    """What to do; plain values, so that it can be sent to another process or machine."""

    recipe: str
    """TOML, see `recipes.loads`."""
    scan: str
    """The file (absolute), or "sample:KEY"."""
    output: str
    """The file of the result (absolute); its report is `report_path(output)`."""
    device: str = "auto"
    """As in `engines.reconstruct`."""
    memory_bytes: int | None = None
    """Most memory to take on the device; None takes what is free."""
    autosave_s: float = EVERY_S
    """Seconds from checkpoint to checkpoint."""


@dataclass(frozen=True)
class Progress:
    """How far a task is."""

    done: float
    total: float
    """In the steps (epochs, patterns, iterations) of the part under way."""
    text: str
    """What it is doing, for a line: "rPIE, epoch 12 of 50, error 0.0123"."""


@dataclass(frozen=True)
class Event:
    """News of a task: how far it is, or how it ended. The last event of a task has a report."""

    task: Task
    progress: Progress | None = None
    report: Report | None = None


Tell = Callable[[Progress], None]
Stop = Callable[[], bool]


def run_task(task: Task, tell: Tell, stop: Stop) -> Report:
    """Do a task and say how it ended: what goes wrong with one scan is its report.

    It goes on from the checkpoint of an interrupted or stopped run of the same task, writes result,
    pictures and report atomically, and removes the checkpoint when the task is done.

    Args:
        task: What to do.
        tell: Called with how far it is, a few times a second at most.
        stop: Asked as often; once it says True, what was reached is written and the report says
            "stopped".
    """
    for event in run_here((task,), stop):
        if event.progress is not None:
            tell(event.progress)
        if event.report is not None:
            return event.report
    raise AssertionError("a task ends with a report")


def run_here(tasks: Sequence[Task], stop: Stop) -> Iterator[Event]:
    """Do tasks one after the other in this process; `cluster.run_there` does them elsewhere.

    Args:
        tasks: What to do.
        stop: Once it says True, the task under way ends as in `run_task`, and those after it do
            not begin: they are reported as "stopped".

    Yields:
        Events; each task has exactly one with a report.
    """
    for task in tasks:
        if stop():
            report = Report(task.scan, task.output, "stopped", "stopped before it began")
        else:
            report = yield from _under_way(task, stop)
        yield Event(task, report=report)


def _under_way(task: Task, stop: Stop) -> Generator[Event, None, Report]:
    from napari_ptycho.recipes.running import run

    steps = run(task, stop)
    while True:
        try:
            yield Event(task, next(steps))
        except StopIteration as end:
            report: Report = end.value
            return report
