"""Pairs of files, NAME_dp.hdf5 with frames and NAME_para.hdf5 with the rest; either is opened.

Facts: fold_slice (PtychoShelves) has positions ppX, ppY in metres, of which its own code takes
the negative; Pty-Chi and ptycho-vit have a Ptychodus product without frames. Ptychodus writes the
first file alone. Frames are counts, zero frequency in the middle.
"""

import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import FileError, NeedsPositions, ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.attributes import Attributes
from napari_ptycho.io.draft import Draft, Request
from napari_ptycho.io.formats import HDF5_FILE, Format, external, product, stored
from napari_ptycho.io.formats.beam import energy_of
from napari_ptycho.io.hdf5_frames import Hdf5Frames
from napari_ptycho.model import Geometry, Reconstruction, Scan
from napari_ptycho.model.arrays import Floats

FRAMES, PLACES, INDEXES = "dp", ("ppY", "ppX"), "probe_position_indexes"
OTHERS = ("points", "diffamp")
"""Datasets beside `dp` that make a file one of NSLS-II."""
PAIR = re.compile(r"(?P<name>.*)_(?P<part>dp|para)(?P<ending>\.[^.]+)?", re.IGNORECASE)
ENDINGS = (".hdf5", ".h5")


def recognises(file: h5py.File) -> bool:
    """Whether a file is one of a pair, or has both in it."""
    if any(name in file for name in OTHERS):
        return False
    if FRAMES in file:
        found = file.get(FRAMES)
        return found is None or (isinstance(found, h5py.Dataset) and found.ndim >= 3)
    if all(name in file for name in PLACES):
        return True
    return product.recognises(file) and _partner(Path(file.filename)) is not None


def _partner(path: Path) -> Path | None:
    """Return the other file of a pair, if it is there."""
    names = _partner_names(path)
    return next((found for name in names if (found := external.beside(path, name))), None)


def _partner_names(path: Path) -> list[str]:
    match = PAIR.fullmatch(path.name)
    if match is None:
        return []
    other = f"{match['name']}_{'para' if match['part'].lower() == 'dp' else 'dp'}"
    return [other + ending for ending in dict.fromkeys((match["ending"] or "", *ENDINGS))]


def read(file: h5py.File, request: Request) -> Scan:
    """Read a scan from one file or two.

    Raises:
        NeedsPositions: There are frames, but nothing says where the probe stood.
        ScanError: Something is missing or contradicts itself.
        FileError: The file with the frames is not there.
    """
    path = Path(file.filename)
    with ExitStack() as stack:
        partner = _partner(path)
        other = None if partner is None else stack.enter_context(hdf5.open_file(partner))
        both = [part for part in (file, other) if part is not None]
        frames = next((part for part in both if FRAMES in part), None)
        if frames is None:
            told = " or ".join(_partner_names(path)) or "a file called ..._dp.hdf5"
            raise FileError(f"{path.name}: holds positions; its frames, {told}, are not beside it")
        draft = _draft(frames)
        layout = request.layout
        elsewhere = request.positions is not None or bool(layout.raster_rows)
        for part in both:
            _Rest(part, draft, elsewhere).read()
        try:
            return draft.scan(request)
        except NeedsPositions as error:
            names = _partner_names(path)
            if not names or partner is not None:
                raise
            raise NeedsPositions(f"{error}; {' or '.join(names)} is not beside it") from error


def _draft(file: h5py.File) -> Draft:
    dataset = hdf5.require(file, FRAMES, "such a scan")
    if dataset.ndim < 3 or 0 in dataset.shape:
        raise ScanError(
            f"{Path(file.filename).name}: '{FRAMES}' has shape {dataset.shape}; need (N, H, W)"
        )
    path = Path(file.filename)
    return Draft(path, Hdf5Frames(dataset), None, sources={"patterns": f"file: /{FRAMES}"})


