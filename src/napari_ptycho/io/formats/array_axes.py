"""Which axes of an array are the scan, which one is something else, and which are the frame."""

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io.archive import Header, read_header
from napari_ptycho.io.files import NPY, kind_of, read_head
from napari_ptycho.io.formats.raw_frames import RawFrames
from napari_ptycho.io.frames import Frames
from napari_ptycho.io.layout import Layout


class Arrays(Protocol):
    """Named arrays in a file, their headers known before they are read."""

    path: Path

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays, in the order of the file."""

    @property
    def is_bare(self) -> bool:
        """Whether it is one array without a name."""

    def __contains__(self, name: str) -> bool: ...

    def header(self, name: str) -> Header:
        """Return shape and type of an array."""

    def load(self, name: str) -> NDArray[Any]:
        """Return an array."""


@dataclass(frozen=True)
class Axes:
    """What the axes of an array mean."""

    first: bool = False
    """Rows and columns of a frame are its first two axes, not its last."""
    extra: int | None = None
    """Scan axis (0: the first) that is neither scan nor frame; `index` of it is read."""
    index: int = 0


@dataclass(frozen=True)
class Stack:
    """Frames one after the other."""

    frames: "NDArray[Any] | Frames"
    """(N, H, W)."""
    raster: tuple[int, int] | None = None
    """(rows, columns) if the array had them as axes."""
    notes: list[str] = field(default_factory=list)


def axes_of(shape: tuple[int, ...], layout: Layout, n: int | None, objects: bool = False) -> Axes:
    """Return what the axes mean: as the person says, else as their lengths do.

    Args:
        shape: Of the array.
        layout: What the person says.
        n: Number of positions, if the file has them.
        objects: The first of four axes counts objects, as PtyNet has it.
    """
    first = layout.frame_axes == "first"
    if len(shape) == 3 and n is not None and n == shape[-1] != shape[0]:
        first = True
    extra = layout.extra
    if extra is None and objects and len(shape) == 4:
        extra = 0
    return Axes(first, extra, layout.extra_index)


def stack(arrays: Arrays, name: str, axes: Axes, n: int | None) -> Stack:
    """Return (N, H, W) frames of an array of three axes or more.

    Args:
        arrays: The file.
        name: Of the array.
        axes: What its axes mean.
        n: Number of positions, if the file has them.

    Raises:
        ScanError: Axes are left over, or the wanted place on an extra axis is not there.
        FileError: The array is damaged.
    """
    shape = arrays.header(name).shape
    called = f"'{name}'" if name else "the array"
    scan = shape[2:] if axes.first else shape[:-2]
    notes = []
    if axes.first:
        notes.append(f"{called} has shape {shape}: its first two axes are the frame.")
    if axes.extra is not None:
        if axes.extra >= len(scan) or axes.index >= scan[axes.extra]:
            raise ScanError(
                f"{arrays.path.name}: {called} has shape {shape}; it has no place {axes.index} on "
                f"the {('first', 'second')[axes.extra]} of its axes {scan} that are not the frame"
            )
        notes.append(
            f"{called} has shape {shape}: place {axes.index} of {scan[axes.extra]} on its "
            f"{('first', 'second')[axes.extra]} axis is read."
        )
        scan = scan[: axes.extra] + scan[axes.extra + 1 :]
    raster = _raster(scan, n, f"{arrays.path.name}: {called} has shape {shape}")
    if raster is not None and n is not None:
        notes.append(f"{called} has shape {shape}: its first {len(scan)} axes are the scan.")
    return Stack(_frames(arrays, name, axes), raster, notes)


def _raster(scan: tuple[int, ...], n: int | None, told: str) -> tuple[int, int] | None:
    """Return (rows, columns) of the scan axes, None if they are but one.

    Raises:
        ScanError: There are more, or they do not fit the positions.
    """
    long = [length for length in scan if length != 1]
    if not scan:
        raise ScanError(f"{told}; need (N, H, W)")
    if len(long) < 2:
        return None
    if len(long) > 2 or (n is not None and prod(long) != n):
        places = "" if n is None else f" with {n} positions"
        raise ScanError(
            f"{told}{places}; need (N, H, W): one angle, energy or channel at a time; say which "
            "axis that is and which place on it (extra_axis, extra_index)"
        )
    return long[0], long[1]


def _frames(arrays: Arrays, name: str, axes: Axes) -> "NDArray[Any] | Frames":
    lazy = None if axes.first or axes.extra == 1 else _in_place(arrays, axes)
    if lazy is not None:
        return lazy
    array = arrays.load(name)
    if axes.first:
        array = np.moveaxis(array, (0, 1), (-2, -1))
    if axes.extra is not None:
        array = np.take(array, axes.index, axis=axes.extra)
    return array.reshape(-1, *array.shape[-2:])


def _in_place(arrays: Arrays, axes: Axes) -> RawFrames | None:
    """Return the frames of an unpacked .npy file as they lie there, None if they do not."""
    path = arrays.path
    if not arrays.is_bare or kind_of(read_head(path)) != NPY:
        return None
    with path.open("rb") as file:
        shape, turned, dtype = read_header(file)
        start = file.tell()
    if turned or dtype.kind not in "uif" or min(shape) < 1:
        return None
    frame = (int(shape[-2]), int(shape[-1]))
    if axes.extra == 0:
        shape = shape[1:]
        start += axes.index * prod(shape) * dtype.itemsize
    return RawFrames(path, (prod(shape[:-2]), *frame), dtype, start)
