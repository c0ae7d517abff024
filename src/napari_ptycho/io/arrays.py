"""Scans in .npz files, by the names of their arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io.archive import Archive
from napari_ptycho.io.draft import Draft
from napari_ptycho.io.formats import ARRAYS, Format

PATTERNS = ("patterns", "data")
POSITIONS = {"positions_m": "m", "positions_px": "px", "scan": "px", "positions": ""}
"""Name -> unit; "" is told by the size of the numbers."""
LARGEST_SCAN_M = 0.05
NUMBERS = ("energy_ev", "distance_m", "detector_pixel_m", "focus_to_sample_m")
NEEDED = (
    "need patterns (N, H, W) as 'patterns' or 'data' and positions (N, 2) as 'positions_m', "
    "'positions_px', 'positions' or 'scan' in one .npz"
)


def recognises(archive: Archive) -> bool:
    """Whether an archive holds frames, or is one bare array."""
    return archive.is_bare or _first(archive, PATTERNS) is not None or archive.names == ("arr_0",)


def read(archive: Archive) -> Draft:
    """Read tike (`data`, `scan`), PtyNet (`data`, `positions_px`) and generic archives.

    Raises:
        ScanError: Patterns or positions are missing, or have a shape that makes no scan.
    """
    patterns_name = _first(archive, PATTERNS)
    positions_name = _first(archive, tuple(POSITIONS))
    if patterns_name is None or positions_name is None:
        raise ScanError(_missing(archive, patterns_name))
    notes: list[str] = []
    positions, n_positions = _positions(archive, positions_name)
    patterns = _stack(archive, patterns_name, n_positions, notes)
    positions = _as_pairs(positions, len(patterns), notes)
    unit = POSITIONS[positions_name] or _unit(positions, notes)
    sources = {
        "patterns": f"file: {patterns_name}",
        f"positions_{unit}": f"file: {positions_name}",
    }
    draft = Draft(archive.path, patterns, positions, unit, sources=sources, notes=notes)
    _extras(archive, draft)
    if "object" in archive:
        notes.append("The file holds an object too; it is not part of the scan and was not read.")
    return draft


def _first(archive: Archive, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in archive), None)


def _missing(archive: Archive, patterns_name: str | None) -> str:
    name = patterns_name or archive.names[0]
    header = archive.header(name)
    what = f"an array of shape {header.shape} ({header.dtype})"
    if patterns_name == "patterns" and {"indexes", "bad_pixels"} & set(archive.names):
        what = f"Ptychodus diffraction data, {what},"
    return f"{archive.path.name}: holds {what} but no positions; {NEEDED}"


def _positions(archive: Archive, name: str) -> tuple[NDArray[Any], int]:
    positions = archive.load(name)
    if positions.dtype.kind not in "uif":
        raise ScanError(f"{archive.path.name}: '{name}' is {positions.dtype}; need numbers")
    positions = positions.astype(np.float64)
    return positions, positions.size // 2


def _stack(archive: Archive, name: str, n_positions: int, notes: list[str]) -> NDArray[Any]:
    """Return (N, H, W) frames; leading axes of length 1, or a raster (ny, nx), are flattened."""
    shape = archive.header(name).shape
    leading = shape[:-2]
    if len(shape) == 3:
        return archive.load(name)
    if len(shape) > 3 and sorted(leading)[:-1] == [1] * (len(leading) - 1):
        return archive.load(name).reshape(-1, *shape[-2:])
    if len(shape) > 3 and np.prod(leading) == n_positions:
        notes.append(f"'{name}' has shape {shape}: its first {len(leading)} axes are the scan.")
        return archive.load(name).reshape(-1, *shape[-2:])
    raise ScanError(
        f"{archive.path.name}: '{name}' has shape {shape} with {n_positions} positions; "
        "need (N, H, W): save one angle, energy or channel at a time"
    )


def _as_pairs(positions: NDArray[Any], n: int, notes: list[str]) -> NDArray[Any]:
    """Return (n, 2) positions from (..., n, 2), (ny, nx, 2) or (2, n)."""
    if positions.ndim == 2 and positions.shape[0] == 2 and (positions.shape[1] != 2 or n != 2):
        notes.append(f"Positions of shape {positions.shape} were taken as a row of y, a row of x.")
        return positions.T
    if positions.ndim > 2 and positions.shape[-1] == 2:
        return positions.reshape(-1, 2)
    return positions


def _unit(positions: NDArray[Any], notes: list[str]) -> str:
    finite = positions[np.isfinite(positions).all(axis=-1)] if positions.ndim > 1 else positions
    span = float(np.ptp(finite, axis=0).max(initial=0)) if finite.size else 0.0
    unit, word = ("m", "metres") if 0 < span < LARGEST_SCAN_M else ("px", "object pixels")
    notes.append(
        f"'positions' has no unit in its name; it spans {span:.3g} and is taken as {word}. "
        "'positions_m' and 'positions_px' leave no doubt."
    )
    return unit


def _extras(archive: Archive, draft: Draft) -> None:
    for name in NUMBERS:
        if name in archive:
            values = np.ravel(archive.load(name)).astype(np.float64)
            if values.size in (1, 2) and np.isfinite(values).all() and (values > 0).all():
                pair = (float(values[0]), float(values[-1]))
                draft.geometry[name] = pair if name == "detector_pixel_m" else pair[0]
                draft.sources[name] = f"file: {name}"
            else:
                draft.notes.append(f"'{name}' is {values[:3]}, which says nothing; left unknown.")
    if "propagation" in archive:
        draft.geometry["propagation"] = str(archive.load("propagation"))
        draft.sources["propagation"] = "file: propagation"
    if "valid" in archive:
        draft.valid = archive.load("valid") != 0
        draft.sources["valid"] = "file: valid"
    if "exposure" in archive:
        draft.exposure = np.ravel(archive.load("exposure"))
        draft.sources["exposure"] = "file: exposure"
    draft.sources["probe"] = "unknown"
    if "probe" in archive:
        draft.probe = _modes(archive.load("probe"), draft.notes)
        draft.sources["probe"] = "file: probe"


def _modes(probe: NDArray[Any], notes: list[str]) -> NDArray[Any]:
    """Return (M, h, w) from (h, w), (M, h, w), or tike's (..., eigen, M, h, w)."""
    if probe.ndim == 2:
        return probe[np.newaxis]
    if probe.ndim > 3:
        if np.prod(probe.shape[:-3]) > 1:
            notes.append(f"Of a probe of shape {probe.shape} only the first set of modes is used.")
        return probe.reshape(-1, *probe.shape[-3:])[0]
    return probe


FORMAT = Format(
    title="NumPy scans (.npz, also within .bz2 or .gz): tike, PtyNet, generic",
    containers=(ARRAYS,),
    recognises=recognises,
    read_scan=lambda archive, request: read(archive).scan(request),
)
