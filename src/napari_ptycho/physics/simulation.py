"""A scan from a known truth: what the detector would have counted (numpy, no engine code)."""

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.physics.optics import Wave, near_field

BATCH = 64
SIMULATED = (
    *("patterns", "positions_m", "positions_px", "valid", "probe"),
    *("energy_ev", "distance_m", "detector_pixel_m", "propagation"),
)


def simulate(
    object: NDArray[np.complexfloating],  # noqa: A002 - the field's word
    probe: NDArray[np.complexfloating],
    positions_px: Floats,
    *,
    photons: float = 1e6,
    geometry: Geometry | None = None,
    sweep_px: tuple[float, float] = (0.0, 0.0),
    seed: int | None = 0,
) -> Scan:
    """Simulate a scan of a known object with a known probe.

    Args:
        object: (H, W) complex transmission.
        probe: (h, w) or (M, h, w) complex modes; only their ratio of powers matters.
        positions_px: (N, 2) top-left corners (y, x) of the windows, in pixels; fractions shift the
            probe inside its window.
        photons: Mean photons per pattern with a flat object.
        geometry: Of the experiment; near field needs energy, distance and pixel. With a known
            object pixel the positions are returned in metres.
        sweep_px: Fly-scan: the stage moves by this (y, x) during one exposure, centred on the
            position; the pattern is the sum along the way.
        seed: Of the Poisson noise; None is noise-free (float32 counts).

    Returns:
        A scan whose `probe` is the true one, scaled to `photons`.

    Raises:
        ScanError: A window leaves the object, or the near field lacks a distance.
    """
    modes = np.atleast_3d(probe.T).T.astype(np.complex64)
    modes = modes * np.sqrt(photons / (np.abs(modes) ** 2).sum(dtype=np.float64))
    shape = modes.shape[1:]
    positions = np.asarray(positions_px, np.float64)
    corners = np.rint(positions).astype(int)
    if (corners < 0).any() or (corners + shape > object.shape).any():
        raise ScanError(
            f"simulate: windows of {shape} at {corners.min(0)}..{corners.max(0)} leave the object "
            f"of shape {object.shape}; every window must lie inside it"
        )
    geometry = geometry or Geometry()
    near = geometry.propagation == "near"
    kernel = near_field(geometry, shape, "simulate") if near else None
    rng = None if seed is None else np.random.default_rng(seed)
    dtype = np.float32 if rng is None else np.uint32
    patterns = np.empty((len(positions), *shape), dtype)
    steps = int(np.ceil(np.abs(sweep_px).max() * 3)) + 1 if any(sweep_px) else 1
    along = (np.arange(steps) - (steps - 1) / 2)[:, None] / max(1, steps) * np.asarray(sweep_px)
    spectrum = scipy.fft.fft2(modes)
    for first in range(0, len(positions), BATCH):
        some = slice(first, first + BATCH)
        windows = np.stack([object[y : y + shape[0], x : x + shape[1]] for y, x in corners[some]])
        mean = np.zeros(windows.shape, np.float32)
        for offset in along:
            shifts = positions[some] - corners[some] + offset
            mean += _intensity(windows.astype(np.complex64), spectrum, shifts, kernel)
        mean /= steps
        patterns[some] = mean if rng is None else rng.poisson(mean)
    if rng is not None and patterns.max() <= np.iinfo(np.uint16).max:
        patterns = patterns.astype(np.uint16)
    pixel = geometry.pixel_size_m(shape)
    return Scan(
        patterns=patterns,
        positions_m=None if pixel is None else positions * pixel,
        positions_px=positions if pixel is None else None,
        geometry=geometry,
        probe=modes,
        name="simulated",
        sources=dict.fromkeys(SIMULATED, "simulated"),
    )


def _intensity(
    windows: NDArray[np.complex64],
    spectrum: NDArray[np.complexfloating],
    shifts: Floats,
    kernel: Wave | None,
) -> NDArray[np.float32]:
    """Return (B, h, w) mean counts, zero frequency in the middle, summed over the modes."""
    h, w = windows.shape[1:]
    ramp = np.exp(-2j * np.pi * shifts[:, :1] * scipy.fft.fftfreq(h))[:, :, None]
    ramp = ramp * np.exp(-2j * np.pi * shifts[:, 1:] * scipy.fft.fftfreq(w))[:, None, :]
    total = np.zeros(windows.shape, np.float32)
    for mode in spectrum:
        probes = scipy.fft.ifft2((mode * ramp).astype(np.complex64))
        wave = scipy.fft.fft2(probes * windows, norm="ortho")
        if kernel is not None:
            wave = scipy.fft.ifft2(wave * kernel.astype(np.complex64), norm="ortho")
        total += np.abs(wave) ** 2
    return total if kernel is not None else scipy.fft.fftshift(total, axes=(1, 2))
