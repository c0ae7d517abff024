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
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_ptycho.gui.fold import Fold
from napari_ptycho.gui.offer_box import OfferBox
from napari_ptycho.gui.widgets import form_rows
from napari_ptycho.options import UNITS, Options, Parameter, Value, describe

Field = QSpinBox | QDoubleSpinBox | QCheckBox | QComboBox | QLineEdit
ADVANCED = "Advanced"
NO_UNIT = "A number without a unit."
ACRONYMS = {"ssim": "SSIM", "psnr": "PSNR", "frc": "FRC", "sifrc": "siFRC"}
LABELS_PX = 92
"""Least width of the labels, so that forms below each other line up."""


class OptionsForm(QWidget):
    """Edits the parameters of one Options class; starts from its defaults, remembers nothing."""

    changed = Signal()
    """The user has edited a parameter."""

    def __init__(
        self,
        cls: type[Options],
        main: Sequence[str] = (),
        hidden: Sequence[str] = (),
        offered: Sequence[str] = (),
        parent: QWidget | None = None,
    ) -> None:
        """Build the form.

        Args:
            cls: The Options class.
            main: Parameters that show at once. The others fold: under the name of their group, or
                under "Advanced" where they have none. Empty shows all that have no group.
            hidden: Parameters that have a field but no row: something else chooses them.
            offered: Texts of which some are offered to choose from: `OfferBox`es.
            parent: The widget this one lies in.
        """
        super().__init__(parent)
        self._offered = tuple(offered)
        self.cls = cls
        self.fields: dict[str, Field] = {}
        self.folds: dict[str, Fold] = {}
        self._hidden = tuple(hidden)
        self._silent = False
        self._parameters = {parameter.name: parameter for parameter in describe(cls)}
        self._places = {name: _place(p, main) for name, p in self._parameters.items()}
        self._lay_out()

    def _lay_out(self) -> None:
        titles = sorted(
            dict.fromkeys(self._places.values()), key=_last
        )  # "" first, "Advanced" last
        groups: dict[str, QFormLayout] = {title: form_rows() for title in titles}
        for parameter in self._parameters.values():
            field = self._field(parameter)
            if parameter.name in self._hidden:
                field.setParent(self)
                field.hide()
                continue
            rows = groups[self._places[parameter.name]]
            rows.addRow(label(parameter.name, parameter.unit), field)
            rows.labelForField(field).setMinimumWidth(LABELS_PX)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for title, rows in groups.items():
            if title:
                self.folds[title] = Fold(title, rows)
                layout.addWidget(self.folds[title])
            else:
                layout.addLayout(rows)

    def options(self) -> Options:
        """Return the parameters as they stand.

        Raises:
            OptionsError: A value is not allowed.
        """
        return self.cls(**{name: _value(field) for name, field in self.fields.items()})

    def set_options(self, options: Options) -> None:
        """Show these parameters; `changed` is for the user's edits only."""
        self._silent = True
        for name, value in options.as_dict().items():
            _set(self.fields[name], value)
        self._silent = False
        self._mark()

    def _mark(self) -> None:
        """Tell in the titles of the folds what they hide that is not at its default."""
        for title, fold in self.folds.items():
            places = self._places.items()
            inside = [n for n, place in places if place == title and n not in self._hidden]
            values = {name: _value(self.fields[name]) for name in inside}
            defaults = {name: self._parameters[name].default for name in inside}
            fold.mark([f"{n} = {v}" for n, v in values.items() if v != defaults[n]])

    def _field(self, parameter: Parameter) -> Field:
        field = OfferBox() if parameter.name in self._offered else _make(parameter)
        _set(field, parameter.default)
        field.setToolTip(_tooltip(parameter))
        field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        field.installEventFilter(self)
        _changed(field).connect(self._on_changed)
        self.fields[parameter.name] = field
        return field

    def _on_changed(self, *_: Any) -> None:
        if not self._silent:
            self._mark()
            self.changed.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the wheel scroll the dock instead of changing a number on the way."""
        untouched = isinstance(watched, QWidget) and not watched.hasFocus()
        if event.type() == QEvent.Type.Wheel and untouched:
            event.ignore()
            return True
        return False


def label(name: str, unit: str = "") -> str:
    """Return "object_step" as "Object step", "diameter_um" as "Diameter (µm)".

    Args:
        name: Of a parameter.
        unit: Where no suffix says it; one of several words is left to the tooltip.
    """
    words = name.split("_")
    unit = UNITS.get(words[-1], unit)
    words = words[:-1] if words[-1] in UNITS else words
    text = " ".join(ACRONYMS.get(word, word) for word in words)
    text = text[:1].upper() + text[1:]
    return f"{text} ({unit})" if unit and " " not in unit else text


def _place(parameter: Parameter, main: Sequence[str]) -> str:
    if parameter.group or not main or parameter.name in main:
        return parameter.group
    return ADVANCED


def _last(title: str) -> int:
    return {"": 0, ADVANCED: 2}.get(title, 1)


def _make(parameter: Parameter) -> Field:
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
    return max(2, *map(_digits, numbers))


def _digits(number: float) -> int:
    return len(f"{number:.9f}".rstrip("0").partition(".")[2])


def _tooltip(parameter: Parameter) -> str:
    allowed = parameter.range
    span = "" if allowed is None else f"\nFrom {allowed.low:g} to {allowed.high:g}."
    if parameter.kind in (int, float):
        span += f"\nUnit: {parameter.unit}." if parameter.unit else f"\n{NO_UNIT}"
    default = parameter.default if parameter.default != "" else "empty"
    source = f"\nSource: {parameter.source}." if parameter.source else ""
    return f"{parameter.help}{span}\nDefault: {default}.{source}"


def _value(field: Field) -> Value:
    if isinstance(field, QComboBox):
        return str(field.currentText())
    if isinstance(field, QCheckBox):
        return bool(field.isChecked())
    if isinstance(field, QLineEdit):
        return str(field.text()).strip()
    value: Value = field.value()
    return value


def _set(field: Field, value: Value) -> None:
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


def _changed(field: Field) -> Any:
    if isinstance(field, OfferBox):
        return field.edited
    if isinstance(field, QLineEdit):
        return field.editingFinished
    if isinstance(field, QComboBox):
        return field.currentIndexChanged
    return field.toggled if isinstance(field, QCheckBox) else field.valueChanged
