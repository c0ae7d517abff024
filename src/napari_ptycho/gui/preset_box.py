"""The choice of a chain: suggested for this scan, one of the presets, or the user's own."""

from napari.utils.notifications import show_warning
from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from napari_ptycho.engines import PRESETS
from napari_ptycho.engines.stages import as_tables, of_tables
from napari_ptycho.errors import OptionsError
from napari_ptycho.gui import kept
from napari_ptycho.gui.advice import Advice
from napari_ptycho.gui.form import lined_up
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.stages import Stages
from napari_ptycho.gui.widgets import Choice, Note

SUGGESTED, OWN = "Suggested", "Own"
CHAIN = "Reconstruct.own"


class PresetBox(QWidget):
    """Chooses a chain and tells why."""

    chosen = Signal(tuple)
    """The stages to show now."""
    asked = Signal()
    """The user wants a suggestion for the current scan."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._own = _own()
        self.combo = Choice("A chain of engines to begin with; every value can be changed below.")
        self.combo.add(SUGGESTED, "Engines and values that suit this scan, each with its reason.")
        for preset in PRESETS.values():
            self.combo.add(preset.title, preset.help)
        self.combo.add(OWN, "What you have changed yourself.")
        self.note = Note(viewer, small=True)
        stack(self, lined_up({"Preset": self.combo}), self.note, spacing=4)
        titles = tuple(preset.title for preset in PRESETS.values())
        kept.choice(self.combo, "Reconstruct.preset", titles)
        self.combo.activated.connect(self._on_activated)

    def begin(self) -> None:
        """Choose the preset that the user chose the last time; his own chain waits to be chosen."""
        if not self.suggesting:
            self._on_activated(self.combo.currentIndex())

    @property
    def suggesting(self) -> bool:
        """Whether the chain is to be the suggested one."""
        return bool(self.combo.currentText() == SUGGESTED)

    def show_waiting(self, line: str) -> None:
        """Say what the suggestion waits for."""
        if self.suggesting:
            self.note.show_lines([line] if line else [])

    def show_advice(self, advice: Advice) -> None:
        """Show a suggestion with its reasons, unless the user has chosen something else."""
        if not self.suggesting:
            return
        if advice.suggestion is None:
            self.note.show_lines([], [advice.problem] if advice.problem else [])
            return
        reasons = [f"• {reason}" for reason in advice.suggestion.reasons]
        self.note.show_lines(reasons, advice.suggestion.warnings)
        self.chosen.emit(advice.suggestion.stages)

    def set_own(self, stages: Stages) -> None:
        """The user has edited the chain; it is kept while he looks at others, and for next time."""
        kept.kept().put(CHAIN, as_tables(stages))
        self.show_own(stages)

    def show_own(self, stages: Stages) -> None:
        """The chain is the user's, but not edited here: of a recipe. Next time it is forgotten."""
        self._own = stages
        self.combo.setCurrentText(OWN)
        self.note.show_lines()

    def _on_activated(self, index: int) -> None:
        if self.suggesting:
            self.asked.emit()
        elif self.combo.currentText() == OWN:
            self.note.show_lines()
            if self._own:
                self.chosen.emit(self._own)
        else:
            preset = tuple(PRESETS.values())[index - 1]
            self.note.show_lines([preset.help])
            self.chosen.emit(preset.stages)


def _own() -> Stages:
    """Return the chain that was the user's own the last time; empty where there is none."""
    tables = kept.kept().get(CHAIN, list)
    try:
        return () if tables is None else of_tables(tables, CHAIN)
    except OptionsError as error:
        show_warning(f"{error}; edit the chain again to have it under '{OWN}'")
        kept.kept().put(CHAIN, None)
        return ()
