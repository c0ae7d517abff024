"""What jobs with checkpoints share: whose they are, when they are written, jobs within jobs."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from napari_ptycho.errors import JobError
from napari_ptycho.io.autosave import Autosave, Checkpoint, Kind, flat
from napari_ptycho.options import Options

State = TypeVar("State")
LOOKED_AT = 64  # rows of a large array that a digest is made of
LARGE_BYTES = 2**24


def digest(*parts: Any) -> str:
    """Return what tells a job's data, options and start from those of another.

    Args:
        parts: Arrays (of large ones, lazy or not, some rows are read), options, and mappings,
            sequences and plain values of such.
    """
    found = hashlib.sha1(usedforsecurity=False)
    _feed(found.update, parts)
    return found.hexdigest()


def _feed(take: Callable[[bytes], object], part: Any) -> None:
    if isinstance(part, Options):
        part = {type(part).__name__: part.as_dict()}
    if isinstance(part, Mapping):
        part = [[name, part[name]] for name in sorted(part)]
    if isinstance(part, list | tuple):
        take(b"(")
        for one in part:
            _feed(take, one)
        take(b")")
    elif hasattr(part, "shape") and hasattr(part, "dtype"):
        take(f"{part.dtype} {tuple(part.shape)}".encode())
        take(np.asarray(_some(part), order="C").tobytes())
    else:
        take(json.dumps(part).encode())


def _some(array: Any) -> Any:
    size = np.dtype(array.dtype).itemsize * math.prod(array.shape)
    if size <= LARGE_BYTES or len(array) <= LOOKED_AT:  # whether lazy or not makes no difference
        return array
    return array[np.linspace(0, len(array) - 1, LOOKED_AT).astype(int)]


def own(checkpoint: Checkpoint, kind: Kind, key: str) -> Any:
    """Return the tree of a checkpoint of this very job.

    Raises:
        JobError: It was written by another job.
    """
    if checkpoint.kind != kind:
        raise JobError(
            f"the checkpoint is of a {checkpoint.kind}, this job is a {kind}; start anew without it"
        )
    if checkpoint.key != key:
        raise JobError(
            f"the checkpoint is of another {kind}: data, options or start differ; give the same "
            "ones again, or start anew without it"
        )
    return checkpoint.tree


def saving(
    states: Iterator[State],
    autosave: Autosave | None,
    checkpoint: Callable[[State], Checkpoint | None],
) -> Iterator[State]:
    """Pass the states of an algorithm on, and write a checkpoint whenever it is time for one.

    Args:
        states: The algorithm; closed when this iterator is closed.
        autosave: Where and how often; None: never.
        checkpoint: Makes one of a live state; None where it could not go on from there.
    """
    try:
        for state in states:
            if autosave is not None and autosave.due:
                made = checkpoint(state)
                if made is not None:
                    autosave.save(made)
            yield state
    finally:
        getattr(states, "close", lambda: None)()


class Within(Autosave):
    """The autosave of a job within a job: the checkpoints of the inner are parts of the outer's."""

    def __init__(self, outer: Autosave, wrap: Callable[[Checkpoint], Checkpoint]) -> None:
        """Begin.

        Args:
            outer: What is written in the end.
            wrap: Makes the outer checkpoint of an inner one; `inner` makes a branch of it.
        """
        super().__init__(outer.path, outer.every_s, outer.about)
        self.outer, self.wrap, self.notes = outer, wrap, outer.notes

    @property
    def due(self) -> bool:
        """Whether it is time for a checkpoint of the outer job."""
        return self.outer.due

    def save(self, checkpoint: Checkpoint) -> None:
        """Write the outer checkpoint in place of the last one."""
        self.outer.save(self.wrap(checkpoint))

    def discard(self) -> None:
        """Do nothing: the outer job goes on."""


def inner(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return a checkpoint as a branch of the tree of another."""
    names = ("kind", "done", "total", "key")
    return {**{name: getattr(checkpoint, name) for name in names}, "tree": checkpoint.tree}


def outer(branch: Mapping[str, Any]) -> Checkpoint:
    """Return the checkpoint that `inner` has made a branch of."""
    arrays, state = flat(branch["tree"])
    names = ("kind", "done", "total", "key")
    return Checkpoint(**{name: branch[name] for name in names}, arrays=arrays, state=state)


@dataclass(frozen=True)
class Nest:
    """The checkpoints of a job that is made of other jobs."""

    kind: Kind
    key: str
    total: float
    """Epochs (or iterations) asked for."""
    autosave: Autosave | None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of it."""
        return () if self.autosave is None else tuple(self.autosave.notes)

    def opened(self, checkpoint: Checkpoint | None) -> Mapping[str, Any]:
        """Return the tree of a checkpoint of this very job; empty if there is none.

        Raises:
            JobError: It was written by another job.
        """
        return {} if checkpoint is None else own(checkpoint, self.kind, self.key)

    def around(
        self, name: str, known: Mapping[str, Any], far: Callable[[float], float]
    ) -> Autosave | None:
        """Return the autosave of an inner job.

        Args:
            name: Of its branch.
            known: Branches beside it.
            far: How far the outer job is when the inner one is so far.
        """
        if self.autosave is None:
            return None

        def wrapped(part: Checkpoint) -> Checkpoint:
            return self._checkpoint(far(part.done), {**known, name: inner(part)})

        return Within(self.autosave, wrapped)

    def keep(self, tree: Mapping[str, Any], done: float = 0.0) -> None:
        """Save what took long, between two inner jobs."""
        if self.autosave is not None:
            self.autosave.save(self._checkpoint(done, tree))

    def _checkpoint(self, done: float, tree: Mapping[str, Any]) -> Checkpoint:
        arrays, state = flat(tree)
        return Checkpoint(self.kind, done, self.total, self.key, arrays, state)
