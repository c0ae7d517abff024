"""Energy, distances, pixels of the current scan, editable with units."""

from collections.abc import Mapping

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QWidget

from napari_ptycho.gui.quantity import ENERGY, LENGTH, QuantityEdit
from napari_ptycho.gui.widgets import form_rows
from napari_ptycho.model import Geometry


class GeometryForm(QWidget):
    """Shows and edits a Geometry; emits what changed."""

    edited = Signal(str, object)
    """Name and value of the field of `Geometry` that the user changed."""

    def __init__(self) -> None:
        super().__init__()
        self.fields = {
            "energy_ev": QuantityEdit(ENERGY, "keV"),
            "distance_m": QuantityEdit(LENGTH, "m"),
            "detector_pixel_m": QuantityEdit(LENGTH, "µm"),
            "focus_to_sample_m": QuantityEdit(LENGTH, "mm"),
        }
        self.propagation = QComboBox()
        self.propagation.addItems(["far", "near"])
        self.propagation.activated.connect(self._on_propagation)
        self.fields["energy_ev"].edited.connect(self._on_energy)
        self.fields["distance_m"].edited.connect(self._on_distance)
        self.fields["detector_pixel_m"].edited.connect(self._on_pixel)
        self.fields["focus_to_sample_m"].edited.connect(self._on_focus)
        self._rows = form_rows()
        self._rows.addRow("Energy", self.fields["energy_ev"])
        self._rows.addRow("Distance", self.fields["distance_m"])
        self._rows.addRow("Detector pixel", self.fields["detector_pixel_m"])
        self._rows.addRow("Propagation", self.propagation)
        self._rows.addRow("Focus to sample", self.fields["focus_to_sample_m"])
        self.setLayout(self._rows)

    def show_geometry(self, geometry: Geometry, warnings: Mapping[str, str]) -> None:
        """Show a geometry; fields with a warning in red."""
        for name, field in self.fields.items():
            value = getattr(geometry, name)
            field.show_values(value if isinstance(value, tuple) else (value,))
            field.complain(warnings.get(name, ""))
        self.propagation.setCurrentText(geometry.propagation)
        self._rows.setRowVisible(self.fields["focus_to_sample_m"], geometry.propagation == "near")

    def _on_energy(self, values: tuple[float, ...]) -> None:
        self.edited.emit("energy_ev", _one(values))

    def _on_distance(self, values: tuple[float, ...]) -> None:
        self.edited.emit("distance_m", _one(values))

    def _on_focus(self, values: tuple[float, ...]) -> None:
        self.edited.emit("focus_to_sample_m", _one(values))

    def _on_pixel(self, values: tuple[float, ...]) -> None:
        self.edited.emit("detector_pixel_m", (values * 2)[:2] or None)

    def _on_propagation(self, index: int) -> None:
        self.edited.emit("propagation", self.propagation.itemText(index))


def _one(values: tuple[float, ...]) -> float | None:
    return values[0] if values else None
