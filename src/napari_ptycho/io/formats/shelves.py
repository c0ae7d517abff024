"""Frames that PtychoShelves prepared, in both its layouts.

Facts: the readers of fold_slice. Zero frequency is at the corner; positions are (row, column) of
the window in whole pixels. In the older layout each frame is a dataset of amplitudes, divided by
the root of `max_power`.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.attributes import Attributes
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.formats import HDF5_FILE, Format, stored
from napari_ptycho.io.hdf5_frames import Hdf5Frames, OpenFrames
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Bools

NEW, OLD = "measurement", "measurements"
PREPARED = "a scan prepared by PtychoShelves"
ROUNDED = 1e-5
"""How well amplitudes in single precision give whole counts back."""


def recognises(file: h5py.File) -> bool:
    """Whether a file has prepared frames."""
    return bool(_numbered(file, NEW, "n", "data") or _numbered(file, OLD, f"{NEW}_", "diff_pat"))


def _numbered(file: h5py.File, place: str, prefix: str, child: str) -> list[str]:
    """Return the groups called by a prefix and a number that have a child, in their order."""
    group = file.get(place)
    if not isinstance(group, h5py.Group):
        return []
    names = [name for name in group if re.fullmatch(rf"{prefix}\d{{1,9}}", name)]
    names.sort(key=lambda name: int(name[len(prefix) :]))
    below = {name: group.get(name) for name in names}
    return [name for name, part in below.items() if isinstance(part, h5py.Group) and child in part]


def read(file: h5py.File, request: Request) -> Scan:
    """Read a scan.

    Raises:
        ScanError: Something is missing or contradicts itself.
        FileError: Something cannot be read.
    """
    new = _numbered(file, NEW, "n", "data")
    draft = _new(file, new) if new else _old(file, _numbered(file, OLD, f"{NEW}_", "diff_pat"))
    layout = request.layout
    if layout.zero_frequency == "auto":
        layout = replace(layout, zero_frequency="corner")
    if layout.values == "auto":
        layout = replace(layout, values="intensity")
    return draft.scan(replace(request, layout=layout))


def _new(file: h5py.File, scans: list[str]) -> Draft:
    base = f"{NEW}/{scans[0]}"
    frames = hdf5.require(file, f"{base}/data", PREPARED)
    if frames.ndim != 3 or 0 in frames.shape:
        raise ScanError(
            f"{Path(file.filename).name}: '{base}/data' has shape {frames.shape}; need (N, H, W)"
        )
    places = stored.numbers(hdf5.require(file, f"{base}/positions", PREPARED))
    if places.shape == (2, frames.shape[0]) != (2, 2):
        places = places.T
    draft = Draft(
        Path(file.filename),
        Hdf5Frames(frames),
        places.astype(np.float64),
        "px",
        sources={"patterns": f"file: /{base}/data", "positions_px": f"file: /{base}/positions"},
    )
    if len(scans) > 1:
        draft.notes.append(
            f"The file has {len(scans)} scans ({', '.join(scans[:10])}); {scans[0]} was read."
        )
    detector = f"detector/{scans[0]}"
    good = _modules(file, f"{detector}/modules", frames.shape[1:])
    bad = hdf5.find(file, f"{detector}/bad_pixels")
    if good is not None or bad is not None:
        draft.valid = np.ones(frames.shape[1:], bool) if good is None else good
        _put_out(draft.valid, bad)
        draft.sources["valid"] = f"file: /{detector}"
    if f"{base}/bad_pixels" in file:
        draft.notes.append(f"/{base}/bad_pixels (of single frames) was not read.")
    return draft


def _modules(file: h5py.File, name: str, shape: tuple[int, ...]) -> Bools | None:
    """Return (H, W) True on the modules (rows, columns, first row, first column), if told.

    As PtychoShelves does, all their stretches of rows are combined with all those of columns.
    """
    dataset = hdf5.find(file, name)
    if dataset is None or not dataset.size:
        return None
    modules = np.atleast_2d(stored.numbers(dataset))
    modules = modules if modules.shape[-1] == 4 else modules.T
    if modules.ndim != 2 or modules.shape[1] != 4:
        return None
    axes = []
    for length, sizes, firsts in zip(shape, modules.T[:2], modules.T[2:], strict=True):
        inside = np.zeros(length, bool)
        for size, first in zip(sizes[:1000], firsts[:1000], strict=True):
            inside[int(first) : int(first) + int(size)] = True
        axes.append(inside)
    good: Bools = axes[0][:, np.newaxis] & axes[1]
    return good if good.any() else None


def _put_out(good: Bools, dataset: h5py.Dataset | None) -> None:
    """Mark bad pixels, (k, 2) rows and columns from 0, in a mask."""
    if dataset is None or not dataset.size:
        return
    pixels = stored.numbers(dataset)
    pixels = pixels if pixels.ndim == 2 and pixels.shape[1] == 2 else pixels.T
    if pixels.ndim != 2 or pixels.shape[1] != 2:
        raise ScanError(
            f"{Path(dataset.file.filename).name}: '{dataset.name}' has shape {dataset.shape}; need "
            "(k, 2) rows and columns of bad pixels"
        )
    inside = ((pixels >= 0) & (pixels < good.shape)).all(axis=1)
    rows, columns = pixels[inside].astype(int).T
    good[rows, columns] = False


class _Separate(OpenFrames):
    """Frames of the older layout: a dataset of amplitudes each, made intensities."""

    def __init__(self, datasets: list[h5py.Dataset], power: float) -> None:
        self.names = [str(dataset.name) for dataset in datasets]
        self.power = power
        shape = (len(datasets), *datasets[0].shape)
        super().__init__([Path(datasets[0].file.filename)], shape, np.float32)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return frames (stop - start, H, W)."""
        file = self.file()
        amplitudes = np.stack([file[name][()] for name in self.names[start:stop]])
        counts = np.square(amplitudes, dtype=np.float64) * self.power
        whole = np.rint(counts)
        near = np.abs(counts - whole) <= ROUNDED * counts + ROUNDED
        return np.where(near, whole, counts).astype(np.float32)


