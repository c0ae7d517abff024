"""Eight small images, the best orientation first, framed by class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_ptycho.engines.ranking import OrientationRanking
from napari_ptycho.gui.views import contrast
from napari_ptycho.prepare.orientation import CODES

COLUMNS, IMAGE_PX = 4, 72
CLASS_COLOURS = ("#43a047", "#1e88e5", "#8e24aa", "#f4511e")
"""Of the classes, the best first; the near field has eight, which repeat them."""


class RankingGrid(QWidget):
    """The images of a ranking with their errors, and a button for each that uses it."""

    used = Signal(int)
    """Turn the frames by this code."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = [_Cell() for _ in CODES]
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for number, cell in enumerate(self.cells):
            layout.addWidget(cell, number // COLUMNS, number % COLUMNS)
            cell.used.connect(self.used)
        self.setVisible(False)

    def show_ranking(self, ranking: OrientationRanking | None) -> None:
        """Show what is ranked so far; None or nothing hides all."""
        places = {} if ranking is None else _places(ranking.classes)
        self.setVisible(bool(places))
        for number, cell in enumerate(self.cells):
            code, rank = places.get(number, (None, 0))
            cell.setVisible(code is not None)
            if code is not None and ranking is not None:
                place = ranking.codes.index(code)
                cell.show_code(code, ranking.errors[place], ranking.images[place], rank)


def _places(classes: tuple[tuple[int, ...], ...]) -> dict[int, tuple[int, int]]:
    """Return cell -> (code, rank of its class): a pair lies one above the other."""
    if classes and len(classes[0]) == 1:
        return {rank: (group[0], rank) for rank, group in enumerate(classes)}
    return {
        row * COLUMNS + rank: (code, rank)
        for rank, group in enumerate(classes)
        for row, code in enumerate(group)
    }


class _Cell(QFrame):
    """One orientation."""

    used = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("orientation")
        self.code = 0
        self.image, self.text, self.button = QLabel(), QLabel(), QPushButton("Use this")
        self.image.setFixedSize(IMAGE_PX, IMAGE_PX)
        self.image.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.button.setToolTip("Turn the patterns of the scan this way; undoes bins.")
        self.text.setToolTip("Code of the orientation: its error, (|F| − √counts)² over counts.")
        for widget in (self.text, self.button):
            widget.setStyleSheet("font-size: 8pt; padding: 1px")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3, 3, 3, 3)
        layout.setSpacing(1)
        layout.addWidget(self.image, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self.text)
        layout.addWidget(self.button)
        self.button.clicked.connect(self._on_use)

    def show_code(self, code: int, error: float, image: NDArray[Any], rank: int) -> None:
        """Show an orientation."""
        self.code = code
        colour = CLASS_COLOURS[rank % len(CLASS_COLOURS)]
        self.setStyleSheet(f"#orientation {{ border: 2px solid {colour}; }}")
        self.image.setPixmap(_pixmap(np.angle(image)))
        self.text.setText(f"{code}: {error:.4f}")
        self.button.setEnabled(code != 0)
        self.button.setText("Use this" if code else "As it is")
        self.setToolTip(f"Orientation {code}: {CODES[code]}. Error {error:.5f}.")

    def _on_use(self) -> None:
        self.used.emit(self.code)


def _pixmap(phase: NDArray[np.floating[Any]]) -> QPixmap:
    """Return a phase (h, w) in grey, as large as a cell has room for."""
    low, high = contrast(phase.astype(np.float32))
    grey = np.ascontiguousarray(np.clip((phase - low) / (high - low), 0, 1) * 255, np.uint8)
    height, width = grey.shape
    image = QImage(grey.tobytes(), width, height, width, QImage.Format.Format_Grayscale8)
    return QPixmap.fromImage(image).scaled(
        IMAGE_PX,
        IMAGE_PX,
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
