"""What programs call the arrays of a scan, and what is particular to each of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.archive import open_archive
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.files import HDF5, ZIP, kind_of, read_head
from napari_ptycho.io.formats import stored
from napari_ptycho.io.formats.array_axes import Arrays

PATTERNS = ("patterns", "data", "diff3d", "diffraction", "reciprocal", "diff", "dp", "arr_0")
"""Generic and Ptychodus, tike and PtyNet, PtychoPINN, its canonical form and SLAC, pppc, PtyNet's
own training data, APS, PtychoNN."""
AMPLITUDES = ("diff3d", "diffraction")
"""Of PtychoPINN, unless they are whole numbers."""
OBJECTS = "diff"
POSITIONS = {"positions_m": "m", "positions_px": "px", "scan": "px", "position": "m"}
"""Name -> unit; `positions` alone has none in its name."""
PAIRS = {
    ("ycoords", "xcoords"): "px",
    ("ycoords_start", "xcoords_start"): "m",
}
"""(rows, columns) -> unit."""
PROBES = ("probe", "probeGuess")
NOT_READ = ("object", "objectGuess", "real", "psi", "Y")
PRODUCT = ("probe_position_indexes", "probe_position_y_m", "probe_position_x_m")


def first(arrays: Arrays, names: tuple[str, ...]) -> str | None:
    """Return the first of some names that is there."""
    return next((name for name in names if name in arrays), None)


def amplitudes(arrays: Arrays, name: str, request: Request) -> Request:
    """Return the request, with amplitudes where the program is known to store them."""
    dtype = arrays.header(name).dtype
    told = request.layout.values == "auto"
    if not told or name not in AMPLITUDES or dtype.kind != "f" or not _of_pinn(arrays):
        return request
    return replace(request, layout=replace(request.layout, values="amplitude"))


def _of_pinn(arrays: Arrays) -> bool:
    return "xcoords" in arrays


def bad_pixels(arrays: Arrays, draft: Draft) -> None:
    """Take the mask of Ptychodus: True = bad."""
    if "bad_pixels" in arrays:
        draft.valid = arrays.load("bad_pixels") == 0
        draft.sources["valid"] = "file: bad_pixels"


def one_scan(arrays: Arrays, draft: Draft, wanted: int) -> None:
    """Keep the frames of one scan where PtychoPINN has several in a file (`scan_index`).

    Args:
        arrays: The file.
        draft: Frames and positions of all scans; those of one are left.
        wanted: Which scan, counted from 0.

    Raises:
        ScanError: There are fewer.
    """
    if "scan_index" not in arrays:
        return
    index = np.ravel(arrays.load("scan_index"))
    scans = np.unique(index)
    n = draft.patterns.shape[0]
    if len(index) != n or not 1 < len(scans) < n:
        return
    if wanted >= len(scans):
        raise ScanError(f"{arrays.path.name}: holds {len(scans)} scans; there is no scan {wanted}")
    keep = index == scans[wanted]
    draft.patterns = draft.patterns[keep]
    if draft.positions is not None and len(draft.positions) == n:
        draft.positions = draft.positions[keep]
    draft.notes.append(
        f"The file holds {len(scans)} scans; number {wanted} of them is read (extra_index)."
    )


def joined(arrays: Arrays, draft: Draft, request: Request) -> Request:
    """Pair the frames of Ptychodus with the positions of a product, by the frames' numbers.

    Returns:
        The request, without the second file if it was a product.

    Raises:
        ScanError: No frame has a position.
    """
    if "indexes" not in arrays or request.positions is None:
        return request
    found = _product(request.positions)
    if found is None:
        return request
    indexes, y, x = found
    places = {int(index): (y[k], x[k]) for k, index in enumerate(indexes)}
    wanted = np.ravel(arrays.load("indexes")).astype(np.int64).tolist()
    draft.positions = np.array([places.get(index, (np.nan, np.nan)) for index in wanted])
    draft.unit = "m"
    name = request.positions.name
    if not np.isfinite(draft.positions).any():
        raise ScanError(f"{draft.file.name}: none of its frame numbers is in {name}")
    draft.sources["positions_m"] = f"file: {name}: probe_position_y_m, probe_position_x_m"
    draft.notes.append(f"Frames and positions of {name} were paired by their numbers.")
    return replace(request, positions=None)


def _product(path: Path) -> list[NDArray[Any]] | None:
    """Return numbers of frames, y and x of a product, None of any other file."""
    path = path.expanduser()
    kind = kind_of(read_head(path))
    if kind == HDF5:
        with hdf5.open_file(path) as file:
            sets = [hdf5.find(file, name) for name in PRODUCT]
            return _numbers(
                [None if found is None else stored.loaded(found) for found in sets], path
            )
    if kind == ZIP:
        with open_archive(path, ZIP) as archive:
            return _numbers([archive.load(name) for name in PRODUCT if name in archive], path)
    return None


def _numbers(found: list[NDArray[Any] | None], path: Path) -> list[NDArray[Any]] | None:
    columns = [np.ravel(array) for array in found if array is not None]
    if len(columns) < len(PRODUCT):
        return None
    if any(column.dtype.kind not in "uif" or len(column) != len(columns[0]) for column in columns):
        raise ScanError(f"{path.name}: {', '.join(PRODUCT)} must be numbers, as many of each")
    return columns


def modes(probe: NDArray[Any], notes: list[str]) -> NDArray[Any]:
    """Return (M, h, w) from (h, w), (M, h, w), or tike's (..., eigen, M, h, w)."""
    if probe.ndim == 2:
        return probe[np.newaxis]
    if probe.ndim > 3:
        if np.prod(probe.shape[:-3]) > 1:
            notes.append(f"Of a probe of shape {probe.shape} only the first set of modes is used.")
        return probe.reshape(-1, *probe.shape[-3:])[0]
    return probe
