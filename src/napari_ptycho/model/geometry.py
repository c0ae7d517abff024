"""Where the light goes: energy, distances, pixels. What is not known is None, never a guess."""

from dataclasses import dataclass
from typing import Literal

from scipy.constants import c, e, h

from napari_ptycho.errors import ScanError

Propagation = Literal["far", "near"]
Pair = tuple[float, float]


@dataclass(frozen=True)
class Geometry:
    """The experiment between sample and detector.

    Raises:
        ScanError: A value is zero, negative, or not a number.
    """

    energy_ev: float | None = None
    """Photon energy in eV."""
    distance_m: float | None = None
    """Sample to detector in metres."""
    detector_pixel_m: Pair | None = None
    """Detector pixel (height, width) in metres."""
    propagation: Propagation = "far"
    """Far field (Fraunhofer) or near field (angular spectrum)."""
    focus_to_sample_m: float | None = None
    """Near field in a diverging beam: focus to sample in metres; None is a parallel beam."""

    def __post_init__(self) -> None:
        if self.propagation not in ("far", "near"):
            raise ScanError(
                f"geometry: propagation is {self.propagation!r}; it must be far or near"
            )
        if self.detector_pixel_m is not None:
            pair = tuple(float(value) for value in self.detector_pixel_m)
            if len(pair) != 2:
                raise ScanError(f"geometry: detector_pixel_m is {pair}; need (height, width) in m")
            object.__setattr__(self, "detector_pixel_m", pair)
        values = {
            "energy_ev": self.energy_ev,
            "distance_m": self.distance_m,
            "focus_to_sample_m": self.focus_to_sample_m,
            "detector_pixel_m height": self.detector_pixel_m and self.detector_pixel_m[0],
            "detector_pixel_m width": self.detector_pixel_m and self.detector_pixel_m[1],
        }
        for name, value in values.items():
            if value is not None and not 0 < value < float("inf"):
                raise ScanError(
                    f"geometry: {name} is {value}; it must be positive (None if unknown)"
                )

    @property
    def wavelength_m(self) -> float | None:
        """Photon wavelength in metres, or None if the energy is unknown."""
        return None if self.energy_ev is None else h * c / (e * self.energy_ev)

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

        Far field: wavelength * distance / (n * detector pixel). Near field: detector pixel divided
        by the magnification.

        Args:
            shape: Pixels of a pattern (height, width).
        """
        if self.detector_pixel_m is None:
            return None
        if self.propagation == "near":
            if self.magnification is None:
                return None
            height, width = (pixel / self.magnification for pixel in self.detector_pixel_m)
            return height, width
        if self.wavelength_m is None or self.distance_m is None:
            return None
        reach = self.wavelength_m * self.distance_m
        height, width = (
            reach / (n * pixel) for n, pixel in zip(shape, self.detector_pixel_m, strict=True)
        )
        return height, width
