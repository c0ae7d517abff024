"""Tasks on other processes and machines: a Dask scheduler hands them to its workers.

Importing this package imports neither torch nor distributed; running tasks does.
"""

from collections.abc import Callable, Generator, Sequence

from napari_ptycho.recipes.report import Report
from napari_ptycho.recipes.tasks import Event, Stop, Task, Tell, run_task

LOCAL = "local"
"""A scheduler for the length of the tasks, with workers on this computer."""
PROTOCOLS = ("tcp://", "tls://")
"""What the address of a scheduler begins with."""
RETRIES = 2
"""How often a scan is begun again after its worker was lost."""
Do = Callable[[Task, Tell, Stop], Report]


def run_there(
    tasks: Sequence[Task],
    scheduler: str,
    stop: Stop,
    workers: int | None = None,
    retries: int = RETRIES,
    say: Callable[[str], None] = lambda sentence: None,
    do: Do = run_task,
) -> Generator[Event, None, None]:
    """Do tasks on the workers of a Dask scheduler, each worker one at a time.

    A task whose worker is lost is done again by another, which goes on from its checkpoint. What
    fails for another reason is not tried again. Closing the iterator stops what runs.

    Args:
        tasks: What to do; the workers must see the files by the same names.
        scheduler: "local", or an address: "tcp://host:8786", "tls://host:8786".
        stop: Asked a few times a second; once it says True, tasks under way write what they have
            reached, and no other begins.
        workers: Processes of the local scheduler; None: one per GPU, else two or a quarter of the
            cores.
        retries: How often one task may lose its worker before it has failed.
        say: Called with sentences that the user should see.
        do: What does a task on a worker.

    Yields:
        Events; each task has exactly one with a report.

    Raises:
        JobError: No scheduler answers at this address, or the local one cannot start.
    """
    if not tasks:
        return
    from napari_ptycho.cluster.following import Following
    from napari_ptycho.cluster.schedulers import connected

    with connected(scheduler, tasks, workers) as cluster:
        following = Following(cluster, retries, say, do)
        try:
            yield from following.events(tasks, stop)
        finally:
            following.close()