def _old(file: h5py.File, names: list[str]) -> Draft:
    datasets = [hdf5.require(file, f"{OLD}/{name}/diff_pat", PREPARED) for name in names]
    shape = datasets[0].shape
    for dataset in datasets:
        if dataset.shape != shape or len(shape) != 2 or dataset.dtype.kind not in "uif":
            raise ScanError(
                f"{Path(file.filename).name}: '{dataset.name}' is {dataset.dtype} of shape "
                f"{dataset.shape}; need numbers of shape (H, W), the same in all frames"
            )
    power = np.ravel(Attributes(file[OLD]).get("max_power", 0.0))
    known = power.size == 1 and power.dtype.kind in "uif" and 0 < power[0] < np.inf
    draft = Draft(
        Path(file.filename),
        _Separate(datasets, float(power[0]) if known else 1.0),
        np.array([_place(file, name) for name in names]),
        "px",
        sources={
            "patterns": f"file: /{OLD}/{names[0]}/diff_pat, ...",
            "positions_px": f"file: /{OLD}/{names[0]}@position, ...",
        },
        notes=[f"The file holds amplitudes; they were squared{' and scaled' if known else ''}."],
    )
    if not known:
        draft.notes.append("There is no max_power: the frames are no counts, but relative.")
    good = _modules(file, "detectors/detector_0/modules", shape)
    masks = list(_old_masks(file, names, np.ones(shape, bool) if good is None else good))
    same = all((mask == masks[0]).all() for mask in masks)
    if not (same and masks[0].all()):
        draft.valid = masks[0] if same else np.stack(masks)
        draft.sources["valid"] = f"file: /{OLD}"
    return draft


def _place(file: h5py.File, name: str) -> NDArray[np.float64]:
    """Return the (row, column) of a frame of the older layout, NaN where it has none."""
    value = np.ravel(Attributes(file[f"{OLD}/{name}"]).get("position", ()))
    if value.size != 2 or value.dtype.kind not in "uif":
        return np.full(2, np.nan)
    return value.astype(np.float64)


def _old_masks(file: h5py.File, names: list[str], good: Bools) -> Iterator[Bools]:
    for name in names:
        bad = hdf5.find(file, f"{OLD}/{name}/bad_pixels")
        if bad is None:
            yield good
            continue
        own = good.copy()
        _put_out(own, bad)
        yield own


FORMAT = Format(
    title="scans prepared by PtychoShelves",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_scan=read,
)
