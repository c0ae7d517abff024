"""Frames of a DECTRIS master: in files it links to, or in one dataset with channels."""

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

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


def _linked(file: h5py.File, parts: dict[int, str], notes: list[str], growing: bool) -> Frames:
    """Return the frames of all linked files up to the last one that is there."""
    owner = Path(file.filename).name
    pieces: list[Hdf5Frames] = []
    missing: list[str] = []
    whole = range(min(parts), max(parts) + 1)
    for number in whole if len(whole) < 2 * len(parts) + 1000 else parts:
        name = parts.get(number, f"data_{number:06d}")
        with ExitStack() as stack:
            part = _part(file[DATA], name, stack, growing)
            if part is None and growing:
                break
            if part is None:
                missing.append(_what(file[DATA], name))
                continue
            if missing:
                raise FileError(
                    f"{owner}: {missing[0]} is not there, but later files are; put all files of "
                    "the series beside this one"
                )
            dataset = hdf5.require(part.file, part.name, A_MASTER)
            _check_first(dataset, name, sum(piece.shape[0] for piece in pieces), notes)
            pieces.append(_stack(file, dataset))
            _check_alike(owner, pieces, name)
    if growing and not pieces:
        raise ScanError(f"{owner}: none of the {len(parts)} files with its frames is there yet")
    if not pieces:
        raise FileError(
            f"{owner}: none of the {len(missing)} files with its frames is there; the first: "
            f"{missing[0]}; put them beside this file"
        )
    if missing:
        notes.append(
            f"{len(pieces)} of {len(pieces) + len(missing)} data files are there; the first that "
            f"is not: {missing[0]}."
        )
    return pieces[0] if len(pieces) == 1 else Joined(pieces)


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


def _check_first(dataset: h5py.Dataset, name: str, before: int, notes: list[str]) -> None:
    """Say so where a part does not go on where the last one ended."""
    low = np.ravel(Attributes(dataset).get(FIRST_IMAGE, ()))
    if len(low) == 1 and before and low[0] != before + 1:
        notes.append(
            f"{name} says that its first image is number {low[0]}, but {before} images lie before "
            "it: is it of another series?"
        )


def _check_alike(owner: str, pieces: list[Hdf5Frames], name: str) -> None:
    first, last = pieces[0], pieces[-1]
    if (first.shape[1:], first.dtype) != (last.shape[1:], last.dtype):
        raise ScanError(
            f"{owner}: {name} has frames of {last.shape[1:]} {last.dtype}, but the first file has "
            f"{first.shape[1:]} {first.dtype}; are they of one series?"
        )
