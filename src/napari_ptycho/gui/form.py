"""A form from an Options class: `describe()` is all it knows about the parameters."""

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_ptycho.options import Options, Parameter, Value, describe

Field = QSpinBox | QDoubleSpinBox | QCheckBox | QComboBox


class OptionsForm(QWidget):
    """Edits the parameters of one Options class; starts from its defaults, remembers nothing."""

    changed = Signal()
    """A parameter was edited."""

    def __init__(
        self, cls: type[Options], main: Sequence[str] = (), parent: QWidget | None = None
    ) -> None:
        """Build the form.

        Args:
            cls: The Options class.
            main: Parameters that show at once; the others fold under "Advanced". Empty shows all.
            parent: The widget this one lies in.
        """
        super().__init__(parent)
        self.cls = cls
        self.fields: dict[str, Field] = {}
        shown, folded = _rows(), _rows()
        for parameter in describe(cls):
            field = self._field(parameter)
            rows = shown if not main or parameter.name in main else folded
            rows.addRow(label(parameter.name), field)
            rows.labelForField(field).setToolTip(field.toolTip())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(shown)
        if folded.rowCount():
            layout.addWidget(fold("Advanced", folded))

    def options(self) -> Options:
        """Return the parameters as they stand.

        Raises:
            OptionsError: A value is not allowed.
        """
        return self.cls(**{name: _value(field) for name, field in self.fields.items()})

    def set_options(self, options: Options) -> None:
        """Show these parameters."""
        for name, value in options.as_dict().items():
            _set(self.fields[name], value)

    def _field(self, parameter: Parameter) -> Field:
        field = _make(parameter)
        _set(field, parameter.default)
        field.setToolTip(_tooltip(parameter))
        field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        field.installEventFilter(self)
        _changed(field).connect(self._on_changed)
        self.fields[parameter.name] = field
        return field

    def _on_changed(self, *_: Any) -> None:
        self.changed.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the wheel scroll the dock instead of changing a number on the way."""
        untouched = isinstance(watched, QWidget) and not watched.hasFocus()
        if event.type() == QEvent.Type.Wheel and untouched:
            event.ignore()
            return True
        return False


def label(name: str) -> str:
    """Return "object_step" as "Object step", "diameter_um" as "Diameter (µm)"."""
    words = name.split("_")
    unit = {"um": "µm", "nm": "nm", "mm": "mm", "px": "px"}.get(words[-1])
    text = " ".join(words[:-1] if unit else words).capitalize()
    return f"{text} ({unit})" if unit else text


def fold(title: str, rows: QFormLayout) -> QCollapsible:
    """Return a closed fold that holds some rows."""
    inside = QWidget()
    rows.setContentsMargins(8, 4, 0, 4)
    inside.setLayout(rows)
    folded = QCollapsible(title)
    folded.setDuration(0)
    folded.setContent(inside)
    folded.collapse(animate=False)
    return folded


def _rows() -> QFormLayout:
    rows = QFormLayout()
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    rows.setVerticalSpacing(4)
    return rows


def _make(parameter: Parameter) -> Field:
    if parameter.choices:
        box = QComboBox()
        box.addItems(parameter.choices)
        return box
    if parameter.kind is bool:
        return QCheckBox()
    spin = QSpinBox() if parameter.kind is int else QDoubleSpinBox()
    spin.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToNearestValue)
    spin.setKeyboardTracking(False)
    spin.setMinimumWidth(80)
    allowed = parameter.range
    if isinstance(spin, QDoubleSpinBox):
        spin.setDecimals(_decimals(parameter))
    low, high, step = (-1e9, 1e9, 1.0) if allowed is None else _three(allowed)
    if isinstance(spin, QSpinBox):
        spin.setRange(round(low), round(high))
        spin.setSingleStep(max(1, round(step)))
    else:
        spin.setRange(low, high)
        spin.setSingleStep(step)
    return spin


def _three(allowed: Any) -> tuple[float, float, float]:
    return allowed.low, allowed.high, allowed.step


def _decimals(parameter: Parameter) -> int:
    """Return as many decimals as default, step and lower bound need (at least 2)."""
    numbers = [float(parameter.default)]
    if parameter.range is not None:
        numbers += [parameter.range.low, parameter.range.step]
    texts = [f"{number:.9f}".rstrip("0") for number in numbers]
    return max(2, *(len(text.partition(".")[2]) for text in texts))


def _tooltip(parameter: Parameter) -> str:
    allowed = parameter.range
    span = "" if allowed is None else f"\nFrom {allowed.low:g} to {allowed.high:g}."
    return f"{parameter.help}{span}\nDefault: {parameter.default}."


def _value(field: Field) -> Value:
    if isinstance(field, QComboBox):
        return str(field.currentText())
    if isinstance(field, QCheckBox):
        return bool(field.isChecked())
    value: Value = field.value()
    return value


def _set(field: Field, value: Value) -> None:
    if isinstance(field, QComboBox):
        field.setCurrentText(str(value))
    elif isinstance(field, QCheckBox):
        field.setChecked(bool(value))
    elif isinstance(field, QSpinBox):
        field.setValue(int(value))
    else:
        field.setValue(float(value))


def _changed(field: Field) -> Any:
    if isinstance(field, QComboBox):
        return field.currentIndexChanged
    return field.toggled if isinstance(field, QCheckBox) else field.valueChanged
