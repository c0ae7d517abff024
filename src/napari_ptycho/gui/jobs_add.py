"""Puts scans into the queue: which recipe, which scans, where the results go, who computes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QPushButton, QWidget

from napari_ptycho.gui.asking import SAVE, ask_file, ask_files, ask_folder
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.open_bar import FILES, file_filter
from napari_ptycho.gui.widgets import form_rows
from napari_ptycho.jobs import HERE

RECIPES = file_filter("Recipes", ("toml",))
KEPT = 8  # addresses of schedulers


class AddBox(QWidget):
    """Asks for what `jobs.adding.add_scans` needs."""

    asked = Signal()
    """The user wants what is chosen to be queued."""

    def __init__(self) -> None:
        super().__init__()
        self.recipe: Path | None = None
        self.scans: tuple[Path, ...] = ()
        self.folder: Path | None = None
        self.recipe_button = _button("Choose…", "A recipe, as the docks and the commands save it.")
        self.scans_button = _button("Choose…", "Each scan becomes a job.")
        self.folder_button = _button("Choose…", "Results are named after their scans.")
        self.where = QComboBox()
        self.where.setEditable(True)
        self.where.setToolTip("This computer, or the address of a Dask scheduler: tcp://host:8786.")
        self.where.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.where.addItem(HERE)
        self.queue_button = QPushButton("Queue")
        self.queue_button.setToolTip(
            "Put a job for each scan into the queue; it goes on when napari is closed."
        )
        rows = form_rows()
        rows.addRow("Recipe", self.recipe_button)
        rows.addRow("Scans", self.scans_button)
        rows.addRow("Output folder", self.folder_button)
        rows.addRow("Runs on", self.where)
        stack(self, rows, self.queue_button)
        self.recipe_button.clicked.connect(self._ask_recipe)
        self.scans_button.clicked.connect(self._ask_scans)
        self.folder_button.clicked.connect(self._ask_folder)
        self.queue_button.clicked.connect(self.asked)
        self._show()

    def choose(
        self,
        recipe: Path | None = None,
        scans: Sequence[Path] = (),
        folder: Path | None = None,
    ) -> None:
        """Choose some of it; the rest stays."""
        self.recipe, self.folder = recipe or self.recipe, folder or self.folder
        self.scans = tuple(scans) or self.scans
        self._show()

    def clear_scans(self) -> None:
        """Forget the scans: they are in the queue."""
        self.scans = ()
        self._show()

    def remember(self) -> dict[str, Any]:
        """Return what is worth keeping for the next time, fit for JSON."""
        chosen = self.where.currentText().strip()
        others = [self.where.itemText(at) for at in range(self.where.count())]
        addresses = dict.fromkeys([chosen, *others])
        return {
            "recipe": str(self.recipe or ""),
            "folder": str(self.folder or ""),
            "where": [one for one in addresses if one not in ("", HERE)][:KEPT],
            "chosen": chosen,
        }

    def recall(self, values: Mapping[str, Any]) -> None:
        """Choose what `remember` has returned once."""
        recipe = Path(str(values.get("recipe") or ""))
        folder = Path(str(values.get("folder") or ""))
        self.where.clear()
        self.where.addItems([HERE, *map(str, values.get("where") or ())])
        self.where.setCurrentText(str(values.get("chosen") or HERE))
        self.choose(recipe if recipe.is_file() else None, (), folder if folder != Path() else None)

    def _ask_recipe(self) -> None:
        path = ask_file(self, "Choose a recipe", RECIPES)
        if path:
            self.choose(recipe=path)

    def _ask_scans(self) -> None:
        self.choose(scans=ask_files(self, "Choose scans", FILES))

    def _ask_folder(self) -> None:
        path = ask_folder(self, "Choose the output folder", SAVE)
        if path:
            self.choose(folder=path)

    def _show(self) -> None:
        count = len(self.scans)
        scans = self.scans[0].name if count == 1 else f"{count} scans"
        self.recipe_button.setText(self.recipe.name if self.recipe else "Choose…")
        self.scans_button.setText(scans if count else "Choose…")
        self.folder_button.setText(self.folder.name if self.folder else "Choose…")
        for button, told in (
            (self.recipe_button, self.recipe),
            (self.folder_button, self.folder),
        ):
            if told is not None:
                button.setToolTip(str(told))
        self.queue_button.setEnabled(bool(self.recipe and count and self.folder))
        self.queue_button.setText(f"Queue {count} jobs" if count > 1 else "Queue")


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setMinimumWidth(60)
    return button
