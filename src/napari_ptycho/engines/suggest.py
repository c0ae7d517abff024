"""Sensible values from the scan itself, each with the reason in words."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.engines.coarse import outside_of, why_not
from napari_ptycho.engines.options import EngineOptions, RpieOptions
from napari_ptycho.engines.presets import COARSE
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Bools, Floats, Ints
from napari_ptycho.prepare.raster import Raster, find_raster
from napari_ptycho.prepare.start import mean_pattern

LOOKED_AT = 64  # frames that are looked at, evenly over the scan
FULL_PIXELS = 3  # pixels at the very same largest count that look like saturation
STEADY = 0.1  # flux that varies more from line to line is estimated
JITTER_PX = 0.3  # a raster whose steps differ less is periodic
GENTLE = ((1.0, 0.1), (3.0, 0.3))
"""Photons of a pattern per pixel that its probe lights, and the steps of object and probe below so
many, by benchmarks/dose.py: full steps fit the noise of each pattern."""


@dataclass(frozen=True)
class Suggestion:
    """A chain of engines for a scan, and why."""

    stages: tuple[EngineOptions, ...]
    reasons: tuple[str, ...]
    """Sentences, one for each value that is not a default."""
    warnings: tuple[str, ...]
    """Sentences on what no engine can mend."""


def suggest(scan: Scan, gpu: bool = False) -> Suggestion:
    """Choose engines and options for a scan.

    Args:
        scan: The scan; some of its frames are read.
        gpu: Whether a GPU will compute.

    Raises:
        ScanError: Positions are in metres and the pixel size is unknown.
    """
    mean, some = mean_pattern(scan), _some(scan)
    positions = scan.in_pixels()
    reasons: list[str] = []
    values: dict[str, Any] = {}
    if gpu:
        values["batch"] = 64
        reasons.append("batches of 64: a GPU is slow at small ones")
    level = saturation(some)
    if level:
        values["saturation"] = level
        reasons.append(f"saturation at {level:g} counts: several pixels stop at this very value")
    if np.abs(positions - np.rint(positions)).max() > 0.05 and scan.geometry.propagation == "far":
        values["subpixel"] = True
        reasons.append("sub-pixel shifts: the positions are not whole pixels")
    swing = _swing(scan)
    if swing > STEADY:
        values["flux"] = True
        reasons.append(f"flux: the flux varies by {swing:.0%} beyond neighbouring frames")
    stages = _chain(scan, mean, values, reasons)
    return Suggestion(stages, tuple(reasons), warnings(scan))


def _chain(
    scan: Scan, mean: NDArray[Any], values: dict[str, Any], reasons: list[str]
) -> tuple[EngineOptions, ...]:
    dose = photons_per_pixel(scan, mean)
    step = next((step for most, step in GENTLE if dose is not None and dose < most), None)
    if step is not None:
        values["object_step"] = values["probe_step"] = step
        reasons.append(
            f"small steps (object_step, probe_step {step:g}): a pattern has {dose:.2g} photons "
            "per object pixel that it lights; full steps would fit the noise of each pattern"
        )
    reason = why_not(scan, COARSE.reduction, outside_of(mean, COARSE.reduction))
    flat = scan.probe is None or curvature(scan) < 1e-3
    if flat and scan.geometry.propagation == "far":
        reasons.append(
            "object_alpha 1 (ePIE) at first: the probe to start from has no curvature, with which "
            "smaller weights are known to collapse"
        )
        first = RpieOptions(epochs=40, object_alpha=1.0, anneal=0.0, **values)
        return first, RpieOptions(epochs=60, **values)
    if step is not None:
        reason = "with so few photons it leads astray"
    if reason:
        reasons.append(f"no coarse stage: {reason}")
        epochs = 60 if step is None else 30  # more of few photons would learn more noise
        return (RpieOptions(epochs=epochs, **values),)
    reasons.append("a coarse stage first: the light lies in the central half of the detector")
    coarse = {name: value for name, value in values.items() if name != "subpixel"}
    return replace(COARSE, **coarse), RpieOptions(epochs=30, **values)


def photons_per_pixel(scan: Scan, mean: NDArray[Any]) -> float | None:
    """Return the photons of a pattern for each object pixel that its probe lights.

    The lit pixels are (sum I)^2 / sum I^2 with the intensity I of the probe: so many evenly lit
    ones are as uneven. What a pattern says of one of them is as noisy as so few photons are.

    Args:
        scan: The scan; some of its frames are read.
        mean: (H, W) mean counts at full exposure.

    Returns:
        None in the near field, without a probe, and where counts are not whole numbers: they may
        be in any unit then.
    """
    if scan.probe is None or scan.geometry.propagation != "far":
        return None
    counts = np.where(_valid(scan), _some(scan), 0)
    if not np.array_equal(counts, np.rint(counts)):
        return None
    light = (np.abs(scan.probe.astype(np.complex128)) ** 2).sum(axis=0)
    return float(mean.sum() * (light**2).sum() / light.sum() ** 2)


def _looked_at(scan: Scan) -> Ints:
    return np.unique(np.linspace(0, len(scan) - 1, LOOKED_AT).astype(int))


def _some(scan: Scan) -> NDArray[Any]:
    return np.asarray(scan.patterns[_looked_at(scan)])


def _valid(scan: Scan) -> Bools:
    """Return the valid pixels of the frames of `_some`, (H, W) or (n, H, W)."""
    assert scan.valid is not None  # set on construction
    return scan.valid if scan.valid.ndim == 2 else np.asarray(scan.valid[_looked_at(scan)])


def saturation(patterns: NDArray[Any]) -> float:
    """Return the count at which pixels saturate, or 0: a largest value that many pixels share.

    Args:
        patterns: (n, H, W) counts.
    """
    top = float(patterns.max())
    at_top = int((patterns == top).sum())
    just_below = int(((patterns < top) & (patterns >= 0.9 * top)).sum())
    # Counts thin out towards the largest one; a heap at the very end was cut off.
    return top if at_top > FULL_PIXELS and at_top > just_below and top > 1 else 0.0


def _swing(scan: Scan) -> float:
    """Return how much the counts of frames vary slowly (drift of the flux), relative to the mean.

    The object changes the counts too, so the noise between neighbours is not counted.
    """
    counts = np.concatenate(
        [np.asarray(block, np.float64).sum((1, 2)) for _, block in scan.blocks()]
    )
    if scan.exposure is not None:
        counts = counts / scan.exposure
    width = max(3, len(counts) // 20)
    slow = np.convolve(counts, np.ones(width) / width, mode="valid")
    return float(np.ptp(slow) / counts.mean()) / 2


def curvature(scan: Scan) -> float:
    """Return how far the probe's phase is from flat, 0..1: 1 - |sum P|P|| / sum |P|^2."""
    assert scan.probe is not None  # asked only for scans with a probe
    first = np.asarray(scan.probe[0], np.complex128)
    power = np.abs(first) ** 2
    return 1 - float(np.abs((first * np.abs(first)).sum()) / power.sum())


def warnings(scan: Scan) -> tuple[str, ...]:
    """Return what the positions of a scan forebode, a sentence each; reads no patterns.

    Raises:
        ScanError: Positions are in metres and the pixel size is unknown.
    """
    raster = find_raster(scan)
    if raster is None:
        return ()
    jitter = stray_px(scan.in_pixels(), raster)
    if jitter > JITTER_PX:
        return ()
    return (
        f"the positions form a regular raster (they stray by {jitter:.2f} px): errors that repeat "
        "with its step fit the data as well. Scan with random offsets, or look for a grid in the "
        "result",
    )


def stray_px(positions: Floats, raster: Raster) -> float:
    """Return how far positions (N, 2) stray from the lattice that fits them best, in pixels."""
    places = np.stack([np.ones(len(positions)), raster.line, raster.index], axis=1)
    fitted = places @ np.linalg.lstsq(places, positions, rcond=None)[0]
    return float(np.sqrt(((positions - fitted) ** 2).mean()))
