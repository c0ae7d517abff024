"""All that a denoising has become, as a tree, and where it is saved."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_ptycho.denoise.result import Denoised
from napari_ptycho.denoise.run import Run
from napari_ptycho.io.autosave import Autosave, Checkpoint, flat
from napari_ptycho.io.resuming import saving
from napari_ptycho.torch_state import tensor_of

Saved = tuple[Autosave | None, Denoised | Checkpoint | None]
"""Where a job writes its checkpoints, and what it goes on from."""
PLAIN = ("kept", "kept_for", "grids", "exploded", "stopped", "begun", "asked", "notes")
TENSORS = ("best", "least", "smooth")


@dataclass(frozen=True)
class Keeping:
    """Where a run is saved, and what it goes on from."""

    autosave: Autosave | None = None
    key: str = ""
    """Of the job."""
    tree: Mapping[str, Any] | None = None
    """Of the run in a checkpoint; None begins anew."""
    around: Callable[[], Mapping[str, Any]] = dict
    """Returns what a checkpoint holds beside the run, as a tree."""
    before: float = 0.0
    """Iterations of the job before this run."""
    total: float = 0.0
    """Iterations of the job; 0: those of the run."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of it."""
        return tuple(self.autosave.notes) if self.autosave is not None else ()

    def states(self, live: Run, iterations: int) -> Iterator[Run]:
        """Begin or go on; write checkpoints.

        Raises:
            JobError: The checkpoint holds other weights than the run has.
        """
        if self.tree is None:
            states = live.states(iterations)
        else:
            load_run(live, self.tree)
            states = live.resumed()
        return saving(states, self.autosave, self.checkpoint)

    def checkpoint(self, live: Run) -> Checkpoint:
        """Return all that a job has become."""
        arrays, state = flat({**self.around(), "run": run_state(live)})
        total = self.total or float(live.asked)
        return Checkpoint("denoising", self.before + live.done, total, self.key, arrays, state)


def run_state(live: Run) -> dict[str, Any]:
    """Return all that a run has become, as a tree."""
    return {
        **{name: getattr(live, name) for name in (*PLAIN, *TENSORS)},
        "options": live.options.as_dict(),
        "members": live.members.state(),
        "judge": live.judge.state(),
        "variance": None if live.variance is None else live.variance.state(),
        "numbers": {name: np.array(values) for name, values in live.numbers.items()},
        "past": [[done, output] for done, output in live.past],
    }


def load_run(live: Run, tree: Mapping[str, Any]) -> None:
    """Let a run that began in the same way go on from there.

    Raises:
        JobError: It has other weights.
    """
    live.members.load(tree["members"])
    live.judge.load(tree["judge"])
    if live.variance is not None:
        live.variance.load(tree["variance"])
    live.numbers = {name: values.tolist() for name, values in tree["numbers"].items()}
    live.past.clear()
    live.past.extend((done, output) for done, output in tree["past"])
    for name in PLAIN:
        setattr(live, name, tree[name])
    for name in TENSORS:
        found = tree[name]
        setattr(live, name, None if found is None else tensor_of(found).to(live.device))
