"""A scan of a file in which a row of a table says where everything is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_ptycho.errors import NeedsPositions
from napari_ptycho.io import hdf5
from napari_ptycho.io.attributes import Attributes
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.formats import stored
from napari_ptycho.io.formats.beam import off_centre
from napari_ptycho.io.formats.beamline import Beamline, Value
from napari_ptycho.io.formats.beamline_stack import Stack, first_of, says_positions
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.masks import good_pixels
from napari_ptycho.io.places import metres_per
from napari_ptycho.io.quantities import quantity, without_unit
from napari_ptycho.model import Scan

GEOMETRY = {"energy": "energy_ev", "distance": "distance_m", "pixel": "detector_pixel_m"}
"""Field of a row -> field of the geometry."""
MOST_VALUES = 2**24
"""Of a dataset that should hold one number."""


def read_row(file: h5py.File, row: Beamline, request: Request) -> Scan:
    """Read a scan by a row of the table.

    Raises:
        ScanError: What is there makes no scan; `NeedsPositions` if the positions are elsewhere.
        FileError: A link, a filter or a virtual source is broken.
    """
    request = replace(request, layout=_filled(request.layout, row.layout))
    stack = Stack(file, row, request)
    draft = _draft(stack)
    beside = draft.file.parent / row.beside.format(index=stack.index)
    elsewhere = request.positions is not None or says_positions(request.layout)
    if row.beside and beside.is_file() and not elsewhere:
        request = replace(request, positions=beside)
    try:
        return draft.scan(request)
    except NeedsPositions as error:
        apart = row.apart or "they are not where such files have them"
        raise NeedsPositions(
            f"{draft.file.name}: {draft.patterns.shape[0]} frames of {row.title} without positions:"
            f" {apart}. Give the file with the positions, or rows, columns and steps of a raster"
        ) from error


def _filled(layout: Layout, defaults: Mapping[str, Any]) -> Layout:
    """Return a layout with the defaults of a row where the person says nothing."""
    usual = Layout()
    left = {name: one for name, one in defaults.items() if _same(layout, usual, name)}
    return replace(layout, **left)


def _same(layout: Layout, usual: Layout, name: str) -> bool:
    return bool(getattr(layout, name) == getattr(usual, name))


def _draft(stack: Stack) -> Draft:
    row = stack.row
    places = stack.places()
    draft = Draft(Path(stack.file.filename), stack.frames(), None)
    draft.sources = {"patterns": stack.source, "probe": "unknown"}
    draft.notes = [f"Read as a file of {row.title}.", *row.notes, *stack.notes]
    if places is not None:
        draft.positions, draft.unit = places.values, places.unit
        draft.sources[f"positions_{places.unit}"] = places.source
        draft.notes += places.notes
    _experiment(stack, draft)
    _mask(stack, draft)
    monitor = first_of(stack.file, row.monitor)
    if monitor is not None and (monitor.size or 0) > 1:
        draft.monitor = stack.chosen(stored.numbers(monitor))
        draft.sources["monitor"] = f"file: {monitor.name}"
    return draft


@dataclass(frozen=True)
class _Raw:
    """A number as stored."""

    number: float
    unit: str
    source: str


def _experiment(stack: Stack, draft: Draft) -> None:
    """Put energy, distance and pixel into the draft, and say if the beam is off the middle."""
    for what, name in GEOMETRY.items():
        known = []
        for value in getattr(stack.row, what):
            raw = _raw(stack, value)
            if raw is not None and (number := _number(what, value, raw, draft)) is not None:
                known.append((number, raw.source))
        if known:
            pair = known[0][0], known[-1][0]
            draft.geometry[name] = pair if what == "pixel" else known[0][0]
            draft.sources[name] = f"file: {known[0][1]}"
    centre = [raw for value in stack.row.centre if (raw := _raw(stack, value)) is not None]
    pixel = draft.geometry.get("detector_pixel_m", (np.nan, np.nan))
    if len(centre) == 2 and all(raw.number for raw in centre):
        y, x = (_pixels(raw, size) for raw, size in zip(centre, pixel, strict=True))
        draft.notes += [said] if (said := off_centre((y, x), draft.patterns.shape[1:])) else []


def _pixels(raw: _Raw, pixel_m: float) -> float:
    factor = metres_per(raw.unit) if raw.unit else None
    return raw.number if factor is None else raw.number * factor / pixel_m


def _number(what: str, value: Value, raw: _Raw, draft: Draft) -> float | None:
    """Return a number in base units, None if it says nothing."""
    kind = "detector_pixel" if what == "pixel" else what
    folder, _, last = raw.source.rpartition("/")
    # Where the table gives no unit, that in the name is no help: det_dist_mm holds metres.
    name = raw.source if value.unit else f"{folder}/{without_unit(last)[0]}"
    found = quantity(kind, raw.number, raw.unit or value.unit, name)
    if found is None:
        draft.notes.append(
            f"{raw.source} = {raw.number:g} {raw.unit or value.unit}".rstrip()
            + f" says nothing of the {what}; it stays unknown."
        )
        return None
    draft.notes += [found.note] if found.note else []
    return found.value


def _raw(stack: Stack, value: Value) -> _Raw | None:
    path, _, attribute = value.path.partition("@")
    dataset = first_of(stack.file, path)
    if dataset is None or not dataset.size:
        return None
    unit, source = hdf5.unit(dataset), str(dataset.name)
    if attribute:
        held, unit, source = Attributes(dataset).get(attribute), "", f"{source}@{attribute}"
    else:
        held = dataset[()] if dataset.size < MOST_VALUES else None
    flat = np.ravel(np.asarray(held)) if held is not None else np.empty(0)
    if not flat.size or flat.dtype.kind not in "uif":
        return None
    return _Raw(hdf5.decimal(flat[stack.which(len(flat))]), unit, source)


def _mask(stack: Stack, draft: Draft) -> None:
    dataset = first_of(stack.file, stack.row.mask)
    if dataset is None:
        return
    values = stored.numbers(dataset)
    values = values[0] if values.ndim == 3 and len(values) == 1 else values
    good, note = good_pixels(values, str(dataset.name), stack.row.mask_means)
    draft.valid = np.asarray(good.T if stack.row.reversed_axes else good)
    draft.sources["valid"] = f"file: {dataset.name}"
    draft.notes += [note] if note else []
