"""What a run was given in the window that no file holds: written beside its checkpoint."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho import io, networks
from napari_ptycho.errors import FileError
from napari_ptycho.io.atomic import written
from napari_ptycho.io.files import translated
from napari_ptycho.model import Reconstruction
from napari_ptycho.networks.network import Network

Belonging = Reconstruction | Network | NDArray[Any]
Belongings = Mapping[str, Belonging]
RESULT, NETWORK, ARRAY = ".h5", ".safetensors", ".npy"
EXACT = "_positions"
"""After the name of a reconstruction: its file rounds positions, and a job would not know it."""


def write(things: Belongings, beside: Path) -> None:
    """Write things beside a checkpoint, each to a file of its own.

    Raises:
        FileError: The folder is missing or the disk is full.
    """
    for name, thing in things.items():
        if isinstance(thing, Reconstruction):
            io.write_reconstruction(thing, _file(beside, name, RESULT))
            _write_array(thing.positions_px, _file(beside, name + EXACT, ARRAY))
        elif isinstance(thing, Network):
            networks.save(thing, _file(beside, name, NETWORK))
        else:
            _write_array(thing, _file(beside, name, ARRAY))


def _write_array(array: NDArray[Any], path: Path) -> None:
    with written(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.asarray(array), allow_pickle=False)


def read(beside: Path) -> dict[str, Belonging]:
    """Read what lies beside a checkpoint.

    Raises:
        FileError: Something of it is damaged.
    """
    things = {path.name.split(".")[1]: _read(path) for path in _all(beside)}
    for name, thing in list(things.items()):
        if isinstance(thing, Reconstruction):
            exact: Any = things.pop(name + EXACT, thing.positions_px)
            things[name] = replace(thing, positions_px=exact)
    return things


def _read(path: Path) -> Belonging:
    if path.suffix == RESULT:
        return io.read_reconstruction(path)
    if path.suffix == NETWORK:
        return networks.load(path)
    with translated(path):
        try:
            array: NDArray[Any] = np.load(path, allow_pickle=False)
        except ValueError as error:
            raise FileError(f"{path.name}: damaged: {error}") from error
    return array


def remove(beside: Path) -> None:
    """Remove what lies beside a checkpoint."""
    for path in _all(beside):
        path.unlink(missing_ok=True)


def _file(beside: Path, name: str, ending: str) -> Path:
    return beside.with_name(f"{beside.stem}.{name}{ending}")


def _all(beside: Path) -> list[Path]:
    endings = (RESULT, NETWORK, ARRAY)
    return sorted(p for p in beside.parent.glob(f"{beside.stem}.*") if p.suffix in endings)
