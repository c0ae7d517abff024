"""Where the light goes: energy, distances, pixels. What is not known is None, never a guess."""

from dataclasses import dataclass
from typing import Literal

import scipy

from napari_ptycho.errors import ScanError

Propagation = Literal["far", "near"]
Particle = Literal["photon", "electron"]
Pair = tuple[float, float]


@dataclass(frozen=True)
class Geometry:
    """The experiment between sample and detector.

    Raises:
        ScanError: A value is zero, negative, or not a number.
    """

    energy_ev: float | None = None
    """Photon energy, or kinetic energy of the electrons, in eV."""
    distance_m: float | None = None
    """Sample to detector in metres."""
    detector_pixel_m: Pair | None = None
    """Detector pixel (height, width) in metres."""
    propagation: Propagation = "far"
    """Far field (Fraunhofer) or near field (angular spectrum)."""
    focus_to_sample_m: float | None = None
    """Near field in a diverging beam: focus to sample in metres; None is a parallel beam."""
    particle: Particle = "photon"
    """What is scattered; electrons have the relativistic wavelength."""
    detector_pixel_rad: Pair | None = None
    """Angle that a detector pixel (height, width) spans in rad, as electron microscopes calibrate
    it; stands for `detector_pixel_m` / `distance_m` where these are not known."""

    def __post_init__(self) -> None:
        if self.propagation not in ("far", "near"):
            raise ScanError(
                f"geometry: propagation is {self.propagation!r}; it must be far or near"
            )
        if self.particle not in ("photon", "electron"):
            raise ScanError(f"geometry: particle is {self.particle!r}; need photon or electron")
        for name, unit in (("detector_pixel_m", "m"), ("detector_pixel_rad", "rad")):
            given = getattr(self, name)
            if given is not None:
                pair = tuple(float(value) for value in given)
                if len(pair) != 2:
                    raise ScanError(f"geometry: {name} is {pair}; need (height, width) in {unit}")
                object.__setattr__(self, name, pair)
        values = {
            "energy_ev": self.energy_ev,
            "distance_m": self.distance_m,
            "focus_to_sample_m": self.focus_to_sample_m,
            "detector_pixel_m height": self.detector_pixel_m and self.detector_pixel_m[0],
            "detector_pixel_m width": self.detector_pixel_m and self.detector_pixel_m[1],
            "detector_pixel_rad height": self.detector_pixel_rad and self.detector_pixel_rad[0],
            "detector_pixel_rad width": self.detector_pixel_rad and self.detector_pixel_rad[1],
        }
        for name, value in values.items():
            if value is not None and not 0 < value < float("inf"):
                raise ScanError(
                    f"geometry: {name} is {value}; it must be positive (None if unknown)"
                )

    @property
    def wavelength_m(self) -> float | None:
        """Wavelength in metres, or None if the energy is unknown."""
        if self.energy_ev is None:
            return None
        h, c = scipy.constants.h, scipy.constants.c
        energy = scipy.constants.e * self.energy_ev
        if self.particle == "photon":
            return h * c / energy
        return h * c / (energy * (energy + 2 * scipy.constants.m_e * c**2)) ** 0.5

    @property
    def pixel_angle_rad(self) -> Pair | None:
        """Angle that a detector pixel (height, width) spans in rad, or None if unknown."""
        if self.detector_pixel_m is not None and self.distance_m is not None:
            height, width = self.detector_pixel_m
            return height / self.distance_m, width / self.distance_m
        return self.detector_pixel_rad

    @property
    def magnification(self) -> float | None:
        """Geometric magnification of a near-field experiment; 1 in a parallel beam."""
        if self.focus_to_sample_m is None:
            return 1.0
        if self.distance_m is None:
            return None
        return (self.focus_to_sample_m + self.distance_m) / self.focus_to_sample_m

    @property
    def effective_distance_m(self) -> float | None:
        """Propagation distance of the equivalent parallel-beam experiment (Fresnel scaling)."""
        if self.distance_m is None or self.magnification is None:
            return None
        return self.distance_m / self.magnification

    def pixel_size_m(self, shape: tuple[int, int]) -> Pair | None:
        """Return the object pixel (height, width) in metres, or None if something is unknown.

        Far field: wavelength / (n * angle of a detector pixel). Near field: detector pixel divided
        by the magnification.

        Args:
            shape: Pixels of a pattern (height, width).
        """
        if self.propagation == "near":
            if self.magnification is None or self.detector_pixel_m is None:
                return None
            height, width = (pixel / self.magnification for pixel in self.detector_pixel_m)
            return height, width
        angles = self.pixel_angle_rad
        if self.wavelength_m is None or angles is None:
            return None
        return self.wavelength_m / (shape[0] * angles[0]), self.wavelength_m / (
            shape[1] * angles[1]
        )

    @property
    def missing_for_pixel(self) -> tuple[str, ...]:
        """Fields that `pixel_size_m` needs and that are unknown."""
        needed = ["distance_m", "detector_pixel_m"]
        if self.propagation == "near":
            needed = needed[1:] if self.magnification is not None else needed
        else:
            needed = ["energy_ev", *([] if self.pixel_angle_rad is not None else needed)]
        return tuple(name for name in needed if getattr(self, name) is None)
