"""Autosave: what a job under way writes, so that it can go on after the process was killed.

A checkpoint is one safetensors file: arrays, and one JSON entry with all else. A job that ends by
itself removes its own; what is found at the next start was left by a process that died.
"""

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import platformdirs
import psutil
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from napari_ptycho import __version__
from napari_ptycho.errors import FileError, PtychoError
from napari_ptycho.io.atomic import written
from napari_ptycho.io.files import existing, translated

FOLDER = "NAPARI_PTYCHO_AUTOSAVES"
"""Environment variable that names another folder."""
FORMAT, ENTRY, ENDING = 1, "napari_ptycho_autosave", ".autosave"
ARRAY = "array"  # key of a branch that stands for an array
EVERY_S = 60.0
SHARE = 0.01  # of the time of a job that its autosaves take at most
Kind = Literal["reconstruction", "training", "finetuning", "denoising"]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """All that a job needs to go on as if it had never ended."""

    kind: Kind
    done: float
    """Epochs (or iterations) finished in this job."""
    total: float
    """Epochs (or iterations) asked for in this job."""
    key: str
    """Digest of data, options and start: a job refuses the checkpoint of another."""
    arrays: Mapping[str, NDArray[Any]]
    state: Mapping[str, Any]
    """What else there is to know: plain values, fit for JSON."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Who wrote it ("pid", "created", "host", "time"), and what `Autosave` was told."""

    @property
    def tree(self) -> Any:
        """What `flat` has taken apart."""
        return _nested(self.state, self.arrays)


class Autosave:
    """Where and how often one job writes its checkpoints.

    A job asks `due` wherever it could go on from (after an epoch, say) and then calls `save`. The
    time between two checkpoints is at least `every_s`, and so long that they cost `SHARE` of it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        every_s: float = EVERY_S,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Remember where to write.

        Args:
            path: The file, replaced by every checkpoint.
            every_s: Shortest time between two checkpoints, in seconds; 0 saves at every chance.
            about: Plain values to offer it by at the next start: "title", "recipe", "scan".
        """
        self.path, self.every_s, self.about = Path(path), every_s, dict(about or {})
        self.notes: list[str] = []
        """A sentence if it could not be written."""
        self.cost_s = 0.0
        """What the last checkpoint took."""
        self._next = time.monotonic() + every_s

    @property
    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() >= self._next

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint in place of the last one; a failure is a note, the job goes on."""
        began = time.monotonic()
        try:
            write_checkpoint(checkpoint, self.path, self.about)
            self.notes.clear()
        except PtychoError as error:
            self.notes[:] = [f"not autosaved: {error}"]
        now = time.monotonic()
        self.cost_s = now - began
        self._next = now + (max(self.every_s, self.cost_s / SHARE) if self.every_s else 0.0)

    def discard(self) -> None:
        """Remove the checkpoint: the job has ended, its result is in safe hands."""
        self.path.unlink(missing_ok=True)


def write_checkpoint(
    checkpoint: Checkpoint, path: str | os.PathLike[str], about: Mapping[str, Any]
) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        FileError: The folder is missing or the disk is full.
    """
    process = psutil.Process()
    header = {
        "format": FORMAT,
        "version": __version__,
        **{name: getattr(checkpoint, name) for name in ("kind", "done", "total", "key", "state")},
        "about": {
            **about,
            "pid": process.pid,
            "created": process.create_time(),
            "host": platform.node(),
            "time": time.time(),
        },
    }
    arrays = {name: np.asarray(array, order="C") for name, array in checkpoint.arrays.items()}
    with written(path) as temporary:
        save_file(arrays, temporary, {ENTRY: json.dumps(header)})


def read_checkpoint(path: str | os.PathLike[str], arrays: bool = True) -> Checkpoint:
    """Read a checkpoint; without `arrays` only what tells of it.

    Raises:
        FileError: The file is absent, damaged, or no checkpoint of this version.
    """
    path = existing(Path(path))
    with translated(path):
        try:
            with safe_open(path, framework="numpy") as file:
                header = json.loads((file.metadata() or {}).get(ENTRY, "null"))
                names = file.keys() if arrays else ()
                found = {name: file.get_tensor(name) for name in names}
        except (SafetensorError, json.JSONDecodeError) as error:
            raise FileError(f"{path.name}: no checkpoint, or a damaged one ({error})") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise FileError(f"{path.name}: no checkpoint that this version knows; start anew")
    fields = ("kind", "done", "total", "key", "state", "about")
    missing = [name for name in fields if name not in header]
    if missing:
        raise FileError(f"{path.name}: a damaged checkpoint, its '{missing[0]}' is missing")
    return Checkpoint(arrays=found, **{name: header[name] for name in fields})


def flat(tree: Mapping[str, Any]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Take a tree apart: its arrays by the names of their branches, and all else.

    Args:
        tree: Dicts (without "/" in their keys), lists and tuples of arrays, tensors and plain
            values.

    Returns:
        The arrays by name ("guard/kept/0"; tensors on the CPU), and the tree with their names in
        place of them, fit for JSON; `Checkpoint.tree` puts them together (tuples become lists).
    """
    arrays: dict[str, NDArray[Any]] = {}
    return arrays, {name: _pruned(branch, name, arrays) for name, branch in tree.items()}


def _pruned(branch: Any, name: str, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(branch, Mapping):
        items = branch.items()
        return {str(key): _pruned(part, f"{name}/{key}", arrays) for key, part in items}
    if isinstance(branch, list | tuple):
        return [_pruned(part, f"{name}/{at}", arrays) for at, part in enumerate(branch)]
    if hasattr(branch, "detach"):
        branch = branch.detach().cpu().numpy()
    if not isinstance(branch, np.ndarray):
        return branch.item() if isinstance(branch, np.generic) else branch
    arrays[name] = branch
    return {ARRAY: name}


def _nested(branch: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(branch, Mapping):
        if set(branch) == {ARRAY}:
            return arrays[branch[ARRAY]]
        return {name: _nested(part, arrays) for name, part in branch.items()}
    if isinstance(branch, list):
        return [_nested(part, arrays) for part in branch]
    return branch


def beside(output: str | os.PathLike[str]) -> Path:
    """Return where a command that writes `output` keeps its checkpoint."""
    output = Path(output)
    return output.with_name(output.name + ENDING)


def folder() -> Path:
    """Return where the window keeps its checkpoints; made if it is not there.

    Raises:
        FileError: It cannot be made.
    """
    named = os.environ.get(FOLDER)
    path = Path(named or Path(platformdirs.user_state_dir("napari-ptycho")) / "autosaves")
    path = path.expanduser()
    with translated(path, "make"):
        path.mkdir(parents=True, exist_ok=True)
    return path


def interrupted() -> Iterator[tuple[Path, Checkpoint]]:
    """Yield what processes of this machine that died have left in `folder`, without arrays."""
    for path in sorted(folder().glob(f"*{ENDING}")):
        try:
            checkpoint = read_checkpoint(path, arrays=False)
        except FileError:
            continue  # being replaced, or of another version: neither can be offered
        if not alive(checkpoint.about):
            yield path, checkpoint


def alive(about: Mapping[str, Any]) -> bool:
    """Whether the process that wrote this still runs; one on another machine may."""
    if about.get("host") != platform.node():
        return True
    try:
        process = psutil.Process(int(about["pid"]))
        same = abs(process.create_time() - float(about["created"])) < 1
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return False
