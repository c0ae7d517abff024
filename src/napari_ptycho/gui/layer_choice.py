"""A choice among the image layers of a viewer that follows what comes, goes and is renamed."""

from collections.abc import Callable, Sequence
from typing import Any

from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtCore import QSignalBlocker, Signal  # type: ignore[attr-defined]

from napari_ptycho.gui import canvas
from napari_ptycho.gui.widgets import Choice


class LayerChoice(Choice):
    """Words, then the layers that are accepted, the topmost first."""

    changed = Signal()
    """Another word or layer is chosen, by the user or because the one before is gone."""

    def __init__(
        self,
        viewer: Viewer,
        tip: str,
        words: Sequence[str] = (),
        accepts: Callable[[Layer], bool] = canvas.is_plane,
        follows: Sequence[str] = (),
    ) -> None:
        """Make the choice.

        Args:
            viewer: Whose layers.
            tip: What is chosen.
            words: What can be chosen beside layers.
            accepts: Which layers can be chosen.
            follows: Roles of layers that are chosen when they come, until the user chooses.
        """
        super().__init__(tip)
        self._viewer, self._words, self._accepts = viewer, tuple(words), accepts
        self._follows = tuple(follows)
        self._layers: list[Layer] = []
        self.activated.connect(self._on_chosen)
        events = viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.connect(self._on_layers)
        events.renamed.connect(self._on_renamed)
        self.currentIndexChanged.connect(self._on_index)
        self._on_layers()

    @property
    def layer(self) -> Layer | None:
        """The chosen layer; None where it is a word."""
        index = self.currentIndex() - len(self._words)
        return self._layers[index] if 0 <= index < len(self._layers) else None

    @property
    def word(self) -> str:
        """The chosen word; "" where it is a layer."""
        index = self.currentIndex()
        return self._words[index] if 0 <= index < len(self._words) else ""

    def choose(self, what: Layer | str) -> None:
        """Choose a layer, or a word."""
        self._follows = ()
        self._choose(what)

    def _choose(self, what: Layer | str) -> None:
        if isinstance(what, str):
            self.setCurrentIndex(self._words.index(what))
        else:
            self.setCurrentIndex(len(self._words) + self._layers.index(what))

    def _on_layers(self, event: Any = None) -> None:
        before: Layer | str | None = self.layer or self.word or None
        self._layers = [layer for layer in reversed(self._viewer.layers) if self._accepts(layer)]
        with QSignalBlocker(self):
            self.clear()
            self.addItems([*self._words, *(layer.name for layer in self._layers)])
            there = before in self._layers or before in self._words
            if there and before is not None:
                self._choose(before)
        if not there:
            self.changed.emit()
        come: Any = event.value if getattr(event, "type", "") == "inserted" else None
        if come in self._layers and come.metadata.get(canvas.ROLE) in self._follows:
            self._choose(come)

    def _on_chosen(self, _: int) -> None:
        self._follows = ()

    def _on_renamed(self, event: Any = None) -> None:
        with QSignalBlocker(self):
            for i, layer in enumerate(self._layers, len(self._words)):
                if self.itemText(i) != layer.name:
                    self.setItemText(i, layer.name)

    def _on_index(self, _: int) -> None:
        self.changed.emit()
