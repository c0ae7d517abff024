"""Checkpoints of the window: where runs write theirs, and how one is taken over."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from uuid import uuid4

from napari.utils.notifications import show_warning

from napari_ptycho import recipes
from napari_ptycho.errors import FileError, PtychoError
from napari_ptycho.gui import offer_belongings
from napari_ptycho.gui.offer_belongings import Belongings
from napari_ptycho.gui.recipe_draft import ToldRun
from napari_ptycho.io.autosave import (
    ENDING,
    Autosave,
    Checkpoint,
    alive,
    folder,
    read_checkpoint,
    write_checkpoint,
)
from napari_ptycho.recipes.recipe import Recipe

EVERY_S = 60.0


class Kept(Autosave):
    """The autosave of a run in the window, with what the run was given that no file holds."""

    belongings: Belongings = MappingProxyType({})
    """Written with the first checkpoint."""
    going = False
    """Whether it goes on from a checkpoint that is there."""

    @classmethod
    def new(cls, title: str, recipe: Recipe, **more: Any) -> Self:
        """Return where a new run writes its checkpoints.

        Args:
            title: What runs, for the offer to go on: "reconstruction of STAR".
            recipe: Opens the scan, and tells what was done.
            more: What else there is to remember, plain values.

        Raises:
            FileError: The folder of checkpoints cannot be made.
        """
        told = {"title": title, "recipe": recipes.dumps(recipe), "scan": recipe.scan.file}
        return cls(folder() / f"{uuid4().hex}{ENDING}", EVERY_S, {**told, **more})

    @classmethod
    def of(cls, path: Path, about: Mapping[str, Any]) -> Self:
        """Return that of a run which goes on from the checkpoint that is there."""
        kept = cls(path, EVERY_S, about)
        kept.going = True
        return kept

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint in place of the last one, with the first one all that belongs to it.

        A failure is a note, the job goes on.
        """
        try:
            offer_belongings.write(self.belongings, self.path)
        except PtychoError as error:
            self.notes[:] = [f"not autosaved: {error}"]
            self._next = time.monotonic() + self.every_s
            return
        self.belongings = {}
        super().save(checkpoint)

    def discard(self) -> None:
        """Remove the checkpoint and what belongs to it."""
        super().discard()
        offer_belongings.remove(self.path)

    def left(self) -> Checkpoint | None:
        """Take the checkpoint over that a process which died has left; None for a new run.

        Nobody else is offered it from now on.

        Raises:
            FileError: It is gone, damaged, or another window has taken it.
        """
        if not self.going:
            return None
        checkpoint = read_checkpoint(self.path)
        if alive(checkpoint.about):
            raise FileError(f"{self.path.name}: another window goes on with this run; look there")
        write_checkpoint(checkpoint, self.path, self.about)
        return checkpoint


def kept_of(title: str, told: ToldRun, **more: Any) -> Kept | None:
    """Return where a run of a scan writes its checkpoints; None if it cannot be opened again."""
    if not told.recipe.scan.file:
        return None
    return kept_by(title, told.recipe, {}, tells=told.tells, **more)


def kept_by(title: str, recipe: Recipe, belongings: Belongings, **more: Any) -> Kept | None:
    """Return where a run writes its checkpoints; without a folder for them, say so: None.

    Args:
        title: What runs, for the offer to go on.
        recipe: Opens its scan, if it needs one.
        belongings: What else it was given.
        more: Plain values to remember.
    """
    try:
        kept = Kept.new(title, recipe, **more)
    except FileError as error:
        show_warning(f"This run is not autosaved: {error}")
        return None
    kept.belongings = belongings
    return kept
