"""What a layout names beside the frames: mask, dark, flat, monitor, energy, distance, pixel."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.io import files, hdf5, positions
from napari_ptycho.io.masks import good_pixels
from napari_ptycho.io.quantities import Quantity, quantity
from napari_ptycho.prepare.text import size as size_text

if TYPE_CHECKING:
    from napari_ptycho.io.draft import Draft, Request

NUMBERS = {
    "energy": "energy_ev",
    "distance": "distance_m",
    "detector_pixel": "detector_pixel_m",
}
"""Field of the layout -> field of the geometry."""
IN_THE_FILE = ("mask", "dark", "flat", "monitor", *NUMBERS)
MOST_BYTES = 2**29
"""Of dark frames, a flat field or a mask; more is refused."""


def apply(draft: "Draft", request: "Request") -> None:
    """Put into a draft what the layout names by paths of the draft's file.

    Raises:
        OptionsError: The file is no HDF5, which alone has paths.
        ScanError: A path is not there, or what lies there does not fit the frames.
        FileError: A link, a filter or a virtual source is broken.
    """
    layout = request.layout
    named = [name for name in IN_THE_FILE if getattr(layout, name)]
    placed = request.positions is None and bool(layout.positions or layout.positions_y)
    if not named and not placed:
        return
    path = draft.file
    if not path.is_file() or files.kind_of(files.read_head(path)) != files.HDF5:
        first = (named or ["positions"])[0]
        raise OptionsError(f"layout.{first} is a path in an HDF5 file, but {path.name} is none")
    if placed:
        _take_positions(draft, request)
    with hdf5.open_file(path, request.growing is not None) as file:
        part = _Named(file, draft, request)
        for name in named:
            part.take(name)


def _take_positions(draft: "Draft", request: "Request") -> None:
    layout, growing = request.layout, request.growing is not None
    found = positions.read_positions(draft.file, layout, draft.patterns.shape[0], growing)
    draft.positions, draft.unit = found.values, found.unit
    for name in ("positions_m", "positions_px"):
        draft.sources.pop(name, None)
    names = (layout.positions,) if layout.positions else (layout.positions_y, layout.positions_x)
    told = ", ".join(f"/{name.strip('/')}" for name in names if name)
    draft.sources[f"positions_{found.unit}"] = f"file: {told}"
    draft.notes += found.notes


class _Named:
    """An open file, and the draft that its values go into."""

    def __init__(self, file: h5py.File, draft: "Draft", request: "Request") -> None:
        self.file, self.draft, self.request = file, draft, request
        self.frame = tuple(int(length) for length in draft.patterns.shape[1:])

    def take(self, name: str) -> None:
        path = str(getattr(self.request.layout, name))
        dataset = hdf5.require(self.file, path, "a file of this layout")
        if dataset.dtype.kind not in "uifb":
            raise ScanError(f"{self.file_name}: '{path}' is {dataset.dtype}; need real numbers")
        source = f"file: /{path.strip('/')}"
        if name in NUMBERS:
            self._number(name, dataset, path, source)
            return
        if name == "mask":
            self.draft.valid = self._mask(dataset, path)
            self.draft.sources["valid"] = source
            return
        read = self._monitor if name == "monitor" else self._frame
        setattr(self.draft, name, read(dataset, path))
        self.draft.sources[name] = source

    @property
    def file_name(self) -> str:
        return Path(self.file.filename).name

    def _stack(self, dataset: h5py.Dataset, path: str) -> NDArray[Any]:
        """Return (H, W) or (k, H, W) as the frames are laid out."""
        n_bytes = dataset.size * dataset.dtype.itemsize
        if n_bytes > MOST_BYTES:
            raise ScanError(
                f"{self.file_name}: '{path}' has {size_text(n_bytes)}; need no more than "
                f"{size_text(MOST_BYTES)}, such as one frame"
            )
        array = np.asarray(dataset[()])
        if self.request.layout.frame_axes == "first" and array.ndim > 2:
            array = np.moveaxis(array, (0, 1), (-2, -1))
        if array.ndim < 2 or array.shape[-2:] != self.frame:
            raise ScanError(
                f"{self.file_name}: '{path}' has shape {dataset.shape} but the frames are "
                f"{self.frame[0]} x {self.frame[1]} pixels; need the same"
            )
        array = array.reshape(-1, *self.frame)
        return array[0] if len(array) == 1 else array

    def _mask(self, dataset: h5py.Dataset, path: str) -> NDArray[np.bool_]:
        good, note = good_pixels(self._stack(dataset, path), path, self.request.layout.mask_means)
        if note:
            self.draft.notes.append(note)
        return good

    def _frame(self, dataset: h5py.Dataset, path: str) -> NDArray[Any]:
        array = self._stack(dataset, path)
        if array.ndim == 2:
            return array
        self.draft.notes.append(f"The mean of the {len(array)} frames in {path} was taken.")
        return np.asarray(array.mean(axis=0, dtype=np.float64))

    def _monitor(self, dataset: h5py.Dataset, path: str) -> NDArray[Any]:
        if dataset.size > MOST_BYTES // 8:
            raise ScanError(f"{self.file_name}: '{path}' of {dataset.shape} is no monitor")
        return np.asarray(dataset[()], np.float64).ravel()

    def _number(self, name: str, dataset: h5py.Dataset, path: str, source: str) -> None:
        layout = self.request.layout
        told = str(getattr(layout, f"{name}_unit"))
        unit = hdf5.unit(dataset) if told == "auto" else told
        particle = str(self._geometry("particle") or "photon")
        values = self._values(name, dataset)
        found = [quantity(name, value, unit, path, particle) for value in values]
        known = [one for one in found if one is not None]
        if not known:
            said = f"{values[0]:g}" if values else "nothing"
            self.draft.notes.append(
                f"{path} = {said} {unit}".rstrip() + f" is no {name.replace('_', ' ')}; not used."
            )
            return
        self.draft.notes += dict.fromkeys(one.note for one in known if one.note)
        self.draft.geometry[NUMBERS[name]] = _taken(name, known)
        self.draft.sources[NUMBERS[name]] = source

    def _geometry(self, name: str) -> Any:
        return self.request.overrides().get(name, self.draft.geometry.get(name))

    def _values(self, name: str, dataset: h5py.Dataset) -> list[float]:
        """Return one number, of a pixel size two; of one per energy that at the layout's index."""
        if not dataset.size or dataset.size > 2**24:
            return []
        numbers = [hdf5.decimal(value) for value in np.ravel(dataset[()]) + 0]
        layout = self.request.layout
        if name == "detector_pixel":
            return numbers[:2]
        if layout.extra_axis != "none" and layout.extra_index < len(numbers):
            return numbers[layout.extra_index :][:1]
        return numbers[:1]


