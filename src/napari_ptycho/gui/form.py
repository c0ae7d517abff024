"""A form from an Options class: `describe()` is all it knows about the parameters."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from qtpy.QtCore import QEvent, QObject, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFormLayout, QLayout, QWidget

from napari_ptycho.errors import OptionsError
from napari_ptycho.gui.fields import Field, changed_of, make, set_value, tooltip, value_of
from napari_ptycho.gui.fold import Fold
from napari_ptycho.gui.layouts import stack
from napari_ptycho.gui.typed_choice import TypedChoice
from napari_ptycho.gui.widgets import form_rows
from napari_ptycho.options import UNITS, Options, Parameter, Value, describe

ADVANCED = "Advanced"
ACRONYMS = {"ssim": "SSIM", "psnr": "PSNR", "frc": "FRC", "sifrc": "siFRC"}
LABELS_PX = 92
"""Least width of the labels, so that forms below each other line up."""
Edited = TypeVar("Edited", bound=Options)


class OptionsForm(QWidget, Generic[Edited]):
    """Edits the parameters of one Options class; starts from its defaults. `kept` remembers."""

    changed = Signal()
    """The user has edited a parameter."""
    settled = Signal()
    """`chosen` may be another: the user has edited, or what he had chosen was replaced."""

    def __init__(
        self,
        cls: type[Edited],
        main: Sequence[str] = (),
        hidden: Sequence[str] = (),
        offered: Sequence[str] = (),
    ) -> None:
        """Build the form.

        Args:
            cls: The Options class.
            main: Parameters that show at once. The others fold: under the name of their group, or
                under "Advanced" where they have none. Empty shows all that have no group.
            hidden: Parameters that have a field but no row: something else chooses them.
            offered: Texts of which some are offered to choose from: `TypedChoice`es.
        """
        super().__init__()
        self._offered = tuple(offered)
        self.cls = cls
        self.fields: dict[str, Field] = {}
        self.folds: dict[str, Fold] = {}
        self.chosen: frozenset[str] = frozenset()
        """Parameters whose value is the user's, by name."""
        self._hidden = tuple(hidden)
        self._silent = False
        self._parameters = {parameter.name: parameter for parameter in describe(cls)}
        self._places = {name: _place(p, main) for name, p in self._parameters.items()}
        self._lay_out()
        self._seen = self._values()

    def _lay_out(self) -> None:
        # "" first, "Advanced" last
        titles = sorted(dict.fromkeys(self._places.values()), key=_last)
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
        layout = stack(self, spacing=2)
        for title, rows in groups.items():
            if title:
                self.folds[title] = Fold(title, rows)
                layout.addWidget(self.folds[title])
            else:
                layout.addLayout(rows)

    def options(self) -> Edited:
        """Return the parameters as they stand.

        Raises:
            OptionsError: A value is not allowed.
        """
        return self.cls(**self._values())

    def set_options(self, options: Edited) -> None:
        """Show these parameters; `changed` is for the user's edits only."""
        self._silent = True
        for name, value in options.as_dict().items():
            set_value(self.fields[name], value)
        self._silent = False
        self._mark()
        self.chosen -= self._moved()
        self.settled.emit()

    def suggest(self, **values: Value) -> None:
        """Show values that suit what is open, where the user has chosen none himself."""
        self._silent = True
        for name, value in values.items():
            if name not in self.chosen:
                set_value(self.fields[name], value)
        self._silent = False
        self._moved()
        self._mark()

    def reset(self) -> None:
        """Show the defaults, as if the user had typed them; nothing is his choice any more."""
        self.set_options(self.cls())
        self.chosen = frozenset()
        self.changed.emit()
        self.settled.emit()

    def choices(self) -> dict[str, Value]:
        """Return what the user has chosen: name and value, in the order of the parameters."""
        return {name: value for name, value in self._values().items() if name in self.chosen}

    def choose(self, values: Mapping[str, Any]) -> list[str]:
        """Set parameters one by one, as a user does.

        Args:
            values: By name; of another version, perhaps.

        Returns:
            A sentence for each that is not allowed, or that there is not.
        """
        refused = []
        for name, value in values.items():
            try:
                if name not in self.fields:
                    raise OptionsError(f"{self.cls.__name__} has no '{name}'")
                checked = self._parameters[name].check(value, self.cls.__name__)
            except OptionsError as error:
                refused.append(str(error))
                continue
            self._silent = True
            set_value(self.fields[name], checked)
            self._silent = False
            self.chosen |= {name}
            self._on_changed()
        return refused

    def _values(self) -> dict[str, Value]:
        return {name: value_of(field) for name, field in self.fields.items()}

    def _moved(self) -> set[str]:
        """Return the parameters that are not as they were when this was last asked."""
        before, self._seen = self._seen, self._values()
        return {name for name, value in self._seen.items() if value != before[name]}

    def _mark(self) -> None:
        """Tell in the titles of the folds what they hide that is not at its default."""
        for title, fold in self.folds.items():
            places = self._places.items()
            inside = [n for n, place in places if place == title and n not in self._hidden]
            values = {name: value_of(self.fields[name]) for name in inside}
            defaults = {name: self._parameters[name].default for name in inside}
            fold.mark([f"{n} = {v}" for n, v in values.items() if v != defaults[n]])

    def _field(self, parameter: Parameter) -> Field:
        field = TypedChoice() if parameter.name in self._offered else make(parameter)
        set_value(field, parameter.default)
        field.setToolTip(tooltip(parameter))
        field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        field.installEventFilter(self)
        changed_of(field).connect(self._on_changed)
        self.fields[parameter.name] = field
        return field

    def _on_changed(self, *_: Any) -> None:
        if not self._silent:
            self.chosen |= self._moved()
            self._mark()
            self.changed.emit()
            self.settled.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the wheel scroll the dock instead of changing a number on the way."""
        untouched = isinstance(watched, QWidget) and not watched.hasFocus()
        if event.type() == QEvent.Type.Wheel and untouched:
            event.ignore()
            return True
        return False


def lined_up(fields: Mapping[str, QWidget | QLayout]) -> QFormLayout:
    """Return rows, by their labels, that line up with the forms above and below them."""
    rows = form_rows()
    for name, field in fields.items():
        rows.addRow(name, field)
        rows.labelForField(field).setMinimumWidth(LABELS_PX)
    return rows


def label(name: str, unit: str = "") -> str:
    """Return "object_step" as "Object step", "diameter_um" as "Diameter (µm)".

    Args:
        name: Of a parameter.
        unit: Where no suffix says it; one of several words, or one that the name has already, is
            left to the tooltip.
    """
    words = name.split("_")
    unit = UNITS.get(words[-1], unit)
    words = words[:-1] if words[-1] in UNITS else words
    text = " ".join(ACRONYMS.get(word, word) for word in words)
    text = text[:1].upper() + text[1:]
    return text if not unit or " " in unit or unit in words else f"{text} ({unit})"


def _place(parameter: Parameter, main: Sequence[str]) -> str:
    if parameter.group or not main or parameter.name in main:
        return parameter.group
    return ADVANCED


def _last(title: str) -> int:
    return {"": 0, ADVANCED: 2}.get(title, 1)
