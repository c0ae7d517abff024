"""Scans that PtyPy prepared (.ptyd): chunks of frames, in one file or linked to.

Facts: PtyPy's documentation of its data management, and its source. Energy is in keV; positions
are those of the probe (row, column) in metres; frames are cropped, turned and binned already.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io import external, ptypy, stored
from napari_ptycho.io.beam import off_centre
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.formats import HDF5_FILE, Format
from napari_ptycho.io.frames import Joined
from napari_ptycho.io.hdf5_frames import Hdf5Frames
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Bools, Floats

CHUNKS, META = "chunks", "meta"
PLANNED = ("info/positions_theory", "info/positions_scan", "common/positions_scan")
SHARED_WEIGHTS = ("meta/weight2d", "common/weight2d", "info/weight2d")
MOST_WEIGHTS, BLOCK = 2**28, 2**24
"""Of more weights only some are looked at; so many are read at once."""


def recognises(file: h5py.File) -> bool:
    """Whether a file has numbered chunks and their meta data."""
    return isinstance(file.get(META), h5py.Group) and bool(_numbers(file))


def _numbers(file: h5py.File) -> list[int]:
    group = file.get(CHUNKS)
    names = list(group) if isinstance(group, h5py.Group) else []
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


@dataclass
class _Chunk:
    """A chunk of frames."""

    number: int
    frames: Hdf5Frames
    indices: NDArray[Any]
    """(n,) numbers of its frames in the scan."""
    positions: Floats
    """(n, 2) metres, NaN where there is none."""
    weights: Hdf5Frames | Bools | None
    """Good where above zero: of each frame, or (H, W) True = good; None: see `SHARED_WEIGHTS`."""


@dataclass
class _Reading:
    """A file that is read, and what is found in it."""

    file: h5py.File
    chunks: list[_Chunk] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(file: h5py.File, request: Request) -> Scan:
    """Read a scan.

    Raises:
        ScanError: Something is missing or contradicts itself.
        FileError: No chunk can be read.
    """
    reading = _Reading(file)
    _read_chunks(reading)
    return _draft(reading).scan(request)


def _read_chunks(reading: _Reading) -> None:
    held = _numbers(reading.file)
    group = reading.file[CHUNKS]
    for number in range(held[-1] + 1) if held[-1] < 2 * len(held) + 1000 else held:
        with ExitStack() as stack:
            part = external.followed(group, str(number), stack) if number in held else None
            if isinstance(part, h5py.Group):
                _read_chunk(reading, number, part)
            else:
                reading.lost.append(number)
    if not reading.chunks:
        raise FileError(f"{_name(reading)}: {_nothing(group, held[0])}")
    for number in reading.lost:
        reading.notes.append(_told_lost(reading, number, held[-1] + 1))


def _name(reading: _Reading) -> str:
    return Path(reading.file.filename).name


def _nothing(group: h5py.Group, number: int) -> str:
    link = group.get(str(number), getlink=True)
    if isinstance(link, h5py.ExternalLink):
        return (
            f"none of its chunks can be read; the first lies in {link.filename}, which is not "
            "there; put it beside this file"
        )
    return "none of its chunks holds a frame"


def _read_chunk(reading: _Reading, number: int, group: h5py.Group) -> None:
    owner, path = group.file, group.name.rstrip("/")
    data = ptypy.dataset(owner, f"{path}/data")
    if data is None or not data.size:
        return
    if data.ndim != 3:
        raise ScanError(
            f"{_name(reading)}: the data of chunk {number} have shape {data.shape}; need (M, h, w)"
        )
    n, before = data.shape[0], sum(len(chunk.indices) for chunk in reading.chunks)
    indices = ptypy.numbers(owner, f"{path}/indices")
    if indices is None or len(indices) != n or not np.isfinite(indices).all():
        indices = np.arange(before, before + n, dtype=np.float64)
    whole = np.clip(indices, -1, 2**53).astype(np.int64)
    positions = _positions(reading, owner, path, whole)
    weights = _good(reading, number, ptypy.dataset(owner, f"{path}/weights"), data.shape)
    reading.chunks.append(_Chunk(number, Hdf5Frames(data), whole, positions, weights))


def _good(
    reading: _Reading, number: int, weights: h5py.Dataset | None, shape: tuple[int, ...]
) -> Hdf5Frames | Bools | None:
    if weights is None or not weights.size:
        return None
    if weights.shape not in (shape, shape[1:]) or weights.dtype.kind not in "buif":
        raise ScanError(
            f"{_name(reading)}: the weights of chunk {number} are {weights.dtype} of shape "
            f"{weights.shape}; need numbers of shape {shape}"
        )
    return Hdf5Frames(weights) if weights.ndim == 3 else np.asarray(stored.numbers(weights) > 0)


def _positions(
    reading: _Reading, owner: h5py.File, path: str, indices: NDArray[np.int64]
) -> Floats:
    """Return the (n, 2) positions of a chunk: its own, else those planned for its frames."""
    places = np.full((len(indices), 2), np.nan)
    own = ptypy.dataset(owner, f"{path}/positions")
    if own is not None and own.size:
        found = _pairs(own)
        n = min(len(found), len(places))
        places[:n] = found[:n]
        if len(found) != len(places):
            reading.notes.append(
                f"A chunk ({path}) has {len(places)} frames but {len(found)} positions: only the "
                f"first {n} of both are used."
            )
        return places
    for name in PLANNED:
        planned = ptypy.dataset(reading.file, name)
        if planned is not None and planned.size:
            table = _pairs(planned)
            known = (indices >= 0) & (indices < len(table))
            places[known] = table[indices[known]]
            return places
    return places


def _pairs(dataset: h5py.Dataset) -> Floats:
    values = stored.numbers(dataset).astype(np.float64)
    if values.ndim != 2 or values.shape[1] != 2:
        raise ScanError(
            f"{Path(dataset.file.filename).name}: '{dataset.name}' has shape {values.shape}; need "
            "(N, 2) as (row, column) in metres"
        )
    return values


def _told_lost(reading: _Reading, number: int, count: int) -> str:
    """Say which frames went with a chunk that cannot be read."""
    before = [chunk for chunk in reading.chunks if chunk.number < number]
    after = [chunk for chunk in reading.chunks if chunk.number > number]
    first = int(before[-1].indices.max()) + 1 if before else 0
    neighbour = number - 1 in reading.lost or number + 1 in reading.lost
    which = "its frames"
    if after and not neighbour:
        which = f"frames {first}..{int(after[0].indices.min()) - 1}"
    return f"Chunk {number} of {count} is missing: {which} are left out."


def _draft(reading: _Reading) -> Draft:
    pieces = [chunk.frames for chunk in reading.chunks]
    for chunk in reading.chunks:
        if (chunk.frames.shape[1:], chunk.frames.dtype) != (pieces[0].shape[1:], pieces[0].dtype):
            raise ScanError(
                f"{_name(reading)}: chunk {chunk.number} has frames of {chunk.frames.shape[1:]} "
                f"{chunk.frames.dtype}, but the first has {pieces[0].shape[1:]} {pieces[0].dtype}"
            )
    positions = np.concatenate([chunk.positions for chunk in reading.chunks])
    draft = Draft(
        Path(reading.file.filename),
        pieces[0] if len(pieces) == 1 else Joined(pieces),
        positions if np.isfinite(positions).any() else None,
        sources={"patterns": f"file: /{CHUNKS}", "positions_m": f"file: /{CHUNKS}"},
        notes=reading.notes,
    )
    draft.valid = _valid(reading, draft)
    _experiment(reading.file, draft)
    return draft


def _valid(reading: _Reading, draft: Draft) -> Bools | None:
    """Return where weights are above zero: (H, W), or (N, H, W) where they differ."""
    shape = tuple(draft.patterns.shape)
    shared = _shared(reading.file, shape[1:])
    if all(chunk.weights is None for chunk in reading.chunks):
        if shared is not None:
            draft.sources["valid"] = "file: weight2d"
        return shared
    draft.sources["valid"] = f"file: /{CHUNKS}"
    usual = np.ones(shape[1:], bool) if shared is None else shared
    usual = np.ones(shape[1:], bool) if shared is None else shared
    if np.prod(shape) > MOST_WEIGHTS:
        draft.notes.append(
            "Of each chunk's weights the first, middle and last frame were looked at; pixels that "
            "are bad in any of them are masked."
        )
        masks = (block.all(axis=0) for block in _weights(reading, usual, few=True))
        return np.logical_and.reduce(list(masks))
    whole = np.concatenate(list(_weights(reading, usual)))
    return whole[0] if (whole == whole[0]).all() else whole


def _weights(reading: _Reading, usual: Bools, few: bool = False) -> Iterator[Bools]:
    """Yield whether weights are above zero, (n, H, W) for all or a few frames of each chunk."""
    for chunk in reading.chunks:
        n, weights = chunk.frames.shape[0], chunk.weights
        if isinstance(weights, Hdf5Frames):
            step = 1 if few else max(1, BLOCK // max(1, usual.size))
            for start in sorted({0, n // 2, n - 1}) if few else range(0, n, step):
                yield weights.read(start, min(n, start + step)) > 0
            weights.close()
        else:
            same = usual if weights is None else weights
            yield np.broadcast_to(same, (1 if few else n, *usual.shape))


def _shared(file: h5py.File, shape: tuple[int, ...]) -> Bools | None:
    """Return the one mask of all frames that lies beside the chunks, if there is one."""
    for name in SHARED_WEIGHTS:
        found = ptypy.dataset(file, name)
        if found is not None and found.shape == shape:
            return np.asarray(stored.numbers(found) > 0)
    return None


def _experiment(file: h5py.File, draft: Draft) -> None:
    """Put energy, distance, pixel, propagation and beam centre into the draft."""
    energy = ptypy.number(file, f"{META}/energy", "info/energy")
    distance = ptypy.number(file, f"{META}/distance", "info/distance")
    pixel = ptypy.pair(file, f"{META}/psize")
    told = ptypy.word(file, f"{META}/propagation", "info/propagation").lower()
    values: dict[str, Any] = {
        "energy_ev": energy and abs(energy) * 1e3,
        "distance_m": distance and abs(distance),
        "detector_pixel_m": pixel and (abs(pixel[0]), abs(pixel[1])),
        "propagation": ("near" if ptypy.NEAR in told else "far") if told else None,
    }
    for name, key in zip(values, ("energy", "distance", "psize", "propagation"), strict=True):
        if values[name] is not None:
            draft.geometry[name] = values[name]
            draft.sources[name] = f"file: /{META}/{key}"
    centre = ptypy.pair(file, f"{META}/center")
    note = off_centre(centre, tuple(draft.patterns.shape[1:])) if centre else None
    if note:
        draft.notes.append(note)


FORMAT = Format(
    title="scans prepared by PtyPy (.ptyd)",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_scan=read,
)
