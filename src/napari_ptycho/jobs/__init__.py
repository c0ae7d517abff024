"""Jobs that outlive the window: a queue on the disk, and the process that works it off."""

from napari_ptycho.jobs import lock
from napari_ptycho.jobs.job import HERE, HOST, Job, State
from napari_ptycho.jobs.store import Store
from napari_ptycho.recipes.tasks import Task

__all__ = ["HERE", "Job", "State", "Store", "submit", "wake"]


def submit(task: Task, title: str, where: str = HERE, store: Store | None = None) -> Job:
    """Put a task into the queue, and see to it that somebody works it off.

    Args:
        task: What to do.
        title: What the list calls it.
        where: `HERE`, or the address of a Dask scheduler.
        store: The queue; None: that of the user.

    Raises:
        OptionsError: `where` is no address.
        FileError: The queue cannot be written, or its agent does not start.
    """
    store = store or Store()
    job = store.add(task, title, where)
    wake(store)
    return job


def wake(store: Store) -> bool:
    """Start the agent of this computer if a job waits for it and none works; whether one waits.

    Raises:
        FileError: The queue cannot be read, or the agent does not start.
    """
    waits = any(job.state == "waiting" and job.host == HOST for job in store.all())
    if waits:
        lock.start(store.folder)
    return waits
