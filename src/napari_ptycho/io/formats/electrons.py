"""Electron microscopes: what calibrated axes say of the detector and of the scan."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.formats import rasters
from napari_ptycho.io.hdf5 import LENGTHS
from napari_ptycho.io.quantities import ELECTRON_EV
from napari_ptycho.model import Geometry
from napari_ptycho.model.arrays import Floats

ANGLES = {"mrad": 1e-3, "rad": 1.0, "urad": 1e-6, "deg": math.pi / 180}
WIDEST_RAD = 0.1
"""Of a detector pixel; more is a slip between units."""


@dataclass(frozen=True)
class Axis:
    """An axis of a 4D-STEM data set, as its file calibrates it."""

    step: float = 0.0
    """Between neighbours; 0 or not finite: not known."""
    unit: str = ""
    """As written: nm, 1/nm, A^-1, mrad, [n_m^-1]; pixels mean that it is not calibrated."""

    @property
    def _plain(self) -> tuple[str, bool]:
        """Unit in plain letters, and whether it is one over it."""
        text = re.sub(r"[\[\]{}$_^\s\\]", "", self.unit).replace("⁻¹", "-1").lower()
        inverse = text.startswith("1/") or text.endswith("-1")
        text = text.removeprefix("1/").removesuffix("-1")
        return {"aa": "a", "angstroms": "angstrom"}.get(text, text), inverse

    @property
    def length_m(self) -> float | None:
        """The step in metres, None if it is none."""
        unit, inverse = self._plain
        known = self._known() and not inverse and unit in LENGTHS
        return abs(self.step) * LENGTHS[unit] if known else None

    @property
    def is_reciprocal(self) -> bool:
        """Whether it is a spatial frequency."""
        unit, inverse = self._plain
        return inverse and unit in LENGTHS

    @property
    def is_detector(self) -> bool:
        """Whether it is an axis of a diffraction pattern: an angle or a spatial frequency."""
        return self.is_reciprocal or self._plain[0] in ANGLES

    def angle_rad(self, wavelength_m: float | None) -> float | None:
        """Return the angle of a pixel; a spatial frequency needs the wavelength for that."""
        unit, _ = self._plain
        if not self._known():
            return None
        if self.is_reciprocal:
            return None if wavelength_m is None else abs(self.step) / LENGTHS[unit] * wavelength_m
        return abs(self.step) * ANGLES[unit] if unit in ANGLES else None

    def _known(self) -> bool:
        return math.isfinite(self.step) and self.step != 0


def frames_first(axes: Sequence[Axis]) -> bool:
    """Whether the first two of four axes are the detector's by their units, and the last are not.

    Digital Micrograph and some converters store 4D-STEM so.
    """
    return all(axis.is_detector for axis in axes[:2]) and not any(
        axis.is_detector for axis in axes[2:]
    )


def intensities(request: Request) -> Request:
    """Return the request with intensities, which cameras and simulations of electrons give.

    Small numbers without a unit could else be taken for amplitudes.
    """
    if request.layout.values != "auto":
        return request
    return replace(request, layout=replace(request.layout, values="intensity"))


def geometry(
    draft: Draft, request: Request, kilovolts: tuple[float, str] | None, detector: Sequence[Axis]
) -> None:
    """Put particle, energy and the angle of a detector pixel into a draft.

    Args:
        draft: Gets the geometry, sources and notes.
        request: Its energy comes first.
        kilovolts: Beam energy in keV and where it was found, if it was.
        detector: Axes of the rows and of the columns of a frame.
    """
    draft.geometry["particle"] = "electron"
    energy = _energy(draft, request, kilovolts)
    wavelength = Geometry(energy_ev=energy, particle="electron").wavelength_m
    angles = [axis.angle_rad(wavelength) for axis in detector]
    if energy is None and any(axis.is_reciprocal for axis in detector):
        draft.notes.append(
            f"The detector is calibrated in {detector[0].unit}, but the energy of the electrons is "
            "not in the file; give energy_ev to get the angle of its pixels."
        )
    height, width = angles
    if height is None or width is None:
        return
    if max(height, width) > WIDEST_RAD:
        draft.notes.append(
            f"A detector pixel of {detector[0].step:g} {detector[0].unit} is none; left unknown."
        )
        return
    draft.geometry["detector_pixel_rad"] = (height, width)
    draft.sources["detector_pixel_rad"] = "file: calibration of the detector's axes"


def _energy(draft: Draft, request: Request, kilovolts: tuple[float, str] | None) -> float | None:
    """Return the energy in eV, the caller's before the file's."""
    given: Any = request.overrides().get("energy_ev")
    if given is not None or kilovolts is None:
        return None if given is None else float(given)
    energy = kilovolts[0] * 1e3
    if not ELECTRON_EV[0] <= energy <= ELECTRON_EV[1]:
        if kilovolts[0] != 0:
            draft.notes.append(f"A beam energy of {kilovolts[0]:g} keV is none; left unknown.")
        return None
    draft.geometry["energy_ev"] = energy
    draft.sources["energy_ev"] = f"file: {kilovolts[1]}"
    return energy


def positions(shape: tuple[int, int], scan: Sequence[Axis]) -> Floats | None:
    """Return the raster (rows * columns, 2) (y, x) in metres, None if a step is not known.

    Args:
        shape: (rows, columns) of the scan.
        scan: Axes of the rows and of the columns.
    """
    down, right = (axis.length_m for axis in scan)
    if down is None or right is None:
        return None
    return rasters.grid(shape, (down, right))
