"""A text that can be typed, or taken from a list of offers, each with its reason."""

from collections.abc import Mapping

from qtpy.QtCore import QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox


class TypedChoice(QComboBox):
    """An editable list; what is typed is not added to it."""

    edited = Signal()
    """The user has typed another text, or taken an offer."""

    def __init__(self) -> None:
        super().__init__()
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self._told = ""
        self.activated.connect(self._tell)
        edit = self.lineEdit()
        assert edit is not None  # it is editable
        edit.editingFinished.connect(self._tell)

    def suggest(self, text: str) -> None:
        """Say what no text means."""
        edit = self.lineEdit()
        if edit is not None:
            edit.setPlaceholderText(text)

    def offer(self, reasons: Mapping[str, str]) -> None:
        """Offer these texts, each with why; the text that stands there stays."""
        text = self.currentText()
        with QSignalBlocker(self):
            self.clear()
            for row, (offer, why) in enumerate(reasons.items()):
                self.addItem(offer)
                self.setItemData(row, why, Qt.ItemDataRole.ToolTipRole)
            self.setCurrentIndex(self.findText(text))
            self.setEditText(text)

    def setCurrentText(self, text: str) -> None:
        """Show a text; `edited` is for what the user does."""
        super().setCurrentText(text)
        self._told = text

    def _tell(self, *_: object) -> None:
        if self.currentText() != self._told:
            self._told = self.currentText()
            self.edited.emit()
