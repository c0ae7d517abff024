"""How the parts of a widget lie: below each other, or as buttons in a row."""

from qtpy.QtWidgets import QHBoxLayout, QLayout, QPushButton, QVBoxLayout, QWidget

NARROW_PX = 40
"""Least width of a button that lies beside others."""


def stack(of: QWidget, *parts: QWidget | QLayout, spacing: int = -1) -> QVBoxLayout:
    """Lay the parts of a widget below each other, without margins.

    Args:
        of: The widget.
        parts: The topmost first.
        spacing: Pixels between them; -1 is that of the style.
    """
    layout = QVBoxLayout(of)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for part in parts:
        if isinstance(part, QWidget):
            layout.addWidget(part)
        else:
            layout.addLayout(part)
    return layout


def button_row(*buttons: QPushButton) -> QHBoxLayout:
    """Return buttons beside each other, which can be narrow."""
    row = QHBoxLayout()
    for button in buttons:
        button.setMinimumWidth(NARROW_PX)
        row.addWidget(button)
    return row
