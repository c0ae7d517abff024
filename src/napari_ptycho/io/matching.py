"""Which frame belongs to which position, and which frames are left out."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import NeedsPositions, ScanError
from napari_ptycho.io import positions
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Floats

if TYPE_CHECKING:
    from napari_ptycho.io.draft import Draft, Request


@dataclass(frozen=True)
class Placed:
    """The frames that are used, and where the probe stood at each."""

    frames: NDArray[np.intp]
    """(K,) ascending numbers of the frames that are used."""
    positions: Floats
    """(K, 2) (y, x) in `unit`."""
    unit: str
    """m or px."""
    exposure: Floats | None
    """(K,) relative exposure."""


def placed(draft: "Draft", request: "Request") -> Placed:
    """Return the frames to use and their positions; notes of it go into the draft.

    Positions come from the second file or the raster that the person names, else from the file.

    Raises:
        NeedsPositions: There are none.
        ScanError: They do not fit the frames.
    """
    n, layout = draft.patterns.shape[0], request.layout
    if request.positions is not None:
        found = positions.read_positions(request.positions, layout, n)
    elif layout.raster_rows:
        found = positions.raster(layout, n)
    elif draft.positions is not None:
        found = positions.Places(np.asarray(draft.positions), draft.unit)
    else:
        raise NeedsPositions(
            f"{draft.file.name}: holds {n} frames but no positions; give a second file with them "
            "(HDF5, CSV, TXT, NPY), or rows, columns and steps of a raster"
        )
    found = positions.arranged(found, layout)
    _check(found, draft.file, n)
    if found.source:
        draft.sources[f"positions_{found.unit}"] = found.source
    draft.notes += found.notes
    keep = _matching(draft, found.values)
    exposure = draft.exposure
    if exposure is not None and len(exposure) == n:
        exposure = exposure[keep]
    return Placed(keep, found.values[keep], found.unit, exposure)


def _check(found: "positions.Places", file: Path, n: int) -> None:
    if found.values.ndim != 2 or found.values.shape[1] != 2:
        raise ScanError(f"{file.name}: positions have shape {found.values.shape}; need ({n}, 2)")


def _matching(draft: "Draft", places: NDArray[Any]) -> NDArray[np.intp]:
    """Return the numbers of the frames that have a position."""
    n_frames, n_positions = draft.patterns.shape[0], len(places)
    n = min(n_frames, n_positions)
    if n_frames != n_positions:
        draft.notes.append(
            f"{n_frames} patterns but {n_positions} positions: only the first {n} of both are "
            "used; check that they belong together."
        )
    finite = np.isfinite(places[:n]).all(axis=1)
    if not finite.any():
        raise ScanError(f"{draft.file.name}: none of {n} positions is a finite number")
    lost = np.flatnonzero(~finite)
    if len(lost):
        draft.notes.append(
            f"{len(lost)} patterns have no finite position and were dropped: {listed(lost)}."
        )
    return np.flatnonzero(finite)


def listed(numbers: NDArray[Any]) -> str:
    """Return the first ten of some numbers as words."""
    return ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")


def without_dark(scan: Scan) -> Scan:
    """Leave out frames without a single count (the beam was away), and say which.

    Raises:
        ScanError: No frame has any.
    """
    lit = np.concatenate(
        [np.where(scan.valid_of(at), block, 0).any(axis=(1, 2)) for at, block in scan.blocks()]
    )
    if lit.all() or not lit.any():
        return scan
    keep, dark = np.flatnonzero(lit), np.flatnonzero(~lit)
    some: dict[str, Any] = {
        name: None if getattr(scan, name) is None else getattr(scan, name)[keep]
        for name in ("positions_m", "positions_px", "exposure")
    }
    valid = scan.valid if scan.valid is None or scan.valid.ndim == 2 else scan.valid[keep]
    note = f"{len(dark)} frames hold no count at all and were left out: {listed(dark)}."
    return replace(
        scan, patterns=scan.patterns[keep], valid=valid, notes=(*scan.notes, note), **some
    )