def _taken(name: str, known: list[Quantity]) -> Any:
    if name == "detector_pixel":
        return known[0].value, known[-1].value
    return known[0].value


def numbers_in(text: str, what: str) -> tuple[float, ...]:
    """Return the numbers of a list such as "65535, -1".

    Raises:
        OptionsError: It holds something else.
    """
    try:
        return tuple(float(word) for word in text.replace(";", ",").split(",") if word.strip())
    except ValueError as error:
        raise OptionsError(f"{what} is {text!r}; need numbers with commas between them") from error


def dark_of(draft: "Draft") -> NDArray[Any] | None:
    """Return the dark frame of a draft, None if it has none.

    Raises:
        ScanError: It is not of the frames' shape.
    """
    return _fitting(draft, draft.dark, "dark frame")


def flat_of(draft: "Draft") -> NDArray[Any] | None:
    """Return the flat field of a draft around 1, NaN where it is not positive; None without one.

    Raises:
        ScanError: It is not of the frames' shape, or nowhere positive.
    """
    flat = _fitting(draft, draft.flat, "flat field")
    if flat is None:
        return None
    flat = np.where(np.isfinite(flat) & (flat > 0), flat, np.nan)
    if np.isnan(flat).all():
        raise ScanError(f"{draft.file.name}: the flat field is nowhere positive")
    usual = float(np.nanmedian(flat))
    if 0.5 < usual < 2:
        return flat
    draft.notes.append(f"The flat field was divided by its median, {usual:.6g}.")
    return np.asarray(flat / usual)


def _fitting(draft: "Draft", array: NDArray[Any] | None, what: str) -> NDArray[Any] | None:
    if array is None:
        return None
    frame = tuple(draft.patterns.shape[1:])
    if array.shape != frame or array.dtype.kind not in "buif":
        raise ScanError(
            f"{draft.file.name}: the {what} has shape {array.shape} but the frames are "
            f"{frame[0]} x {frame[1]} pixels; need the same"
        )
    return np.asarray(array, np.float64)
