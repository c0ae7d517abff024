"""The first guess: a flat object, and a probe from the file, optics, or the mean pattern."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Geometry, Reconstruction, Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.options import Options, Range
from napari_ptycho.physics.optics import near_field, propagate, zone_plate_wave

ProbeStart = Literal["auto", "file", "optics", "mean pattern"]
MARGIN_PX = 2
MODE_POWER = 0.02  # share of the first mode's photons that each further mode starts with
MEAN_BYTES = 2**21  # of counts at once for the mean pattern
Waves = NDArray[np.complex64]


@dataclass(frozen=True)
class Optics(Options):
    """A Fresnel zone plate with a central stop, and where the sample stands behind it."""

    title: ClassVar[str] = "Fresnel zone plate"

    diameter_um: Annotated[float, Range(1, 10_000, 10), "Diameter of the zone plate."] = 400.0
    outer_zone_nm: Annotated[float, Range(5, 5000, 5), "Width of the outermost zone."] = 200.0
    central_stop_um: Annotated[
        float, Range(0, 10_000, 10), "Diameter of the central stop; 0 is none."
    ] = 60.0
    defocus_mm: Annotated[
        float, Range(-1000, 1000, 0.5), "Sample behind (+) or before (-) the focus."
    ] = 8.0


def first_guess(
    scan: Scan, modes: int = 1, probe: ProbeStart = "auto", optics: Optics | None = None
) -> Reconstruction:
    """Return where to start: a flat object and a probe scaled to the counts.

    Args:
        scan: The scan to reconstruct.
        modes: Number of probe modes; further ones are the first times low polynomials.
        probe: "file" (the scan's own), "optics" (a zone plate), "mean pattern" (the inverse
            transform of its square root), or "auto": file where there is one, else mean pattern.
        optics: For "optics"; None takes the defaults of `Optics`.

    Raises:
        ScanError: The scan has no probe, no pixel size or no energy where the choice needs it.
    """
    chosen = probe
    if probe == "auto":
        chosen = "mean pattern" if scan.probe is None else "file"
    mean = mean_pattern(scan)
    if chosen == "file":
        if scan.probe is None:
            raise ScanError(f"{scan.name}: it has no probe; start from optics or the mean pattern")
        waves = np.array(scan.probe)
    elif chosen == "optics":
        waves = optics_wave(scan.geometry, scan.frame_shape, optics or Optics())
    else:
        waves = _from_mean(scan, mean)
    corners, shape = windows_of(scan.in_pixels(), scan.frame_shape)
    start = Reconstruction(
        object=np.ones(shape, np.complex64),
        probe=waves * np.float32(np.sqrt(_photons(scan, mean, waves) / _power(waves))),
        positions_px=corners,
        pixel_size_m=scan.pixel_size_m,
        geometry=scan.geometry,
        name=scan.name,
        provenance={"start": f"flat object, probe from {chosen}"},
    )
    return fit_modes(start, modes)


def windows_of(positions: Floats, frame_shape: tuple[int, int]) -> tuple[Floats, tuple[int, int]]:
    """Return the window corners (N, 2) of positions (N, 2) in pixels, and the object's shape.

    The object spans all windows, with `MARGIN_PX` around them.
    """
    corners = positions - np.floor(positions.min(axis=0)) + MARGIN_PX
    height, width = np.ceil(corners.max(axis=0)).astype(int) + frame_shape + MARGIN_PX
    return corners, (int(height), int(width))


def fit_modes(start: Reconstruction, modes: int) -> Reconstruction:
    """Return the same start with M probe modes: the first ones kept, missing ones seeded.

    A seeded mode is the first mode times a low polynomial of the position, made orthogonal to those
    before it, with 2 % of the first mode's photons; all are then scaled to the power before.
    """
    have = len(start.probe)
    if have == modes:
        return start
    probe = np.array(start.probe[:modes], np.complex128)
    power = _power(start.probe)
    if have < modes:
        probe = np.concatenate([probe, _seeded(probe, modes - have)])
    probe *= np.sqrt(power / _power(probe))
    return replace(start, probe=probe.astype(np.complex64))


def _seeded(probe: NDArray[np.complex128], count: int) -> NDArray[np.complex128]:
    h, w = probe.shape[1:]
    light = np.abs(probe[0]) ** 2
    y, x = np.indices((h, w), dtype=np.float64)
    y, x = ((axis - np.average(axis, weights=light)) for axis in (y, x))
    size = np.sqrt(np.average(y**2 + x**2, weights=light)) or 1.0
    orders = [(i, total - i) for total in range(1, h + w) for i in range(total, -1, -1)]
    known = [mode.ravel() / np.linalg.norm(mode) for mode in probe]
    for i, j in orders[: len(known) + count]:
        seed = (probe[0] * (y / size) ** i * (x / size) ** j).ravel()
        for mode in known * 2:  # twice: Gram-Schmidt loses orthogonality once
            seed = seed - mode * np.vdot(mode, seed)
        if len(known) < len(probe) + count and np.linalg.norm(seed) > 0:
            known.append(seed / np.linalg.norm(seed))
    level = np.sqrt(MODE_POWER * light.sum())
    return level * np.array(known[len(probe) :]).reshape(-1, h, w)


def _power(probe: NDArray[np.complexfloating]) -> float:
    return float((np.abs(probe) ** 2).sum(dtype=np.float64))


def mean_pattern(scan: Scan) -> Floats:
    """Return the mean counts (H, W) at full exposure; pixels never valid are 0."""
    total, seen = np.zeros(scan.frame_shape), np.zeros(scan.frame_shape)
    exposure = np.ones(len(scan)) if scan.exposure is None else scan.exposure / scan.exposure.max()
    for frames, block in scan.blocks(MEAN_BYTES):
        good = scan.valid_of(frames)
        total += np.where(good, block, 0).sum(axis=0, dtype=np.float64)
        if good.ndim == 2:
            seen += good * exposure[frames].sum()
        else:
            seen += np.einsum("n,nyx->yx", exposure[frames], good)
    return np.divide(total, seen, out=np.zeros_like(total), where=seen > 0)


def optics_wave(geometry: Geometry, shape: tuple[int, int], optics: Optics) -> Waves:
    """Return the probe (1, H, W) that a zone plate makes at the sample, sum |probe|^2 = 1.

    Raises:
        ScanError: Energy, distance or detector pixel is unknown.
    """
    pixel, wavelength = geometry.pixel_size_m(shape), geometry.wavelength_m
    if pixel is None or wavelength is None:
        raise ScanError(
            "a probe from optics needs energy, distance and detector pixel; "
            "give them, or start from the mean pattern"
        )
    wave = zone_plate_wave(
        shape,
        pixel,
        wavelength,
        diameter_m=optics.diameter_um * 1e-6,
        outer_zone_m=optics.outer_zone_nm * 1e-9,
        central_stop_m=optics.central_stop_um * 1e-6,
        defocus_m=optics.defocus_mm * 1e-3,
    )
    return wave[None].astype(np.complex64)


def _from_mean(scan: Scan, mean: Floats) -> Waves:
    if not mean.any():
        raise ScanError(f"{scan.name}: the mean pattern is empty; need light in valid pixels")
    amplitude = np.sqrt(mean)
    if scan.geometry.propagation == "far":
        wave = scipy.fft.fftshift(scipy.fft.ifft2(scipy.fft.ifftshift(amplitude), norm="ortho"))
    else:
        wave = propagate(amplitude, near_field(scan.geometry, scan.frame_shape, scan.name).conj())
    return np.asarray(wave)[None].astype(np.complex64)


def _photons(scan: Scan, mean: Floats, waves: NDArray[Any]) -> float:
    """Return the photons per pattern: valid counts, and what the probe says of invalid pixels."""
    assert scan.valid is not None  # set on construction
    good = mean > 0 if scan.valid.ndim == 3 else np.asarray(scan.valid)
    counted = float(mean[good].sum())
    if good.all() or scan.geometry.propagation == "near":
        return counted / max(float(good.mean()), 1e-9)
    model = (np.abs(scipy.fft.fftshift(scipy.fft.fft2(waves), axes=(-2, -1))) ** 2).sum(axis=0)
    share = float(model[good].sum() / model.sum())
    return counted / max(share, 0.1)
