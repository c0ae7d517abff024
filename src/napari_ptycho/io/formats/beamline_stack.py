"""Frames and positions of a beamline's file: which axes are the scan, which place on the others."""

from math import prod
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.draft import Request
from napari_ptycho.io.formats.beamline import Beamline
from napari_ptycho.io.frames import Joined
from napari_ptycho.io.hdf5_frames import Hdf5Frames
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.places import Places
from napari_ptycho.io.tracks import Part, Wanted, expanded, places_of


def says_positions(layout: Layout) -> bool:
    """Whether the person says where the positions are."""
    return bool(
        layout.positions or layout.positions_y or layout.raster_rows or layout.raster_columns
    )


def first_of(file: h5py.File, pattern: str) -> h5py.Dataset | None:
    """Return the first dataset that fits a pattern, None if there is none.

    Raises:
        FileError: It is there but cannot be read.
    """
    found = (hdf5.find(file, path) for path in (expanded(file, pattern) if pattern else ()))
    return next((one for one in found if one is not None), None)


class Stack:
    """The frames of a file; `places` finds which axis is none of the scan."""

    def __init__(self, file: h5py.File, row: Beamline, request: Request) -> None:
        """Look at the frames.

        Raises:
            ScanError: They have too few axes, or those to be joined differ.
            FileError: A link, a filter or a virtual source is broken.
        """
        self.file, self.row, self.request = file, row, request
        self.name = Path(file.filename).name
        self.notes: list[str] = []
        self.datasets = self._datasets()
        self.scan_axes = tuple(int(length) for length in self.datasets[0].shape[:-2])
        self.part: Part | None = None

    @property
    def index(self) -> int:
        """Number of the energy or angle that is wanted."""
        return self.request.layout.extra_index

    @property
    def source(self) -> str:
        """Where the frames are."""
        more = f" and {len(self.datasets) - 1} more" if len(self.datasets) > 1 else ""
        return f"file: {self.datasets[0].name}{more}"

    def _datasets(self) -> list[h5py.Dataset]:
        paths = next(found for path in self.row.frames if (found := expanded(self.file, path)))
        what = f"a file of {self.row.title}"
        wanted = paths if self.row.joined else paths[:1]
        datasets = [hdf5.require(self.file, path, what) for path in wanted]
        first = datasets[0]
        for dataset in datasets:
            if len(dataset.shape or ()) < 3:
                raise ScanError(
                    f"{self.name}: {dataset.name} has shape {dataset.shape}; need frames (N, H, W)"
                )
            if (dataset.shape[-2:], dataset.dtype) != (first.shape[-2:], first.dtype):
                raise ScanError(
                    f"{self.name}: {dataset.name} has frames {dataset.shape[-2:]} of "
                    f"{dataset.dtype}, but {first.name} has {first.shape[-2:]} of {first.dtype}; "
                    "need the same"
                )
        return datasets

    def frames(self) -> Hdf5Frames | Joined:
        """Return the frames at the place that `places` took."""
        fixed = {} if self.part is None else {self.part.axis: self.part.index}
        frame_axes = (-1, -2) if self.row.reversed_axes else (-2, -1)
        pieces = [Hdf5Frames(dataset, frame_axes, fixed) for dataset in self.datasets]
        return pieces[0] if len(pieces) == 1 else Joined(pieces)

    def places(self) -> Places | None:
        """Return the positions, None if they are elsewhere.

        Raises:
            ScanError: All that are there make no positions.
            FileError: A link, a filter or a virtual source is broken.
        """
        options = self._options()
        elsewhere = self.request.positions is not None or says_positions(self.request.layout)
        problem: ScanError | None = None
        misfit: Places | None = None
        for part in () if elsewhere else options:
            try:
                found = places_of(self.file, self.row.tracks, self._wanted(part))
            except ScanError as error:
                problem = problem or error
                continue
            if found is not None and len(found.values) == self._count(part):
                self._take(part)
                return found
            misfit = misfit or found
        self._take(options[0])
        if misfit is None and problem is not None:
            raise problem
        return misfit

    def chosen(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return what belongs to the frames of numbers that may be there for all energies."""
        return values if self.part is None else self.part.of(values)

    def which(self, count: int) -> int:
        """Return which of so many numbers belongs to the frames: one per energy, or the first."""
        part = self.part
        return part.index if part is not None and part.shape[part.axis] == count else 0

    def _options(self) -> list[Part | None]:
        """Return which axis may be none of the scan, the likeliest first; None: all are."""
        layout, axes = self.request.layout, self.scan_axes
        if len(self.datasets) > 1:
            return [None]
        if layout.extra is not None:
            return [self._at(layout.extra)]
        if len(axes) > 2 or self._is_stacked():
            return [self._at(0)]
        if len(axes) == 2 and self.index < min(axes):
            return [None, self._at(0), self._at(1)]
        return [None]

    def _is_stacked(self) -> bool:
        """Whether the first axis is as long as there are energies or angles, more than one."""
        found = [first_of(self.file, path) for path in self.row.stacked]
        lengths = [one.size for one in found if one is not None]
        return len(self.scan_axes) > 1 and self.scan_axes[0] > 1 and self.scan_axes[0] in lengths

    def _at(self, axis: int) -> Part:
        if axis >= len(self.scan_axes) or self.index >= self.scan_axes[axis]:
            raise ScanError(
                f"{self.name}: {self.datasets[0].name} has shape {self.datasets[0].shape}; there "
                f"is no place {self.index} on axis {axis} beside those of scan and frame"
            )
        return Part(self.scan_axes, axis, self.index)

    def _grid(self, part: Part | None) -> tuple[int, ...]:
        taken = None if part is None else part.axis
        return tuple(length for axis, length in enumerate(self.scan_axes) if axis != taken)

    def _count(self, part: Part | None) -> int:
        if part is not None:
            return prod(self._grid(part))
        return sum(prod(dataset.shape[:-2]) for dataset in self.datasets)

    def _wanted(self, part: Part | None) -> Wanted:
        return Wanted(self.request.layout, self._count(part), self._grid(part), part=part)

    def _take(self, part: Part | None) -> None:
        self.part = part
        if part is not None:
            self.notes.append(
                f"Axis {part.axis} of {self.datasets[0].name} is none of the scan (an energy or an "
                f"angle): number {part.index} of {part.shape[part.axis]} was read; set the extra "
                "index for another."
            )
