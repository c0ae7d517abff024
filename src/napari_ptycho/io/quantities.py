"""Energy, distance and detector pixel of numbers whose unit may not be told."""

from dataclasses import dataclass
from math import isfinite

from scipy.constants import c, e, h

from napari_ptycho.io.hdf5 import ENERGIES, LENGTHS

PHOTON_J, PHOTON_EV = (1e-17, 5e-14), (50.0, 2e5)
ELECTRON_EV = (1e3, 3e6)
WAVELENGTH_M = (1e-13, 1e-7)
WAVES = ("wavelength", "lambda")
LONGEST = {"distance": 100.0, "detector_pixel": 5e-3}
"""In metres; what is larger is no such thing."""
BY_SIZE = {
    "distance": ((1e-3, 50.0, "m"), (50.0, 1e5, "mm")),
    "detector_pixel": ((1e-7, 1e-3, "m"), (1e-3, 1.0, "mm"), (1.0, 1000.0, "um")),
    "wavelength": ((1e-13, 1e-7, "m"),),
}
"""What -> (from, to, unit) of numbers without a unit."""


@dataclass(frozen=True)
class Quantity:
    """A number in base units, and how its unit was found."""

    value: float
    """eV or m."""
    note: str = ""
    """What was assumed; empty where the file or the person says the unit."""


def without_unit(name: str) -> tuple[str, str]:
    """Return a name such as "energy_kev" as ("energy", "kev"), with "" where it tells no unit."""
    stem, _, last = name.rpartition("_")
    last = last.lower()
    known = stem and (last in LENGTHS or last in ENERGIES) and last != "a"
    return (stem, last) if known else (name, "")


def quantity(
    what: str, value: float, unit: str, name: str, particle: str = "photon"
) -> Quantity | None:
    """Return a number in eV or m, None if it says nothing: zero, not finite, or impossible.

    Args:
        what: "energy", "distance" or "detector_pixel".
        value: The number; a negative length counts by its size.
        unit: As the file or the person says it; "": by the name, else by the size of the number.
        name: Path of the dataset.
        particle: photon or electron: which energies are possible.
    """
    if not isfinite(value) or value == 0:
        return None
    last = name.rpartition("/")[2]
    told = unit.lower() or without_unit(last)[1]
    if told and told not in LENGTHS and told not in ENERGIES:
        return None
    if what != "energy":
        return _length(what, value, told, name)
    if told in LENGTHS or any(word in last.lower() for word in WAVES):
        return _of_wave(value, told, name)
    return _energy(value, told, name, particle)


def _length(what: str, value: float, told: str, name: str) -> Quantity | None:
    sign = f"{name} is negative ({value:g}); its size is used. " if value < 0 else ""
    value, note = abs(value), ""
    if told not in LENGTHS:
        fitting = [unit for low, high, unit in BY_SIZE[what] if low <= value < high]
        if told or not fitting:
            return None
        told, note = fitting[0], f"{name} = {value:g} was taken as {fitting[0]}."
    length = value * LENGTHS[told]
    return Quantity(length, (sign + note).strip()) if length <= LONGEST[what] else None


def _of_wave(value: float, told: str, name: str) -> Quantity | None:
    note = ""
    if not told:
        low, high, told = BY_SIZE["wavelength"][0]
        if not low <= value < high:
            return None
        note = f"{name} = {value:g} was taken as {told}."
    if told not in LENGTHS:
        return None
    wavelength = value * LENGTHS[told]
    if not WAVELENGTH_M[0] < wavelength < WAVELENGTH_M[1]:
        return None
    return Quantity(h * c / (e * wavelength), note)


def _energy(value: float, told: str, name: str, particle: str) -> Quantity | None:
    note = ""
    low, high = ELECTRON_EV if particle == "electron" else PHOTON_EV
    if not told:
        if PHOTON_J[0] < value < PHOTON_J[1]:
            told = "j"
        elif value <= (1000 if particle == "electron" else 200):
            told = "kev"
        else:
            told = "ev"
        word = {"j": "J", "kev": "keV", "ev": "eV"}[told]
        note = f"{name} = {value:g} was taken as {word}."
    energy = value * ENERGIES[told]
    return Quantity(energy, note) if low <= energy <= high else None
