"""The button of the Reconstruct dock that saves, opens and queues recipes."""

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QMenu, QPushButton

from napari_ptycho import jobs, recipes
from napari_ptycho.gui.app import open_dock
from napari_ptycho.gui.asking import ask_file, ask_target
from napari_ptycho.gui.opening import TOML
from napari_ptycho.gui.recipe_dialog import QueueDialog, RecipeDialog
from napari_ptycho.gui.recipe_draft import SCAN, draft
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.saving import file_name
from napari_ptycho.gui.session import session_of
from napari_ptycho.gui.widgets import Dock
from napari_ptycho.recipes.recipe import SAMPLE, Recipe

FILTER = "Recipes (*.toml)"
OPENED = "Recipes and results (*.toml *.h5 *.hdf5);;All files (*)"


class RecipeButton(QPushButton):
    """A menu: save what the docks say as a recipe, open one, queue it."""

    told = Signal(str)
    """What became of it, in a sentence."""

    def __init__(self, dock: Dock) -> None:
        """Make the button.

        Args:
            dock: Whose viewer's docks are asked and filled.
        """
        super().__init__("Recipe")
        self._dock = dock
        self.dialog: RecipeDialog | None = None
        self.runner = Runner(self)
        self.runner.finished.connect(self._on_finished)
        self.setToolTip(
            "A recipe is all that is done to a scan, in one TOML file: save it, open it again, "
            "run it from the command line, or queue it."
        )
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for text, tip, slot in (
            ("Save recipe…", "Write what the docks say to a file.", self.ask_save),
            ("Open recipe…", "Fill the docks from a recipe, or from a result.", self.ask_open),
            ("Queue…", "Run it in the background, here or on a cluster.", self.ask_queue),
        ):
            action = menu.addAction(text)
            action.setToolTip(tip)
            action.triggered.connect(slot)
        self.setMenu(menu)

    # -- saving

    def ask_save(self) -> None:
        """Ask what goes in, then where to."""
        dialog = RecipeDialog(draft(self._dock.viewer), self._dock)
        dialog.accepted.connect(partial(self._ask_path, dialog))
        self._show(dialog)

    def _ask_path(self, dialog: RecipeDialog) -> None:
        recipe = dialog.recipe()
        name = file_name(recipe.title or "recipe", TOML)
        path, _ = ask_target(self._dock, "Save the recipe", name, FILTER)
        if path:
            self.save(recipe, path)

    def save(self, recipe: Recipe, path: Path) -> None:
        """Write a recipe in a thread; `told` says when it is done."""
        path = path if path.suffix else path.with_suffix(TOML)
        session_of(self._dock.viewer).recipe = recipe
        self.runner.call(partial(_saved, recipe, path), f"save {path.name}")

    # -- opening

    def ask_open(self) -> None:
        """Ask for a recipe, or a result, and fill the docks from it."""
        path = ask_file(self._dock, "Open a recipe", OPENED)
        if path:
            open_dock(self._dock.viewer, "Scan").open_recipe(path)

    # -- queueing

    def ask_queue(self) -> None:
        """Ask what is done, where, and where to."""
        said = draft(self._dock.viewer)
        if SCAN in said.missing:
            self.told.emit(f"Nothing can be queued: {said.missing[SCAN]}.")
            return
        dialog = QueueDialog(said, output_of(said.recipe), self._dock)
        dialog.accepted.connect(partial(self._on_queue, dialog))
        self._show(dialog)

    def _on_queue(self, dialog: QueueDialog) -> None:
        output, where = dialog.output.text().strip(), dialog.where.currentText().strip()
        if output:
            self.queue(dialog.recipe(), output, where)
        else:
            self.told.emit("Not queued: name the Output file in the dialog, and press Queue again.")

    def queue(self, recipe: Recipe, output: str, where: str) -> None:
        """Put a recipe and the scan that is open into the queue, in a thread.

        Args:
            recipe: What is done.
            output: The file of the result.
            where: `jobs.HERE`, or the address of a scheduler.
        """
        work = partial(_queued, recipe, Path(output).expanduser().absolute(), where)
        self.runner.call(work, f"queue {recipe.title}")

    def _show(self, dialog: RecipeDialog) -> None:
        self.dialog = dialog
        dialog.open()

    def _on_finished(self, outcome: str, sentence: Any) -> None:
        if outcome == "done":
            self.told.emit(sentence)


def _saved(recipe: Recipe, path: Path) -> str:
    recipes.write(recipe, path)
    return f"saved as {path}"


def _queued(recipe: Recipe, output: Path, where: str) -> str:
    task = recipes.Task(recipes.dumps(recipe), recipe.scan.file, str(output))
    jobs.submit(task, recipe.title or output.stem, where)
    return f"queued: {output.name} will be written; the Jobs dock lists it"


def output_of(recipe: Recipe) -> Path:
    """Return where the result of a recipe goes at first: beside its scan."""
    file = recipe.scan.file
    if file.startswith(SAMPLE):
        return Path.home() / f"{file.removeprefix(SAMPLE)}-result.h5"
    path = Path(file)
    return path.with_name(f"{path.name.partition('.')[0]}-result.h5")
