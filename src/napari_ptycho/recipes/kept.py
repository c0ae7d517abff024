"""What an interrupted run of a task has left: its checkpoint, and the result that it denoised."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from napari_ptycho import io
from napari_ptycho.errors import PtychoError
from napari_ptycho.io.autosave import Autosave, Checkpoint, beside, read_checkpoint
from napari_ptycho.model import Reconstruction
from napari_ptycho.recipes.recipe import Recipe
from napari_ptycho.recipes.tasks import Task

Step = Literal["finetune", "reconstruct", "denoise"]
MIDDLE = ".before-denoising.h5"
"""Ending of what engines have reached, while it is denoised."""
ENTRY = "kept"
"""Key in its provenance of the task that it belongs to."""


class Unusable(Exception):
    """A checkpoint that no step can go on from."""


@dataclass
class Kept:
    """What one task keeps while it runs: looked for at its start, written by its steps."""

    task: Task
    about: dict[str, Any]
    """What tells this task from others, and what its checkpoint is offered by."""
    found: Checkpoint | None = None
    """Of an interrupted run of the same task."""
    middle: Reconstruction | None = None
    """What an interrupted run of the same task was to denoise."""
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, task: Task, recipe: Recipe, checksums: tuple[str, str]) -> "Kept":
        """Look for what an interrupted run of a task has left; what is of no use is removed.

        Args:
            task: The task.
            recipe: Its recipe.
            checksums: Of recipe and scan.
        """
        about: dict[str, Any] = {
            "title": recipe.title or Path(task.output).name,
            "recipe": task.recipe,
            "scan": task.scan,
            "output": task.output,
            "checksums": list(checksums),
        }
        kept = cls(task, about)
        try:
            kept._look()
        except PtychoError as error:
            kept.notes.append(f"began anew: {error}")
        if kept.found is None and kept.middle is None:
            kept.discard()
        return kept

    def _look(self) -> None:
        path = _middle_of(self.task.output)
        if path.exists():
            middle = io.read_reconstruction(path)
            made = dict(middle.provenance)
            if self._is_mine(made.pop(ENTRY, {})):
                self.middle = replace(middle, provenance=made)
        path = beside(self.task.output)
        if path.exists():
            checkpoint = read_checkpoint(path)
            if self._is_mine(checkpoint.about):
                self.found = checkpoint
            else:
                self.notes.append("began anew: the checkpoint is of another scan or recipe")

    def _is_mine(self, about: Any) -> bool:
        return about.get("checksums") == self.about["checksums"]

    @property
    def resumed_from(self) -> float:
        """Epochs that the interrupted run had done."""
        if self.middle is not None:
            return float(len(self.middle.errors))
        return 0.0 if self.found is None else self.found.done

    def at(self, step: Step) -> Checkpoint | None:
        """Return the checkpoint if it was written in this step."""
        if self.found is None or self.found.about.get("step") != step:
            return None
        return self.found

    def autosave(self, step: Step) -> Autosave:
        """Return where and how often a step writes its checkpoints."""
        return Autosave(
            beside(self.task.output), self.task.autosave_s, {**self.about, "step": step}
        )

    def keep_middle(self, result: Reconstruction) -> None:
        """Write what is to be denoised: from here on the steps before are not done again.

        Raises:
            FileError: The disk is full.
        """
        if self.middle is None:
            made = {**result.provenance, ENTRY: self.about}
            io.write_reconstruction(replace(result, provenance=made), _middle_of(self.task.output))

    def refuse(self, why: str) -> None:
        """Remove a checkpoint that no step can go on from; what engines have reached stays."""
        self.found = None
        self.notes.append(f"began anew: {why}")
        beside(self.task.output).unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove all of it: the result is in safe hands, or nothing can go on from it."""
        self.found = self.middle = None
        forget(self.task.output)


def forget(output: str) -> None:
    """Remove what an interrupted run has left beside its result."""
    beside(output).unlink(missing_ok=True)
    _middle_of(output).unlink(missing_ok=True)


def _middle_of(output: str) -> Path:
    return Path(output + MIDDLE)
