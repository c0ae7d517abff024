"""Which frame belongs to which position, and which frames are left out."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import NeedsPositions, ScanError
from napari_ptycho.io import positions
from napari_ptycho.io.layout import Layout
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.prepare.halves import take

if TYPE_CHECKING:
    from napari_ptycho.io.draft import Draft, Request

Numbers = NDArray[np.intp]
MOST_FRAMES = 2**24
FAINT = 0.1
"""Frames with less of the median monitor than this are left out."""


@dataclass(frozen=True)
class Placed:
    """The frames that are used, and where the probe stood at each."""

    frames: Numbers
    """(K,) ascending numbers of the frames that are used."""
    positions: Floats
    """(K, 2) (y, x) in `unit`."""
    unit: str
    """m or px."""
    exposure: Floats | None
    """(K,) relative exposure, the monitor in it."""


def placed(draft: "Draft", request: "Request") -> Placed:
    """Return the frames to use and their positions; notes of it go into the draft.

    Positions come from the second file or the raster that the person names, else from the file.

    Raises:
        NeedsPositions: There are none.
        ScanError: They do not fit the frames, or no frame is left.
    """
    if draft.patterns.shape[0] > MOST_FRAMES:
        raise ScanError(
            f"{draft.file.name}: claims to have {draft.patterns.shape[0]} frames; more than "
            f"{MOST_FRAMES} are not read"
        )
    found = _found(draft, request)
    _check(found, draft.file, draft.patterns.shape[0])
    if request.growing is not None:
        found = request.growing.fitted(draft, found)
    if found.source:
        draft.sources[f"positions_{found.unit}"] = found.source
    draft.notes += found.notes
    frames = _asked(draft, request.layout)
    frames, values = _paired(draft, frames, found.values)
    finite = np.isfinite(values).all(axis=1)
    if not finite.any():
        raise ScanError(f"{draft.file.name}: none of {len(values)} positions is a finite number")
    if not finite.all():
        lost = frames[~finite]
        draft.notes.append(
            f"{len(lost)} patterns have no finite position and were dropped: {listed(lost)}."
        )
    frames, values = frames[finite], values[finite]
    _say_if_still(draft, values)
    monitor = _per_frame(draft, "monitor", draft.monitor)
    if monitor is not None:
        lit = _lit(draft, request, frames, monitor)
        frames, values = frames[lit], values[lit]
    return Placed(frames, values, found.unit, _exposure(draft, request, frames, monitor))


def _found(draft: "Draft", request: "Request") -> "positions.Places":
    n, layout = draft.patterns.shape[0], request.layout
    growing = request.growing
    if request.positions is not None and growing is not None:
        found = growing.second_file(request.positions, layout, n)
    elif request.positions is not None:
        found = positions.read_positions(request.positions, layout, n)
    elif layout.raster_rows or layout.raster_columns:
        found = positions.raster(layout, n if growing is None else growing.planned(layout, n))
    elif draft.positions is not None:
        found = positions.Places(np.asarray(draft.positions), draft.unit)
    else:
        raise NeedsPositions(
            f"{draft.file.name}: holds {n} frames but no positions; give a second file with them "
            "(HDF5, CSV, TXT, NPY), or rows, columns and steps of a raster"
        )
    return positions.arranged(found, layout)


def _check(found: "positions.Places", file: Path, n: int) -> None:
    if found.values.ndim != 2 or found.values.shape[1] != 2 or not len(found.values):
        raise ScanError(f"{file.name}: positions have shape {found.values.shape}; need ({n}, 2)")


def _asked(draft: "Draft", layout: Layout) -> Numbers:
    """Return the numbers of the frames between the first and the last, one of so many."""
    n = draft.patterns.shape[0]
    frames = np.arange(n)[layout.first : layout.last or n : layout.every]
    if not len(frames):
        raise ScanError(
            f"{draft.file.name}: no frame is left of {n} from number {layout.first} to "
            f"{layout.last or n}; take others"
        )
    if len(frames) < n:
        draft.notes.append(
            f"{len(frames)} of {n} frames are used, as asked: from number {frames[0]} to "
            f"{frames[-1]}, one of {layout.every}."
        )
    return frames


def _paired(draft: "Draft", frames: Numbers, values: Floats) -> tuple[Numbers, Floats]:
    """Return the frames that have a position, and these."""
    n, count, used = draft.patterns.shape[0], len(values), len(frames)
    if count == n:
        return frames, values[frames]
    if count == used:
        draft.notes.append(
            f"There are as many positions ({count}) as frames that are used; they are taken to "
            "belong together."
        )
        return frames, values
    for wanted, chosen in ((n, frames), (used, np.arange(used))):
        if wanted > 1 and count % wanted == 0:
            samples = count // wanted
            draft.notes.append(
                f"{count} positions for {wanted} frames: the mean of each {samples} that follow "
                "one another was taken."
            )
            return frames, values.reshape(wanted, samples, 2).mean(axis=1)[chosen]
    both = min(n, count)
    advice = "check that they belong together."
    if n % count == 0 and count > 1:
        advice = (
            f"there are exactly {n // count} frames for each position. If so many were taken at "
            f"each, use one frame of {n // count}."
        )
    draft.notes.append(
        f"{n} patterns but {count} positions: only the first {both} of both are used; {advice}"
    )
    frames = frames[frames < both]
    if not len(frames):
        raise ScanError(
            f"{draft.file.name}: none of the frames that are used has one of the {count} "
            "positions; check that frames and positions are of one scan, or name others (Browse)"
        )
    return frames, values[frames]


def _say_if_still(draft: "Draft", values: Floats) -> None:
    """Say which axes do not change, as of encoders that are off."""
    still = [name for name, span in zip("yx", np.ptp(values, axis=0), strict=True) if span == 0]
    if still and len(values) > 1:
        each = " and ".join(f"{name} is {values[0, 'yx'.index(name)]:g}" for name in still)
        draft.notes.append(
            f"{each} at all {len(values)} positions: was the encoder or interferometer off? "
            "If there are set values, take these."
        )


def _per_frame(draft: "Draft", name: str, values: NDArray[Any] | None) -> Floats | None:
    """Return one number for each frame of the file; None if there is none that fits.

    Raises:
        ScanError: The exposure does not fit.
    """
    if values is None:
        return None
    n, flat = draft.patterns.shape[0], np.ravel(np.asarray(values)).astype(np.float64)
    if len(flat) == n:
        return flat
    if len(flat) and len(flat) % n == 0:
        draft.notes.append(
            f"The {name} has {len(flat)} values for {n} frames: the mean of each "
            f"{len(flat) // n} that follow one another was taken."
        )
        return np.asarray(flat.reshape(n, -1).mean(axis=1))
    if name == "exposure":  # without it the counts mean something else
        raise ScanError(f"{draft.file.name}: {name} has shape {flat.shape}; need ({n},)")
    draft.notes.append(f"The {name} has {len(flat)} values for {n} frames and was not used.")
    return None


def _middle(request: "Request", what: str, values: Floats) -> float:
    """Return the median of the finite numbers; of a growing scan, that of the first of them."""
    finite = values[np.isfinite(values)]
    middle = float(np.median(finite)) if len(finite) else 0.0
    return middle if request.growing is None else request.growing.once(what, middle)


def _lit(draft: "Draft", request: "Request", frames: Numbers, monitor: Floats) -> NDArray[np.bool_]:
    """Return which frames had beam by the monitor."""
    here = monitor[frames]
    middle = _middle(request, "monitor", here)
    if middle <= 0:
        draft.notes.append("The monitor shows no beam at most frames; it was not used.")
        return np.ones(len(frames), bool)
    lit = np.isfinite(here) & (here >= FAINT * middle)
    if not lit.all():
        lost = frames[~lit]
        draft.notes.append(
            f"{len(lost)} frames with a monitor below a tenth of its median ({middle:.4g}) were "
            f"left out: {listed(lost)}."
        )
    return np.asarray(lit)


def _exposure(
    draft: "Draft", request: "Request", frames: Numbers, monitor: Floats | None
) -> Floats | None:
    """Return the relative exposure of the frames: what the file says times the monitor."""
    exposure = _per_frame(draft, "exposure", draft.exposure)
    chosen = None if exposure is None else exposure[frames]
    middle = 0.0 if monitor is None else _middle(request, "monitor of lit frames", monitor[frames])
    if monitor is None or not middle > 0:
        return chosen
    relative = monitor[frames] / middle
    return relative if chosen is None else chosen * relative


def listed(numbers: NDArray[Any]) -> str:
    """Return the first ten of some numbers as words."""
    return ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")


def without_dark(scan: Scan) -> Scan:
    """Leave out frames without a single count (the beam was away), and say which.

    If no frame has any, all stay, and that is said.
    """
    lit = np.concatenate(
        [np.where(scan.valid_of(at), block, 0).any(axis=(1, 2)) for at, block in scan.blocks()]
    )
    if lit.all():
        return scan
    if not lit.any():
        note = (
            f"There is no count in any of {len(lit)} frames: was the shutter closed? "
            "Check that these are the frames, and that the mask is not inverted."
        )
        return replace(scan, notes=(*scan.notes, note))
    dark = np.flatnonzero(~lit)
    note = f"{len(dark)} frames hold no count at all and were left out: {listed(dark)}."
    kept = take(scan, np.flatnonzero(lit))
    return replace(kept, sources=scan.sources, notes=(*scan.notes, note))