@dataclass
class _Rest:
    """A file that may have positions, probe and geometry, and the draft they go into."""

    file: h5py.File
    draft: Draft
    elsewhere: bool
    """Whether the person has said other positions."""

    def read(self) -> None:
        if all(name in self.file for name in PLACES):
            self._from_shelves()
        elif product.MARK in self.file:
            self._from_product()

    def _source(self, name: str) -> str:
        own = Path(self.file.filename).name
        return f"file: {'' if own == self.draft.file.name else own + ' '}{name}"

    def _values(self, name: str) -> Floats:
        dataset = hdf5.require(self.file, name, "such a scan")
        return np.ravel(stored.numbers(dataset)).astype(np.float64)

    def _columns(self, names: tuple[str, str]) -> Floats:
        columns = [self._values(name) for name in names]
        if len(columns[0]) != len(columns[1]):
            raise ScanError(
                f"{Path(self.file.filename).name}: {len(columns[0])} values of {names[0]} but "
                f"{len(columns[1])} of {names[1]}; need as many"
            )
        return np.stack(columns, axis=1)

    def _from_shelves(self) -> None:
        if not self.elsewhere:
            self.draft.positions = -self._columns(PLACES)
            self.draft.sources["positions_m"] = self._source("/ppY, /ppX")
            self.draft.notes.append(
                "Positions are -ppY, -ppX, as PtychoShelves takes them (Ptychodus takes the "
                "opposite, which makes a far-field image conjugate and turned by 180 degrees)."
            )
        wavelength = hdf5.number(hdf5.find(self.file, "lambda"), hdf5.LENGTHS)
        pixel = hdf5.number(hdf5.find(self.file, "dx"), hdf5.LENGTHS)
        if wavelength is None or wavelength < 0:
            return
        energy, particle = energy_of(wavelength)
        self.draft.geometry |= {"energy_ev": energy, "particle": particle}
        self.draft.sources |= {"energy_ev": self._source("/lambda")}
        if pixel is not None and pixel > 0:
            self._angles((pixel, pixel), "/dx")

    def _angles(self, pixel: tuple[float, float], name: str) -> None:
        """Take the angle of a detector pixel from the object's pixel."""
        shape = self.draft.patterns.shape[1:]
        known = {key: self.draft.geometry.get(key) for key in ("energy_ev", "particle")}
        wavelength = Geometry(**{key: value for key, value in known.items() if value}).wavelength_m
        if wavelength is None:
            return
        height, width = (wavelength / (n * size) for n, size in zip(shape, pixel, strict=True))
        self.draft.geometry["detector_pixel_rad"] = height, width
        self.draft.sources["detector_pixel_rad"] = self._source(name)

    def _from_product(self) -> None:
        names = "probe_position_y_m", product.MARK
        self.draft.positions = self._by_frame(self._columns(names))
        self.draft.unit = "px" if product.IN_PIXELS in self.file.attrs else "m"
        source = self._source(f"/{names[0]}, /{names[1]}")
        self.draft.sources[f"positions_{self.draft.unit}"] = source
        self._probe()
        fields = ("distance_m", product.DISTANCE), *(("energy_ev", e) for e in product.ENERGIES)
        for field, name in fields:
            value = self._attribute(self.file, name)
            if value is not None and field not in self.draft.geometry:
                self.draft.geometry[field] = abs(value)
                self.draft.sources[field] = self._source(f"/@{name}")
        near = not np.ravel(Attributes(self.file).get(product.FAR, True)).all()
        if near:
            self.draft.geometry["propagation"] = "near"
            self.draft.sources["propagation"] = self._source(f"/@{product.FAR}")
        if near or self.draft.unit == "px":
            return
        for array in ("probe", "object"):
            holder = hdf5.find(self.file, array)
            sides = [
                None if holder is None else self._attribute(holder, f"pixel_{side}_m")
                for side in ("height", "width")
            ]
            if sides[0] and sides[1]:
                self._angles((abs(sides[0]), abs(sides[1])), f"/{array}@pixel_height_m")
                break

    def _attribute(self, holder: Any, name: str) -> float | None:
        """Return a number among the attributes; a product writes 0 for what is not known."""
        value = np.ravel(np.asarray(Attributes(holder).get(name, 0.0)))
        if value.size != 1 or value.dtype.kind not in "iuf" or not np.isfinite(value[0]):
            return None
        return float(value[0]) or None

    def _by_frame(self, places: Floats) -> Floats:
        """Return positions in the order of the frames, NaN for frames that have none."""
        if INDEXES not in self.file:
            return places
        indexes, n = self._values(INDEXES), self.draft.patterns.shape[0]
        if len(indexes) != len(places):
            raise ScanError(
                f"{Path(self.file.filename).name}: {len(places)} positions but {len(indexes)} "
                f"{INDEXES}; need as many"
            )
        known = (indexes >= 0) & (indexes < n)
        if not known.all():
            self.draft.notes.append(
                f"{int((~known).sum())} positions are of frames that the file does not have."
            )
        ordered = np.full((n, 2), np.nan)
        ordered[indexes[known].astype(int)] = places[known]
        return ordered

    def _probe(self) -> None:
        dataset = hdf5.find(self.file, "probe")
        if dataset is None or not 2 <= dataset.ndim <= 4 or not dataset.size:
            return
        values: NDArray[Any] = stored.complexes(dataset)
        if values.ndim == 4 and len(values) > 1:
            self.draft.notes.append(
                f"The probe changes along the scan; of {len(values)} coherent modes the first is "
                "read."
            )
        self.draft.probe = values[0] if values.ndim == 4 else values.reshape(-1, *values.shape[-2:])
        self.draft.sources["probe"] = self._source("/probe")


def read_reconstruction(file: h5py.File) -> Reconstruction:
    """Read the product of a pair.

    Raises:
        FileError: The file holds a scan only.
    """
    if not product.recognises(file):
        raise FileError(
            f"{Path(file.filename).name}: holds a scan ({FORMAT.title}), not a reconstruction; "
            "open it with read_scan"
        )
    return product.read(file)


FORMAT = Format(
    title="pairs NAME_dp and NAME_para of fold_slice and Pty-Chi, frames of Ptychodus",
    containers=(HDF5_FILE,),
    recognises=recognises,
    read_scan=read,
    read_reconstruction=read_reconstruction,
)
