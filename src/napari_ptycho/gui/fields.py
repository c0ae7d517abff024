"""One field of a form: the widget that edits a parameter, and its value."""

from typing import Any

from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QSpinBox,
)

from napari_ptycho.gui.typed_choice import TypedChoice
from napari_ptycho.options import Parameter, Value

Field = QSpinBox | QDoubleSpinBox | QCheckBox | QComboBox | QLineEdit
NO_UNIT = "A number without a unit."


def make(parameter: Parameter) -> Field:
    """Return the widget that edits a parameter; it shows no value yet."""
    if parameter.choices:
        box = QComboBox()
        box.addItems(parameter.choices)
        return box
    if parameter.kind is bool:
        return QCheckBox()
    if parameter.kind is str:
        return QLineEdit()
    spin = QSpinBox() if parameter.kind is int else QDoubleSpinBox()
    spin.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToNearestValue)
    spin.setKeyboardTracking(False)
    spin.setMinimumWidth(80)
    allowed = parameter.range
    if isinstance(spin, QDoubleSpinBox):
        spin.setDecimals(_decimals(parameter))
    low, high, step = -1e9, 1e9, 1.0
    if allowed is not None:
        low, high, step = allowed.low, allowed.high, allowed.step
    if isinstance(spin, QSpinBox):
        spin.setRange(round(low), round(high))
        spin.setSingleStep(max(1, round(step)))
    else:
        spin.setRange(low, high)
        spin.setSingleStep(step)
    return spin


def _decimals(parameter: Parameter) -> int:
    """Return as many decimals as default, step and lower bound need (at least 2)."""
    numbers = [float(parameter.default)]
    if parameter.range is not None:
        numbers += [parameter.range.low, parameter.range.step]
    return max(2, *map(_digits, numbers))


def _digits(number: float) -> int:
    return len(f"{number:.9f}".rstrip("0").partition(".")[2])


def tooltip(parameter: Parameter) -> str:
    """Return what a parameter is, its range, unit, default and source."""
    allowed = parameter.range
    span = "" if allowed is None else f"\nFrom {allowed.text}."
    if parameter.kind in (int, float):
        span += f"\nUnit: {parameter.unit}." if parameter.unit else f"\n{NO_UNIT}"
    default = parameter.default if parameter.default != "" else "empty"
    source = f"\nSource: {parameter.source}." if parameter.source else ""
    return f"{parameter.help}{span}\nDefault: {default}.{source}"


def value_of(field: Field) -> Value:
    """Return the value that a field shows."""
    if isinstance(field, QComboBox):
        return str(field.currentText())
    if isinstance(field, QCheckBox):
        return bool(field.isChecked())
    if isinstance(field, QLineEdit):
        return str(field.text()).strip()
    value: Value = field.value()
    return value


def set_value(field: Field, value: Value) -> None:
    """Show a value, with as many decimals as it has."""
    if isinstance(field, QComboBox):
        field.setCurrentText(str(value))
    elif isinstance(field, QLineEdit):
        field.setText(str(value))
    elif isinstance(field, QCheckBox):
        field.setChecked(bool(value))
    elif isinstance(field, QSpinBox):
        field.setValue(int(value))
    else:
        field.setDecimals(max(field.decimals(), _digits(float(value))))
        field.setValue(float(value))


def changed_of(field: Field) -> Any:
    """Return the signal that says that a field was edited."""
    if isinstance(field, TypedChoice):
        return field.edited
    if isinstance(field, QLineEdit):
        return field.editingFinished
    if isinstance(field, QComboBox):
        return field.currentIndexChanged
    return field.toggled if isinstance(field, QCheckBox) else field.valueChanged
