"""A field for a number with a unit: "12.7 keV", "1,120 mm", "55 x 75 um"; empty = unknown."""

import re
from collections.abc import Mapping, Sequence

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QLineEdit

from napari_ptycho.errors import OptionsError

ENERGY: Mapping[str, float] = {"eV": 1.0, "keV": 1e3, "MeV": 1e6}
LENGTH: Mapping[str, float] = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "µm": 1e-6, "um": 1e-6, "nm": 1e-9}
ANGLE: Mapping[str, float] = {"rad": 1.0, "mrad": 1e-3, "µrad": 1e-6, "urad": 1e-6}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


def parse(text: str, units: Mapping[str, float], unit: str) -> tuple[float, ...]:
    """Return the numbers of a text in SI units (eV for energies); nothing for an empty text.

    Args:
        text: One number, or two with x between them, and a unit or none.
        units: Name of a unit -> its factor.
        unit: Taken where the text names none.

    Raises:
        OptionsError: It is no such number, it is not positive, or the unit is another.
    """
    text = text.strip()
    if not text:
        return ()
    found = re.fullmatch(rf"({_NUMBER})(?:\s*[x×]\s*({_NUMBER}))?\s*([^\W\d]*)", text)
    if not found:
        raise OptionsError(f"'{text}' is no number with a unit; need something like 1.5 {unit}")
    named = found[3].replace("μ", "µ") or unit
    if named not in units:
        raise OptionsError(f"'{text}': the unit must be one of {', '.join(units)}")
    values = tuple(float(number) * units[named] for number in found.group(1, 2) if number)
    if min(values) <= 0:
        raise OptionsError(f"'{text}' must be positive; leave it empty if it is unknown")
    return values


class QuantityEdit(QLineEdit):
    """Edits one positive quantity, or two (height x width); keeps what cannot be read, in red."""

    edited = Signal(tuple)
    """The new value in SI units (eV for energies): (), (value,) or (height, width)."""

    def __init__(self, units: Mapping[str, float], unit: str) -> None:
        super().__init__()
        self._units, self._unit = units, unit
        self._values: tuple[float, ...] = ()
        self._told = ""
        self.setPlaceholderText("unknown")
        self.setMinimumWidth(80)
        self.editingFinished.connect(self._read)

    def show_values(self, values: Sequence[float | None]) -> None:
        """Show a value, two values, or None for unknown."""
        known = [value for value in values if value is not None]
        self._values = tuple(known[:1] if len(set(known)) == 1 else known)
        numbers = [f"{value / self._units[self._unit]:.6g}" for value in self._values]
        self.setText(f"{' x '.join(numbers)} {self._unit}" if numbers else "")
        self.complain("")

    def explain(self, text: str) -> None:
        """Say what the quantity is; the units are added."""
        units = ", ".join(name for name in self._units if name[0] != "u")  # but "µm" for "um"
        self._told = f"{text}\nUnit: {units}; {self._unit} where none is typed.\nEmpty: unknown."
        self.complain("")

    def complain(self, warning: str) -> None:
        """Mark the field red, with this before its tooltip; an empty text unmarks it."""
        self.setToolTip("\n".join(filter(None, (warning, self._told))))
        self.setStyleSheet("QLineEdit { border: 1px solid #e5534b; }" if warning else "")

    def _read(self) -> None:
        try:
            values = parse(self.text(), self._units, self._unit)
        except OptionsError as error:
            self.complain(str(error))
            return
        if len(values) == len(self._values) and all(
            abs(a - b) <= 1e-5 * b for a, b in zip(values, self._values, strict=True)
        ):
            self.show_values(self._values)
            return
        self.show_values(values or (None,))
        self.edited.emit(values)
