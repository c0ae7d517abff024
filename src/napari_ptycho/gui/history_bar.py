"""A slider over the kept outputs of a run."""

from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QWidget

from napari_ptycho.denoise.result import Past


class HistoryBar(QWidget):
    """Chooses one of the kept outputs, or goes back to the best."""

    chosen = Signal(object)
    """An iteration whose output is to be shown, or None for the best (in a run: the newest)."""

    def __init__(self) -> None:
        super().__init__()
        self._iterations: Sequence[int] = ()
        self.pinned: int | None = None
        """The iteration that the user looks at."""
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip("Outputs that were kept on the way.")
        self.memory = QLabel()
        self.memory.setStyleSheet("font-size: 8pt")
        self.best_button = QPushButton("best")
        self.best_button.setToolTip("Show what is kept: the best output, in a run the newest.")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.memory)
        layout.addWidget(self.best_button)
        self.slider.valueChanged.connect(self._on_slider)
        self.best_button.clicked.connect(self.go_to_best)
        self.show_past(Past(), 0)

    def show_past(self, past: Past, best: int) -> None:
        """Offer these outputs; the slider stays at what the user looks at, else at the best."""
        self._iterations = past.iterations
        count = len(past)
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, max(count - 1, 0))
            self._place(self.pinned or best)
        self.memory.setText(f"{count} outputs, {_size(past.nbytes)}")
        self.setVisible(count > 0)

    def restart(self) -> None:
        """A run begins: nothing is looked at in particular."""
        self.pinned = None

    def go_to_best(self) -> None:
        """Return to what is kept."""
        self.pinned = None
        self.chosen.emit(None)

    def _place(self, iteration: int) -> None:
        if len(self._iterations):
            near = int(np.argmin(np.abs(np.array(self._iterations) - iteration)))
            self.slider.setValue(near)

    def _on_slider(self, number: int) -> None:
        if number < len(self._iterations):
            self.pinned = int(self._iterations[number])
            self.chosen.emit(self.pinned)


def _size(count: int) -> str:
    if count < 1e6:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:.0f} MB"
