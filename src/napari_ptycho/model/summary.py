"""A scan as a table of values, units and sources, with a warning where a value is implausible."""

from dataclasses import dataclass

import numpy as np

from napari_ptycho.model.geometry import Pair
from napari_ptycho.model.scan import Scan

FIRST_BYTES = 8 * 2**20
ENERGY_EV = (50.0, 200e3)
DISTANCE_M = (1e-3, 50.0)
DETECTOR_PIXEL_M = (1e-6, 1e-3)
OBJECT_PIXEL_M = (1e-10, 1e-6)
SPAN_M = (1e-7, 5e-3)
ELECTRON_EV = (1e3, 1.5e6)
ELECTRON_ANGLE_RAD = (1e-7, 2e-2)
ELECTRON_PIXEL_M = (1e-12, 1e-8)
ELECTRON_SPAN_M = (1e-10, 1e-5)
FACTORS = (1e3, 1e-3, 1e6, 1e-6, 1e9, 1e-9, 1 / 1.602176634e-19)
"""Slips between units: kilo, milli, micro, nano, joule."""
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    value: str
    unit: str = ""
    source: str = ""
    """Where it came from: "file: path", "user", "default", "unknown", "computed"."""
    warning: str = ""
    """A sentence if the value is implausible, else empty."""


def summary(scan: Scan) -> tuple[Row, ...]:
    """Describe a scan in rows; of all patterns, the first are read."""
    geometry, source = scan.geometry, scan.sources.get
    electrons = geometry.particle == "electron"
    energies = ELECTRON_EV if electrons else ENERGY_EV
    rows = [
        _patterns(scan),
        _counts(scan),
        _valid(scan),
        *_positions(scan),
        *([Row("particle", "electron", "", source("particle", ""))] if electrons else []),
        _number("energy", geometry.energy_ev, 1e-3, "keV", energies, source("energy_ev", "")),
        *_detector(scan),
        Row("propagation", f"{geometry.propagation} field", "", source("propagation", "")),
    ]
    if geometry.focus_to_sample_m is not None:
        limits = (1e-6, DISTANCE_M[1])
        told = source("focus_to_sample_m", "")
        rows.append(_number("focus to sample", geometry.focus_to_sample_m, 1e3, "mm", limits, told))
    origin = UNKNOWN if scan.pixel_size_m is None else "computed"
    pixels = ELECTRON_PIXEL_M if electrons else OBJECT_PIXEL_M
    rows.append(_pair("object pixel", scan.pixel_size_m, (1e9, "nm"), pixels, origin))
    modes = UNKNOWN if scan.probe is None else f"{len(scan.probe)}"
    unit = "" if scan.probe is None else "mode" if len(scan.probe) == 1 else "modes"
    told = source("probe", "") if scan.probe is not None else UNKNOWN
    rows.append(Row("probe", modes, unit, told))
    return tuple(rows)


def _detector(scan: Scan) -> list[Row]:
    """Return rows of distance and pixel, or of the angle of a pixel where only that is known."""
    geometry, source = scan.geometry, scan.sources.get
    pixel, told = geometry.detector_pixel_m, source("detector_pixel_m", "")
    known = geometry.distance_m is not None or pixel is not None
    rows = []
    if geometry.particle == "photon" or known:
        distance = source("distance_m", "")
        rows = [
            _number("distance", geometry.distance_m, 1, "m", DISTANCE_M, distance),
            _pair("detector pixel", pixel, (1e6, "µm"), DETECTOR_PIXEL_M, told),
        ]
    if geometry.particle == "electron":
        angles, told = geometry.pixel_angle_rad, source("detector_pixel_rad", "")
        told = told or ("computed" if angles is not None else UNKNOWN)
        rows.append(_pair("detector angle", angles, (1e3, "mrad"), ELECTRON_ANGLE_RAD, told))
    return rows


