"""Energy, distances, pixels of the current scan, editable with units."""

from collections.abc import Mapping
from functools import partial

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QLabel, QWidget

from napari_ptycho.gui.quantity import ANGLE, ENERGY, LENGTH, QuantityEdit
from napari_ptycho.gui.widgets import Choice, form_rows
from napari_ptycho.model import Geometry

TIPS = {
    "energy_ev": "Of a photon, or the kinetic energy of an electron; it gives the wavelength.",
    "distance_m": "From the sample to the detector.",
    "detector_pixel_m": "Side of a pixel of the detector; 55 x 75 µm is height x width.",
    "detector_pixel_rad": "The angle that a pixel sees from the sample, where it is known and the "
    "distance is not.",
    "focus_to_sample_m": "From the focus to the sample: near field, where it gives the "
    "magnification (focus to sample + sample to detector) / focus to sample.",
}
"""Field of `Geometry` -> what it is."""
PAIRS = ("detector_pixel_m", "detector_pixel_rad")
"""Those with a height and a width; a single value is both."""
PROPAGATION = (
    "From the sample to the detector. far: a Fourier transform (Fraunhofer); near: the angular "
    "spectrum, for holograms. No file of every kind says which."
)


class GeometryForm(QWidget):
    """Shows and edits a Geometry; emits what changed."""

    edited = Signal(str, object)
    """Name and value of the field of `Geometry` that the user changed."""

    def __init__(self, all_rows: bool = False) -> None:
        """Make the form.

        Args:
            all_rows: Show what only electron microscopes need, even before there are electrons.
        """
        super().__init__()
        self._all_rows = all_rows
        self.fields = {
            "energy_ev": QuantityEdit(ENERGY, "keV"),
            "distance_m": QuantityEdit(LENGTH, "m"),
            "detector_pixel_m": QuantityEdit(LENGTH, "µm"),
            "detector_pixel_rad": QuantityEdit(ANGLE, "mrad"),
            "focus_to_sample_m": QuantityEdit(LENGTH, "mm"),
        }
        for name, field in self.fields.items():
            field.explain(TIPS[name])
            field.edited.connect(partial(self._on_field, name))
        self.particle = Choice("What the beam is made of: it gives the wavelength of an energy.")
        self.propagation = Choice(PROPAGATION)
        self.particle.addItems(["photon", "electron"])
        self.propagation.addItems(["far", "near"])
        self._lay_out()
        self.propagation.activated.connect(self._on_propagation)
        self.particle.activated.connect(self._on_particle)
        self.show_geometry(Geometry(), {})

    def _lay_out(self) -> None:
        fields = self.fields
        self._rows, self._energy = form_rows(), QLabel()
        for title, field in (
            ("Particle", self.particle),
            (self._energy, fields["energy_ev"]),
            ("Distance", fields["distance_m"]),
            ("Detector pixel", fields["detector_pixel_m"]),
            ("Pixel angle", fields["detector_pixel_rad"]),
            ("Propagation", self.propagation),
            ("Focus to sample", fields["focus_to_sample_m"]),
        ):
            self._rows.addRow(title, field)
        self._energy.setToolTip(fields["energy_ev"].toolTip())
        self.setLayout(self._rows)

    def show_geometry(self, geometry: Geometry, warnings: Mapping[str, str]) -> None:
        """Show a geometry; fields with a warning in red."""
        for name, field in self.fields.items():
            value = getattr(geometry, name)
            field.show_values(value if isinstance(value, tuple) else (value,))
            field.complain(warnings.get(name, ""))
        self.propagation.setCurrentText(geometry.propagation)
        self.particle.setCurrentText(geometry.particle)
        self._show_rows(geometry)

    def _show_rows(self, geometry: Geometry) -> None:
        electrons, near = geometry.particle == "electron", geometry.propagation == "near"
        by_angle = electrons and geometry.detector_pixel_rad is not None
        shown = {
            self.particle: electrons or self._all_rows,
            self.fields["detector_pixel_rad"]: electrons,
            self.fields["distance_m"]: not by_angle or geometry.distance_m is not None,
            self.fields["detector_pixel_m"]: not by_angle or geometry.detector_pixel_m is not None,
            self.fields["focus_to_sample_m"]: near,
        }
        for field, visible in shown.items():
            self._rows.setRowVisible(field, visible)
        self._energy.setText("Electron energy" if electrons else "Energy")

    def _on_field(self, name: str, values: tuple[float, ...]) -> None:
        if name in PAIRS:
            self.edited.emit(name, (values * 2)[:2] or None)
        else:
            self.edited.emit(name, values[0] if values else None)

    def _on_propagation(self, index: int) -> None:
        self.edited.emit("propagation", self.propagation.itemText(index))

    def _on_particle(self, index: int) -> None:
        self.edited.emit("particle", self.particle.itemText(index))
