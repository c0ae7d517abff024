"""Offers in a dock to go on with what was interrupted when a process died."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_ptycho import recipes
from napari_ptycho.errors import PtychoError
from napari_ptycho.gui.app import found_dock, open_dock
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.offer_kept import Kept
from napari_ptycho.gui.runner import Runner
from napari_ptycho.gui.session import session_of
from napari_ptycho.gui.widgets import Note
from napari_ptycho.io.autosave import Checkpoint, interrupted
from napari_ptycho.recipes.recipe import Recipe

STEPS = {"denoising": "iterations"}
"""Kind of checkpoint -> what it counts, where it is not epochs."""


@dataclass(frozen=True, eq=False)
class Offer:
    """A run that can be gone on with."""

    path: Path
    checkpoint: Checkpoint
    """Without its arrays."""
    recipe: Recipe
    """What opens its scan again, and was done to it."""

    @property
    def text(self) -> str:
        """As in "An interrupted reconstruction of STAR: 37 of 100 epochs, 12:31."."""
        of, about = self.checkpoint, self.checkpoint.about
        steps = STEPS.get(of.kind, "epochs")
        return (
            f"An interrupted {about.get('title', of.kind)}: {of.done:.0f} of {of.total:.0f} "
            f"{steps}, {_when(float(about.get('time', 0)))}."
        )


def _when(seconds: float) -> str:
    then = datetime.fromtimestamp(seconds)
    return f"{then:%H:%M}" if then.date() == datetime.now().date() else f"{then:%Y-%m-%d %H:%M}"


def found(kinds: Sequence[str]) -> list[Offer]:
    """Return what can be gone on with, the newest first; for a thread.

    Args:
        kinds: Of checkpoints.

    Raises:
        FileError: The folder of checkpoints cannot be made.
    """
    offers = []
    for path, checkpoint in interrupted():
        text = checkpoint.about.get("recipe")
        if checkpoint.kind in kinds and isinstance(text, str):
            try:
                offers.append(Offer(path, checkpoint, recipes.loads(text, path.name)))
            except PtychoError:
                continue  # of another version: nobody could go on with it
    return sorted(offers, key=lambda one: one.checkpoint.about.get("time", 0), reverse=True)


class OfferRows(QWidget):
    """A row for each; looks for them in a thread once, when its dock opens."""

    ready = Signal(object)
    """The user goes on with this `Offer`, and its scan is open."""
    looked = Signal()
    """The rows that there are show."""

    def __init__(self, viewer: Viewer, dock: str, kinds: Sequence[str]) -> None:
        """Make the rows and begin to look.

        Args:
            viewer: Whose Scan dock opens the scans.
            dock: What the dock they lie in is called; it comes to the front for a run.
            kinds: Of checkpoints.
        """
        super().__init__()
        self._viewer, self._dock = viewer, dock
        self.rows: dict[Path, OfferRow] = {}
        self._pending: Offer | None = None
        self._column = stack(self, spacing=4)
        self.setVisible(False)
        self.runner = Runner(self)
        self.runner.finished.connect(self._on_found)
        self.runner.call(partial(found, tuple(kinds)), "look for interrupted runs")

    def _on_found(self, outcome: str, offers: Any) -> None:
        for offer in offers if outcome == "done" else ():
            row = self.rows[offer.path] = OfferRow(self._viewer, offer)
            row.go_button.clicked.connect(partial(self._go_on, offer))
            row.forget_button.clicked.connect(partial(self.forget, offer))
            self._column.addWidget(row)
        self.setVisible(bool(self.rows))
        self.looked.emit()

    def _go_on(self, offer: Offer) -> None:
        """Open the scan as the recipe says; `ready` comes when it is there."""
        if not offer.recipe.scan.file:
            self.ready.emit(offer)
            return
        dock = open_dock(self._viewer, "Scan")
        if dock.open_recipe(offer.recipe):
            if self._pending is None:
                dock.loaded.connect(self._on_loaded)
            self._pending = offer

    def _on_loaded(self) -> None:
        """Go on if this is the scan; it may be another file that the user has chosen for it."""
        offer, session = self._pending, session_of(self._viewer)
        if offer is None or session.view is None:
            return
        recipe = session.recipe
        same = replace(recipe, scan=offer.recipe.scan) == offer.recipe
        if same and session.view.told == recipe.scan and session.view.bins == recipe.binning:
            found_dock(self._viewer, "Scan").loaded.disconnect(self._on_loaded)
            self._pending = None
            open_dock(self._viewer, self._dock)
            self.ready.emit(offer)

    def forget(self, offer: Offer) -> None:
        """Remove a checkpoint, and its row."""
        Kept.of(offer.path, offer.checkpoint.about).discard()
        self.take(offer)

    def take(self, offer: Offer) -> None:
        """Remove the row of a run that goes on."""
        row = self.rows.pop(offer.path, None)
        if row is not None:
            row.hide()
            row.deleteLater()
        self.setVisible(bool(self.rows))


class OfferRow(QWidget):
    """One offer."""

    def __init__(self, viewer: Viewer, offer: Offer) -> None:
        super().__init__()
        self.note = Note(viewer)
        self.note.show_lines([offer.text])
        self.go_button, self.forget_button = QPushButton("Go on"), QPushButton("Forget")
        self.go_button.setToolTip(
            "Open its scan again and go on from the last autosave, as if it had never ended."
        )
        self.forget_button.setToolTip("Remove the autosave; this cannot be undone.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.note, 1)
        for button in (self.go_button, self.forget_button):
            row.addWidget(button)