def _patterns(scan: Scan) -> Row:
    height, width = scan.frame_shape
    kept = ", on disk" if scan.is_lazy else ""
    value = f"{len(scan)} of {height} x {width} ({scan.patterns.dtype}{kept})"
    return Row("patterns", value, "", scan.sources.get("patterns", ""))


def count_text(mean: float) -> str:
    """Return a mean number of counts as "461,023" or "1.43"."""
    return f"{mean:,.0f}" if mean >= 100 else f"{mean:.3g}"


def _counts(scan: Scan) -> Row:
    frames, block = scan.beginning(FIRST_BYTES)
    counts = np.sum(block * scan.valid_of(frames), axis=(1, 2), dtype=np.float64)
    mean = float(counts.mean())
    warning = "" if mean > 0 else "No counts at all in the first patterns."
    looked = "computed" if len(block) == len(scan) else f"computed from {len(block)} patterns"
    return Row(
        "counts per pattern",
        count_text(mean),
        "counts",
        looked,
        warning,
    )


def _valid(scan: Scan) -> Row:
    frames = slice(0, 1) if scan.is_lazy else slice(None)
    share = float(scan.valid_of(frames).mean())
    warning = "" if share > 0.5 else "More than half is masked; is the mask inverted?"
    return Row("valid pixels", f"{100 * share:.4g}", "%", scan.sources.get("valid", ""), warning)


def _positions(scan: Scan) -> list[Row]:
    in_metres = scan.positions_m is not None
    source = scan.sources.get("positions_m" if in_metres else "positions_px", "")
    span = np.ptp(scan.positions, axis=0)
    electrons = scan.geometry.particle == "electron"
    scale, unit = (1e9, "nm") if electrons else (1e6, "µm")
    height, width = span * (scale if in_metres else 1)
    warning = "" if len(scan) == 1 or span.max() > 0 else "All positions are the same."
    limits = ELECTRON_SPAN_M if electrons else SPAN_M
    if in_metres and span.max() > 0:
        warning = _doubt(float(span.max()), limits, scale, unit)
    return [
        Row("positions", f"{len(scan)}", "", source),
        Row("span", f"{height:.5g} x {width:.5g}", unit if in_metres else "px", source, warning),
    ]


def _number(
    name: str, value: float | None, scale: float, unit: str, limits: Pair, source: str
) -> Row:
    """Return a row of one value, shown `scale` times larger in `unit`."""
    if value is None:
        return Row(name, UNKNOWN, "", source or UNKNOWN)
    return Row(name, f"{value * scale:.6g}", unit, source, _doubt(value, limits, scale, unit))


def _pair(name: str, pair: Pair | None, shown: tuple[float, str], limits: Pair, source: str) -> Row:
    """Return a row of (height, width), one number where they are the same."""
    scale, unit = shown
    if pair is None:
        return Row(name, UNKNOWN, "", source or UNKNOWN)
    texts = [f"{value * scale:.5g}" for value in pair]
    value = texts[0] if texts[0] == texts[1] else " x ".join(texts)
    odd = next((side for side in pair if not limits[0] <= side <= limits[1]), pair[0])
    return Row(name, value, unit, source, _doubt(odd, limits, scale, unit))


def _doubt(value: float, limits: Pair, scale: float, unit: str) -> str:
    """Say what is usual, and which slip between units would explain the value; "" if all is well.

    Args:
        value: In base units, as `limits` are.
        limits: Smallest and largest usual value.
        scale: Base units to `unit`, which the user reads.
        unit: Its name.
    """
    low, high = limits
    if low <= value <= high:
        return ""
    middle = np.sqrt(low * high)
    factors = sorted(FACTORS, key=lambda factor: abs(np.log(abs(value) * factor / middle)))
    fits = low <= value * factors[0] <= high
    likely = f"; a unit slip by a factor of {factors[0]:g} is likely" if fits else ""
    usual = f"usual are {low * scale:g} to {high * scale:g} {unit}"
    return f"{value * scale:.6g} {unit}? Here {usual}{likely}."
