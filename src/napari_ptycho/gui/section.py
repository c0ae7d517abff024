"""A part of a dock that opens and closes under its title, and is as high as what it holds.

`fold.Fold` keeps the height that its rows had when it was opened; here they come and go.
"""

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QPushButton, QSizePolicy, QWidget

from napari_ptycho.gui.fold import CLOSED, FLAT, OPEN
from napari_ptycho.gui.layouts import stack

INDENT_PX = 10


class Section(QWidget):
    """Closed at first."""

    toggled = Signal(bool)
    """Whether it is open now."""

    def __init__(self, title: str, inside: QWidget, tip: str) -> None:
        """Make it.

        Args:
            title: On the button that opens and closes it.
            inside: What it holds.
            tip: What that is for.
        """
        super().__init__()
        self.title, self.inside, self.button = title, inside, QPushButton()
        self.button.setToolTip(f"{tip} Click to show or hide it.")
        self.button.setCheckable(True)
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button.setStyleSheet(FLAT)
        stack(self, self.button, inside, spacing=2)
        inside.setContentsMargins(INDENT_PX, 0, 0, 4)
        self.button.toggled.connect(self._on_toggled)
        self._on_toggled(False)

    @property
    def is_open(self) -> bool:
        """Whether what it holds shows."""
        return self.button.isChecked()

    def open(self, on: bool = True) -> None:
        """Open or close it."""
        self.button.setChecked(on)

    def _on_toggled(self, on: bool) -> None:
        self.inside.setVisible(on)
        self.button.setText(f"{OPEN if on else CLOSED} {self.title}")
        self.toggled.emit(on)
