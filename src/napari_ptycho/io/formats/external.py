"""Files that a master file links to: where the link says, else by their name beside the master."""

from contextlib import ExitStack
from pathlib import Path, PureWindowsPath
from typing import Any

import h5py

from napari_ptycho.io import hdf5


def beside(master: Path, name: str) -> Path | None:
    """Return the file of that name in the folder of the master, None if there is none.

    Args:
        master: The file whose folder is looked through.
        name: With or without a folder, which is not looked at; capitals do not matter.
    """
    wanted = PureWindowsPath(name).name  # takes both / and \ for separators
    exact = master.parent / wanted
    if exact.is_file():
        return exact
    others = sorted(master.parent.iterdir())
    return next((path for path in others if _same(path, wanted) and path.is_file()), None)


def _same(path: Path, name: str) -> bool:
    return path.name.lower() == name.lower()


def followed(group: h5py.Group, name: str, stack: ExitStack, growing: bool = False) -> Any:
    """Return a child of a group, None if it is missing or lies in a file that is not there.

    Args:
        group: Of an open file.
        name: Of the child.
        stack: Closes the files that are opened here.
        growing: Whether they may still be written.

    Raises:
        FileError: The other file is there, but it is damaged.
    """
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.ExternalLink):
        return group.get(name)
    master = Path(group.file.filename)
    told = master.parent / link.filename
    path = told if told.is_file() else beside(master, link.filename)
    if path is None:
        return None
    return stack.enter_context(hdf5.open_file(path, growing)).get(link.path)
