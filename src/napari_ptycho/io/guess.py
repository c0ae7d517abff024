"""The layout to begin with: the best candidates, and what else the names of datasets tell."""

from collections.abc import Sequence
from typing import Any

from napari_ptycho.io.candidates import Candidate, counts_of, is_numeric, name_of
from napari_ptycho.io.hdf5 import LENGTHS
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.quantities import quantity, without_unit
from napari_ptycho.io.tree import Node

SCALARS = {
    "energy": ("photon_energy", "incident_energy", "energy", "incident_wavelength", "wavelength"),
    "distance": ("detector_distance", "distance", "zo", "det_dist"),
    "detector_pixel": (
        "x_pixel_size",
        "y_pixel_size",
        "pixel_size",
        "psize",
        "detector_pixel_size",
        "det_pixel_size",
        "dxd",
    ),
}
"""Field of the layout -> names, the surest first."""
UNITS = {1.0: "m", 1e-3: "mm", 1e-6: "um", 1e-9: "nm", 1e-10: "A"}
"""Metres -> the word that `Layout.position_unit` has for it."""


def first_layout(
    nodes: Sequence[Node], frames: Sequence[Candidate], places: Sequence[Candidate]
) -> Layout:
    """Return what to begin with; what is not to be told stays as the layout's defaults."""
    if not frames:
        return Layout()
    path = frames[0].paths[0]
    shape = next(node.shape for node in nodes if node.path == path)
    values: dict[str, Any] = {"frames": path, "frame_axes": _frame_axes(shape, places)}
    if places and places[0].score > 0.3:
        values |= _of_places(nodes, places[0])
        values["extra_axis"] = _extra_axis(shape, values["frame_axes"], places[0])
    frame = shape[:2] if values["frame_axes"] == "first" else shape[-2:]
    values["mask"] = _mask(nodes, frame)
    values |= {name: _scalar(nodes, name) for name in SCALARS}
    return Layout(**values)


def _frame_axes(shape: Sequence[int], places: Sequence[Candidate]) -> str:
    """Return which axes are rows and columns: by the positions, else by a square frame."""
    sizes = [one.count for one in places if one.score > 0.3][:1]
    if sizes:
        last = sizes[0] in counts_of(shape, "last")
        return "first" if not last and sizes[0] in counts_of(shape, "first") else "last"
    square_first = shape[0] == shape[1] and shape[-2] != shape[-1]
    return "first" if square_first and min(shape[:2]) >= 32 else "last"


def _extra_axis(shape: Sequence[int], axes: str, candidate: Candidate) -> str:
    counts = counts_of(shape, axes)
    n = candidate.count
    if n == counts[0] or n not in counts:
        return "none"
    return "first" if n == counts[1] else "second"


def _of_places(nodes: Sequence[Node], candidate: Candidate) -> dict[str, str]:
    names = ("positions",) if len(candidate.paths) == 1 else ("positions_y", "positions_x")
    values = dict(zip(names, candidate.paths, strict=True))
    if "translation" in name_of(candidate.paths[0]):  # of CXI and NeXus: x, y, z
        values["position_order"] = "xy"
    unit = next(node.units for node in nodes if node.path == candidate.paths[0]).lower()
    if unit in LENGTHS and LENGTHS[unit] in UNITS:
        values["position_unit"] = UNITS[LENGTHS[unit]]
    return values


def _mask(nodes: Sequence[Node], frame: Sequence[int]) -> str:
    for node in nodes:
        fits = tuple(node.shape[-2:]) == tuple(frame) and len(node.shape) in (2, 3)
        numbers = is_numeric(node) or (node.kind == "dataset" and node.dtype == "bool")
        if fits and numbers and "mask" in name_of(node.path):
            return node.path
    return ""


def _scalar(nodes: Sequence[Node], field: str) -> str:
    for name in SCALARS[field]:
        for node in nodes:
            few = len(node.shape) < 2 and max(node.shape, default=1) <= 3
            if without_unit(name_of(node.path))[0] == name and few and is_numeric(node):
                if node.value and quantity(field, float(node.value), node.units, node.path) is None:
                    continue
                return node.path
    return ""
