"""What a reconstruction holds beside object and probe, inside a product file.

Plain extras are datasets of one group. Variations of the probe have Ptychodus' own form: `probe` is
(C, M, h, w), C coherent modes whose first is the shared probe, and `opr_weights` (N, C) are real,
the first column 1; a complex weight w of a variation V is the two modes V and iV with the weights
Re w and Im w. Ptychodus varies only the first of the M modes and keeps the others.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io import hdf5
from napari_ptycho.io.archive import Archive
from napari_ptycho.io.formats import stored
from napari_ptycho.model import Reconstruction
from napari_ptycho.model.reconstruction import EXTRAS

GROUP = "napari_ptycho_extras"
VARIED = ("variations", "variation_weights")
PLAIN = tuple(name for name in EXTRAS if name not in VARIED)
MOST_PAST = 10_000  # outputs of past iterations that are read
ATTRIBUTE_BYTES = 60_000
"""An HDF5 attribute holds less than 64 kB; Ptychodus looks for the weights in one."""
Found = Mapping[str, NDArray[Any]]


def count(reconstruction: Reconstruction) -> int:
    """Return the number of variations; a reconstruction has as many of their weights."""
    return len(reconstruction.extras.get("variations", ()))


def write(file: h5py.File, reconstruction: Reconstruction) -> None:
    """Write the probe with its variations, and the plain extras."""
    modes, weights = coherent(reconstruction)
    file["probe"] = modes
    if weights is not None:
        file["opr_weights"] = weights
        if weights.nbytes <= ATTRIBUTE_BYTES:
            file["probe"].attrs["opr_weights"] = weights
    for name in PLAIN:
        if name in reconstruction.extras:
            file[f"{GROUP}/{name}"] = reconstruction.extras[name]
            file[f"{GROUP}/{name}"].attrs["meaning"] = EXTRAS[name]


def named(reconstruction: Reconstruction) -> dict[str, NDArray[Any]]:
    """Return the plain extras under the names that they have in an archive."""
    found = reconstruction.extras
    return {f"{GROUP}_{name}": found[name] for name in PLAIN if name in found}


def read_archive(archive: Archive) -> dict[str, NDArray[Any]]:
    """Read the plain extras of an archive.

    Raises:
        FileError: One of them is damaged, or no array of real numbers.
    """
    found = {}
    for name in PLAIN:
        key = f"{GROUP}_{name}"
        if key in archive:
            header = archive.header(key)
            if header.dtype.kind not in "iuf":
                raise FileError(
                    f"{archive.path.name}: {name} is {header.dtype} of shape {header.shape}; "
                    f"need {EXTRAS[name]}"
                )
            found[name] = archive.load(key)
    return found


def coherent(reconstruction: Reconstruction) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return coherent modes (C, M, h, w) and their real weights (N, C), None if there are none."""
    probe = np.asarray(reconstruction.probe)[np.newaxis]
    if not count(reconstruction):
        return probe, None
    shapes, weights = (reconstruction.extras[name] for name in VARIED)
    shapes = shapes.astype(np.complex64)
    modes, columns = [probe, shapes], [np.ones((len(weights), 1)), weights.real]
    if np.any(weights.imag):
        modes.append(1j * shapes)
        columns.append(weights.imag)
    return np.concatenate(modes).astype(np.complex64), np.concatenate(columns, axis=1)


def read(file: h5py.File, notes: list[str]) -> dict[str, NDArray[Any]]:
    """Read the plain extras; a name that this version does not know is a note.

    Raises:
        FileError: One of them is no array of real numbers, or far too large.
    """
    found: dict[str, NDArray[Any]] = {}
    group = file.get(GROUP)
    if not isinstance(group, h5py.Group):
        return found
    owner = Path(file.filename).name
    # No extra has more numbers than the largest of these; do not read what cannot be one.
    image = file["object"].size
    usual = max(2 * file["probe_position_x_m"].size, file["probe"].size, image)
    most = {"past_outputs": MOST_PAST * 2 * image}
    strange = [name for name in group if name not in PLAIN]
    if strange:
        named = ", ".join(map(repr, strange[:5]))
        notes.append(f"The file also holds {named}, which this version does not know: left out.")
    for name in (name for name in group if name in PLAIN):
        dataset = hdf5.require(file, f"{GROUP}/{name}", "these results")
        if (
            dataset.dtype.kind not in "iuf"
            or dataset.size is None
            or dataset.size > most.get(name, usual)
        ):
            raise FileError(
                f"{owner}: {name} is {dataset.dtype} of shape {dataset.shape}; need {EXTRAS[name]}"
            )
        found[name] = stored.loaded(dataset)
    return found


def variations(path: Path, modes: NDArray[Any], weights: Any, known: int | None) -> Found:
    """Return the variations that coherent modes and their weights mean.

    Args:
        path: The file, for sentences.
        modes: (C, M, h, w), the shared probe first.
        weights: (N, C).
        known: How many variations there are in our own files; None for those of Ptychodus.

    Raises:
        FileError: Modes and weights do not fit each other.
    """
    weights = np.asarray(weights)
    if weights.ndim != 2 or weights.shape[1] != len(modes) or weights.dtype.kind not in "iufc":
        raise FileError(
            f"{path.name}: opr_weights is {weights.dtype} of shape {weights.shape}; need numbers "
            f"(N, {len(modes)}), one for each of the {len(modes)} coherent modes of the probe"
        )
    if known is None:
        return _of_ptychodus(modes, weights)
    if len(modes) not in (1 + known, 1 + 2 * known):
        raise FileError(
            f"{path.name}: {known} variations of the probe should make {1 + known} or "
            f"{1 + 2 * known} coherent modes; there are {len(modes)}"
        )
    own = weights[:, 1 : 1 + known].astype(np.complex64)
    if len(modes) > 1 + known:
        own.imag += weights[:, 1 + known :]
    return dict(zip(VARIED, (modes[1 : 1 + known], own), strict=True))


def _of_ptychodus(modes: NDArray[Any], weights: NDArray[Any]) -> Found:
    """Return variations of unit power; only the first of the incoherent modes varies."""
    shapes = np.zeros_like(modes)
    shapes[:, 0] = modes[:, 0]
    # The first mode is the shared probe: it counts once, what its weight has beyond that varies.
    weights = weights - np.eye(1, weights.shape[1])
    sizes = np.sqrt((np.abs(shapes) ** 2).sum(axis=(1, 2, 3), dtype=np.float64))
    kept = (sizes > 0) & np.any(weights != 0, axis=0)
    if not kept.any():
        return {}
    unit = shapes[kept] / sizes[kept, None, None, None]
    own = weights[:, kept] * sizes[kept]
    arrays = (unit.astype(np.complex64), own.astype(np.complex64))
    return dict(zip(VARIED, arrays, strict=True))


def added(reconstruction: Reconstruction, extras: Found, path: Path) -> Reconstruction:
    """Return a reconstruction with its extras.

    Raises:
        FileError: A shape does not fit, or something is not finite.
    """
    try:
        return replace(reconstruction, extras=extras)
    except ScanError as error:
        raise FileError(f"{path.name}: {error}") from error
