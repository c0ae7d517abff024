"""Scans and a recipe file in, jobs out."""

from collections.abc import Sequence
from pathlib import Path

from napari_ptycho import recipes
from napari_ptycho.errors import FileError
from napari_ptycho.io.files import name_of, translated
from napari_ptycho.io.forms.table import named
from napari_ptycho.jobs.job import HERE, Job
from napari_ptycho.jobs.store import Store
from napari_ptycho.recipes.tasks import Task


def add_scans(
    store: Store, recipe: Path, scans: Sequence[str], folder: Path, where: str = HERE
) -> list[Job]:
    """Put scans into the queue, all or none of them.

    Args:
        store: The queue.
        recipe: A recipe file, read now: later changes of it change nothing.
        scans: Files, or "sample:KEY".
        folder: Of the results, made if it is not there; each is named after its scan.
        where: `HERE`, or the address of a scheduler.

    Raises:
        OptionsError: The recipe is none, or `where` is no address.
        FileError: A file is not there, or a result is.
        JobError: A job that has not ended writes the same result.
    """
    read = recipes.read(recipe)
    text, title = recipes.dumps(read), read.title or recipe.stem
    suffix = named("reconstruction", read.output.form).suffix
    folder = folder.expanduser().absolute()
    with translated(folder, "make"):
        folder.mkdir(parents=True, exist_ok=True)
    tasks = [
        Task(text, _absolute(scan), str(_free(folder, _name(scan) + suffix))) for scan in scans
    ]
    store.check([task.output for task in tasks])
    return [store.add(task, f"{_name(task.scan)} · {title}", where) for task in tasks]


def _name(scan: str) -> str:
    return name_of(Path(scan.removeprefix(recipes.SAMPLE)))


def _absolute(scan: str) -> str:
    if scan.startswith(recipes.SAMPLE):
        return scan
    path = Path(scan).expanduser().absolute()
    if not path.exists():
        raise FileError(f"{scan}: no such file; correct its name, or look whether it was moved")
    return str(path)


def _free(folder: Path, name: str) -> Path:
    path = folder / name
    if path.exists():
        raise FileError(f"{path}: exists already; choose another output folder")
    return path
