"""Scans in .npz and .npy files, by the names and the shapes of their arrays."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io import places
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.formats import ARRAYS, Format, rasters
from napari_ptycho.io.formats import array_families as families
from napari_ptycho.io.formats.array_axes import Arrays, axes_of, stack
from napari_ptycho.io.layout import Layout
from napari_ptycho.model import Scan

NUMBERS = ("energy_ev", "distance_m", "detector_pixel_m", "focus_to_sample_m")
LEAST_SIDE = 8
"""Of a frame, in pixels; of an array whose name says nothing."""


def recognises(arrays: Arrays) -> bool:
    """Whether a file holds frames by name, is one array, or has but one that can be frames."""
    return arrays.is_bare or _patterns(arrays) is not None


def _patterns(arrays: Arrays) -> str | None:
    """Return the array that holds the frames."""
    named = families.first(arrays, families.PATTERNS)
    if named == "arr_0" and len(arrays.names) > 1:
        named = None
    if named is not None or arrays.is_bare:
        return named or ""
    able = [name for name in arrays.names if name not in families.NOT_READ]
    headers = {name: arrays.header(name) for name in able}
    able = [
        name
        for name, header in headers.items()
        if len(header.shape) > 2
        and min(header.shape[-2:]) >= LEAST_SIDE
        and header.dtype.kind in "uif"
    ]
    return able[0] if len(able) == 1 else None


def frames_in(arrays: Arrays, layout: Layout) -> str:
    """Return the name of the array with the frames: the person's choice, else as recognised."""
    return layout.frames if layout.frames in arrays else _patterns(arrays) or ""


def read_scan(arrays: Arrays, request: Request) -> Scan:
    """Read a scan of tike, PtychoNN, pppc, PtyNet, PtychoPINN, SLAC, Ptychodus, or a generic one.

    Raises:
        NeedsPositions: It holds frames alone.
        ScanError: Frames or positions have a shape that makes no scan.
        FileError: An array is damaged.
    """
    layout = request.layout
    name = frames_in(arrays, layout)
    header = arrays.header(name)
    what = f"an array of shape {header.shape} ({header.dtype})"
    if len(header.shape) < 3 and arrays.is_bare:
        raise ScanError(
            f"{arrays.path.name}: holds {what} and no positions; that is no scan, which needs "
            "frames (N, H, W)"
        )
    named = ("", "", "") if request.positions else _named(layout)
    if lost := [one for one in (layout.frames, *named) if one and one not in arrays]:
        raise ScanError(
            f"{arrays.path.name}: no array '{lost[0]}'; it has {', '.join(arrays.names)}"
        )
    notes: list[str] = []
    found = _positions(arrays, layout, header.shape, notes)
    n = None if found is None else found.values.size // 2
    axes = axes_of(header.shape, layout, n, name == families.OBJECTS)
    frames = stack(arrays, name, axes, n)
    draft = Draft(arrays.path, frames.frames, None, notes=[*frames.notes, *notes])
    draft.sources["patterns"] = f"file: {name}" if name else "file"
    if found is not None:
        draft.positions = _as_pairs(found.values, draft.patterns.shape[0], draft.notes)
        draft.unit = found.unit
        draft.sources[f"positions_{found.unit}"] = found.source
        draft.notes += found.notes
    _geometry(arrays, draft)
    _extras(arrays, draft)
    families.bad_pixels(arrays, draft)
    families.one_scan(arrays, draft, layout.extra_index)
    request = families.joined(arrays, draft, families.amplitudes(arrays, name, request))
    if name == "patterns" and {"indexes", "bad_pixels"} & set(arrays.names):
        what = f"Ptychodus diffraction data, {what},"
    if any(named):
        unnamed = replace(request.layout, positions="", positions_y="", positions_x="")
        request = replace(request, layout=unnamed)
    return rasters.scan(draft, request, what, frames.raster)


def _named(layout: Layout) -> tuple[str, ...]:
    return (layout.positions, layout.positions_y, layout.positions_x)


def _positions(
    arrays: Arrays, layout: Layout, shape: tuple[int, ...], notes: list[str]
) -> places.Places | None:
    """Return the positions in the file, by the person's names or the programs'."""
    single, *pair = _named(layout)
    named = [single] if single else pair
    if all(name and name in arrays for name in named):
        columns = [_numbers(arrays, name) for name in named]
        what = ", ".join(named)
        if len(columns) == 2:
            values = places.meshed(columns[0], columns[1], shape[0], what)
        else:
            values = places.ordered(places.stacked(columns[0], shape[0], what), "yx", layout)
        return places.measured(values, places.unit_in(named[0]), layout, what)
    usual = families.first(arrays, (*families.POSITIONS, "positions"))
    if usual is not None:
        values = _numbers(arrays, usual)
        unit = families.POSITIONS.get(usual) or _unit(values, notes)
        return places.Places(values, unit, f"file: {usual}")
    for names, unit in families.PAIRS.items():
        if all(name in arrays for name in names):
            values = np.stack([np.ravel(_numbers(arrays, name)) for name in names], axis=1)
            return places.Places(values, unit, f"file: {', '.join(names)}")
    return None


def _numbers(arrays: Arrays, name: str) -> NDArray[np.float64]:
    values = arrays.load(name)
    if values.dtype.kind not in "uif":
        raise ScanError(f"{arrays.path.name}: '{name}' is {values.dtype}; need numbers")
    return values.astype(np.float64)


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
    unit, word = ("m", "metres") if 0 < span < places.LARGEST_SCAN_M else ("px", "object pixels")
    notes.append(
        f"'positions' has no unit in its name; it spans {span:.3g} and is taken as {word}. "
        "'positions_m' and 'positions_px' leave no doubt."
    )
    return unit


def _geometry(arrays: Arrays, draft: Draft) -> None:
    for name in NUMBERS:
        if name in arrays:
            values = np.ravel(arrays.load(name)).astype(np.float64)
            if values.size in (1, 2) and np.isfinite(values).all() and (values > 0).all():
                pair = (float(values[0]), float(values[-1]))
                draft.geometry[name] = pair if name == "detector_pixel_m" else pair[0]
                draft.sources[name] = f"file: {name}"
            else:
                draft.notes.append(f"'{name}' is {values[:3]}, which says nothing; left unknown.")
    if "propagation" in arrays:
        draft.geometry["propagation"] = str(arrays.load("propagation"))
        draft.sources["propagation"] = "file: propagation"


def _extras(arrays: Arrays, draft: Draft) -> None:
    if "valid" in arrays:
        draft.valid = arrays.load("valid") != 0
        draft.sources["valid"] = "file: valid"
    if "exposure" in arrays:
        draft.exposure = np.ravel(arrays.load("exposure"))
        draft.sources["exposure"] = "file: exposure"
    draft.sources["probe"] = "unknown"
    probe = families.first(arrays, families.PROBES)
    if probe is not None:
        draft.probe = families.modes(arrays.load(probe), draft.notes)
        draft.sources["probe"] = f"file: {probe}"
    if families.first(arrays, families.NOT_READ):
        draft.notes.append(
            "The file holds an object too; it is not part of the scan and was not read."
        )


FORMAT = Format(
    title="NumPy scans (.npz, .npy, also within .bz2 or .gz): tike, PtyNet, PtychoNN, PtychoPINN, "
    "Ptychodus, generic",
    containers=(ARRAYS,),
    recognises=recognises,
    read_scan=read_scan,
    checked="measured scans (tike; PtyNet, with known truth); files built to the documented layout",
)
