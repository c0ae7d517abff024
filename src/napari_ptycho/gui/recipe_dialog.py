"""Asks what goes into a recipe, and where a queued one runs and writes."""

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
)

from napari_ptycho.gui.asking import ask_target
from napari_ptycho.gui.form import lined_up
from napari_ptycho.gui.recipe_draft import PARTS, SCAN, Draft
from napari_ptycho.gui.widgets import Dock, Note, heading
from napari_ptycho.jobs import HERE
from napari_ptycho.recipes.recipe import Recipe

INDENT_PX = 22
WIDTH = 460


class RecipeDialog(QDialog):
    """Check boxes for the parts of a recipe; not modal for the program, `accepted` says it."""

    def __init__(self, draft: Draft, parent: Dock, button: str = "Save…") -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("What goes in")
        self._draft = draft
        self.name = QLineEdit(draft.recipe.title)
        self.name.setToolTip("What the recipe is called; results and jobs are listed by it.")
        self.boxes: dict[str, QCheckBox] = {}
        self.note = Note(parent.viewer)
        self.note.show_lines([], draft.doubts)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.ok = self.buttons.addButton(button, QDialogButtonBox.ButtonRole.AcceptRole)
        self.ok.setToolTip("Go on with what is ticked.")
        cancel = self.buttons.button(QDialogButtonBox.StandardButton.Cancel)
        cancel.setToolTip("Leave everything as it is.")
        self.column = QVBoxLayout(self)
        self._lay_out()
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)

    def _lay_out(self) -> None:
        self.column.addLayout(lined_up({"Title": self.name}))
        self.column.addWidget(heading("What goes in"))
        for part, about in PARTS.items():
            box = self.boxes[part] = QCheckBox(f"{part}: {about}")
            box.setToolTip(f"Whether it goes in: {about}.")
            there = part not in self._draft.missing
            box.setChecked(there and part in self._draft.usual)
            box.setEnabled(there)
            told = QLabel(self._draft.told(part))
            told.setWordWrap(True)
            told.setEnabled(there)
            told.setStyleSheet("font-size: 8pt")
            told.setContentsMargins(INDENT_PX, 0, 0, 4)
            self.column.addWidget(box)
            self.column.addWidget(told)
        self.column.addWidget(self.note)
        self.column.addWidget(self.buttons)
        self.setMinimumWidth(WIDTH)

    def recipe(self) -> Recipe:
        """Return the recipe of the parts that are ticked."""
        parts = [part for part, box in self.boxes.items() if box.isChecked()]
        return self._draft.chosen(parts, self.name.text().strip())


class QueueDialog(RecipeDialog):
    """Asks besides for the file of the result, and which computers do it."""

    def __init__(self, draft: Draft, output: Path, parent: Dock) -> None:
        """Make the dialog.

        Args:
            draft: What the docks say.
            output: Where the result goes unless the user says otherwise.
            parent: A dock.
        """
        super().__init__(draft, parent, "Queue")
        self.setWindowTitle("Queue a run")
        self.boxes[SCAN].setEnabled(False)  # what runs has a scan
        self.output = QLineEdit(str(output))
        self.output.setToolTip("Where the result is written (HDF5); it must not be there yet.")
        self.where = QComboBox()
        self.where.setEditable(True)
        self.where.addItem(HERE)
        self.where.setToolTip(
            "This computer, or the address of a Dask scheduler: tcp://host:8786. What is queued "
            "goes on when napari is closed; the Jobs dock lists it."
        )
        choose = QPushButton("Choose…")
        choose.setToolTip("Choose the output file.")
        beside = QHBoxLayout()
        beside.addWidget(self.output, 1)
        beside.addWidget(choose)
        rows = lined_up({"Output file": beside, "Runs on": self.where})
        self.column.insertLayout(1, rows)
        choose.clicked.connect(self._ask)

    def _ask(self) -> None:
        path, _ = ask_target(self, "Output file", self.output.text(), "Reconstructions (*.h5)")
        if path:
            self.output.setText(str(path))
