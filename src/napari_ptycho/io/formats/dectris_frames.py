"""Frames of a DECTRIS master: in files it links to, or in one dataset with channels."""

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.attributes import Attributes
from napari_ptycho.io.draft import Request
from napari_ptycho.io.formats import external, stored
from napari_ptycho.io.frames import Frames, Joined
from napari_ptycho.io.hdf5_frames import Hdf5Frames

DATA = "entry/data"
FIRST_IMAGE = "image_nr_low"
A_MASTER = "a DECTRIS master"


def links(file: h5py.File) -> dict[int, str]:
    """Return the numbered parts of the frames, by number."""
    names = [name for name in hdf5.names(file, DATA) if re.fullmatch(r"data_\d{1,9}", name)]
    return dict(sorted((int(name[5:]), name) for name in names))


def frames_of(file: h5py.File, request: Request, notes: list[str]) -> tuple[Frames, str, str]:
    """Return the frames, the name of their channel, and where they are.

    Args:
        file: A master, or a file that one links to.
        request: Has the index of the channel, where there is more than one; of a series that is
            still being written, a file that cannot be read is one that has yet to come.
        notes: Gets a sentence for each decision.

    Raises:
        ScanError: No such channel, or the parts do not fit each other.
        FileError: A part other than the last ones is missing.
    """
    parts, index = links(file), request.layout.extra_index
    if parts:
        frames = _linked(file, parts, notes, request.growing is not None)
        return frames, "", f"{DATA}/{next(iter(parts.values()))}, ..."
    dataset = hdf5.require(file, f"{DATA}/data", A_MASTER)
    if dataset.ndim != 4:
        return _stack(file, dataset), "", f"{DATA}/data"
    channels = _channels(file, dataset.shape[1])
    if index >= len(channels):
        raise ScanError(
            f"{Path(file.filename).name}: has {len(channels)} channels ({', '.join(channels)}); "
            f"number {index} (counted from 0) is none of them"
        )
    if len(channels) > 1:
        notes.append(
            f"The file has the channels {', '.join(channels)}; {channels[index]} was read "
            "(another one: index on the extra axis)."
        )
    return Hdf5Frames(dataset, fixed={1: index}), channels[index], f"{DATA}/data"


def _stack(file: h5py.File, dataset: h5py.Dataset) -> Hdf5Frames:
    if dataset.ndim != 3 or 0 in dataset.shape:
        raise ScanError(
            f"{Path(file.filename).name}: '{dataset.name}' has shape {dataset.shape}; need frames "
            "(n, H, W)"
        )
    return Hdf5Frames(dataset)


def _channels(file: h5py.File, count: int) -> list[str]:
    dataset = hdf5.find(file, f"{DATA}/channel")
    if dataset is not None and dataset.shape == (count,):
        return [hdf5.text(name) for name in stored.loaded(dataset)]
    return [f"channel {number}" for number in range(min(count, 100))]


class _Piece(NamedTuple):
    """The frames of one part."""

    frames: Hdf5Frames
    first: int | None
    """Number of its first image, counted from 1 over all parts; None if it does not say."""


def _linked(file: h5py.File, parts: dict[int, str], notes: list[str], growing: bool) -> Frames:
    """Return the frames of all linked files up to the last one that is there."""
    owner = Path(file.filename).name
    pieces, missing = _pieces(file, parts, growing)
    if growing and not pieces:
        raise ScanError(f"{owner}: none of the {len(parts)} files with its frames is there yet")
    if not pieces:
        raise FileError(
            f"{owner}: none of the {len(missing)} files with its frames is there; the first: "
            f"{missing[0]}; put them beside this file"
        )
    if growing:  # frames may have come into one before the next one was opened: now it is done
        for name in list(pieces)[:-1]:
            pieces[name] = _piece(file, name, growing) or pieces[name]
    _check(owner, pieces, notes)
    if missing:
        notes.append(
            f"{len(pieces)} of {len(pieces) + len(missing)} data files are there; the first that "
            f"is not: {missing[0]}."
        )
    frames = [piece.frames for piece in pieces.values()]
    return frames[0] if len(frames) == 1 else Joined(frames)


def _pieces(
    file: h5py.File, parts: dict[int, str], growing: bool
) -> tuple[dict[str, _Piece], list[str]]:
    """Return what is there by name, and what of a finished series is not."""
    pieces: dict[str, _Piece] = {}
    missing: list[str] = []
    whole = range(min(parts), max(parts) + 1)
    for number in whole if len(whole) < 2 * len(parts) + 1000 else parts:
        name = parts.get(number, f"data_{number:06d}")
        piece = _piece(file, name, growing)
        if piece is None and growing:
            break
        if piece is None:
            missing.append(_what(file[DATA], name))
            continue
        if missing:
            raise FileError(
                f"{Path(file.filename).name}: {missing[0]} is not there, but later files are; put "
                "all files of the series beside this one"
            )
        pieces[name] = piece
    return pieces, missing


def _piece(file: h5py.File, name: str, growing: bool) -> _Piece | None:
    with ExitStack() as stack:
        part = _part(file[DATA], name, stack, growing)
        if part is None:
            return None
        dataset = hdf5.require(part.file, part.name, A_MASTER)
        low = np.ravel(Attributes(dataset).get(FIRST_IMAGE, ()))
        return _Piece(_stack(file, dataset), int(low[0]) if len(low) == 1 else None)


def _part(group: h5py.Group, name: str, stack: ExitStack, growing: bool) -> Any:
    """Return one of the parts, None if it is not there (or, of a growing series, not yet whole)."""
    if not growing:
        return external.followed(group, name, stack)
    try:
        part = external.followed(group, name, stack, growing)
        empty = part is None or not part.shape[0]
    except (FileError, OSError, RuntimeError):  # its writer has not closed it
        return None
    return None if empty else part


def _what(group: h5py.Group, name: str) -> str:
    link = group.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        return f"{link.filename} ('{name}')"
    return f"'{name}'"


def _check(owner: str, pieces: dict[str, _Piece], notes: list[str]) -> None:
    """Refuse parts that are not alike; say so where one does not go on where the last one ended."""
    first, before = next(iter(pieces.values())).frames, 0
    for name, (frames, number) in pieces.items():
        if (first.shape[1:], first.dtype) != (frames.shape[1:], frames.dtype):
            raise ScanError(
                f"{owner}: {name} has frames of {frames.shape[1:]} {frames.dtype}, but the first "
                f"file has {first.shape[1:]} {first.dtype}; are they of one series?"
            )
        if before and number is not None and number != before + 1:
            notes.append(
                f"{name} says that its first image is number {number}, but {before} images lie "
                "before it: is it of another series?"
            )
        before += frames.shape[0]
