"""What detectors' files say of the beam: where it hits, and what it is made of."""

import numpy as np
from scipy.constants import c, e, h, m_e

ELECTRONS_BELOW_M = 8e-12
"""No ptychography is done with X-rays of shorter wavelengths (above 155 keV)."""
OFF_PX = 1.0


def off_centre(centre: tuple[float, float], shape: tuple[int, ...]) -> str | None:
    """Return a sentence where the beam does not hit the middle of the frames, else None.

    Args:
        centre: Where it hits (y, x), in pixels.
        shape: (H, W) of a frame.
    """
    middle = shape[0] // 2, shape[1] // 2
    if not np.isfinite(centre).all() or np.abs(np.subtract(centre, middle)).max() <= OFF_PX:
        return None
    return (
        f"The beam centre is at ({centre[0]:.6g}, {centre[1]:.6g}) (y, x), the middle of a frame "
        f"at {middle}: centre and crop in the Detector section."
    )


def energy_of(wavelength_m: float) -> tuple[float, str]:
    """Return the energy in eV that makes a wavelength, and the particle that must have it."""
    if wavelength_m >= ELECTRONS_BELOW_M:
        return h * c / (e * wavelength_m), "photon"
    rest = m_e * c**2
    return (np.hypot(h * c / wavelength_m, rest).item() - rest) / e, "electron"
