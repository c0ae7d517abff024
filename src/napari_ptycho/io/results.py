"""From what a program's result file holds to a Reconstruction: the part all such formats share."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.io.files import name_of
from napari_ptycho.model import Geometry, Reconstruction
from napari_ptycho.model.arrays import Floats

MOST_TILES = 200
"""Along an axis, where windows stand for positions that are not in the file."""
NEARLY_INSIDE_PX = 2.0


@dataclass
class Result:
    """What a format found in its file."""

    file: Path
    software: str
    object: NDArray[Any]
    """(H, W) complex."""
    probe: NDArray[Any]
    """(M, h, w) complex."""
    corners: Floats | None = None
    """(N, 2) top-left corners (y, x) of the windows in the object, in pixels; None: not known."""
    pixel_m: tuple[float, float] | None = None
    """Object pixel (height, width); what is not positive counts as not known."""
    errors: NDArray[Any] | None = None
    """Per epoch, in the program's own measure."""
    geometry: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    said: dict[str, Any] = field(default_factory=dict)
    """Name and provenance, where the file is one that we wrote."""

    def reconstruction(self) -> Reconstruction:
        """Return it as one of ours.

        Raises:
            ScanError: Shapes make no reconstruction, or a window leaves the object.
        """
        for what, array, axes in (("object", self.object, 2), ("probe", self.probe, 3)):
            if array.ndim != axes or 0 in array.shape:
                raise ScanError(f"{self.file.name}: the {what} has shape {array.shape}")
        known = self.pixel_m is not None and all(0 < side < np.inf for side in self.pixel_m)
        corners = self._corners()
        errors = [] if self.errors is None else np.ravel(self.errors).astype(float).tolist()
        if errors and not self.said:
            self.notes.append(f"The errors are those of {self.software}, in its own measure.")
        usual = {"format": f"result of {self.software}", "notes": list(self.notes)}
        return Reconstruction(
            object=self.object,
            probe=self.probe,
            positions_px=corners,
            pixel_size_m=self.pixel_m if known else None,
            errors=tuple(errors),
            geometry=Geometry(**self.geometry),
            name=str(self.said.get("name", name_of(self.file))),
            provenance=self.said.get("provenance", usual),
        )

    def _corners(self) -> Floats:
        room = np.array(self.object.shape) - self.probe.shape[1:]
        if self.corners is None:
            self.notes.append(
                "The file has no positions: windows side by side that cover the object stand for "
                "them."
            )
            return self._tiles(room)
        corners = np.asarray(self.corners, np.float64)
        inside = np.clip(corners, 0, np.maximum(room, 0))
        beyond = float(np.abs(inside - corners).max(initial=0))
        if 0 < beyond <= NEARLY_INSIDE_PX:
            if beyond > 0.5:
                self.notes.append(
                    f"Windows that left the object by up to {beyond:.2g} pixels were moved inside."
                )
            return inside
        return corners

    def _tiles(self, room: NDArray[Any]) -> Floats:
        if (room < 0).any():
            raise ScanError(
                f"{self.file.name}: the probe of {self.probe.shape[1:]} is larger than the object "
                f"of {self.object.shape}"
            )
        rows, columns = (
            np.linspace(0, space, min(MOST_TILES, 1 + -(-int(space) // window))).round()
            for space, window in zip(room, self.probe.shape[1:], strict=True)
        )
        return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)


def first_layer(stored: NDArray[Any], notes: list[str], what: str = "mode") -> NDArray[Any]:
    """Return the first (H, W) of an object (..., H, W); says so where there are more."""
    if stored.ndim < 2 or 0 in stored.shape:
        return stored
    layers = stored.reshape(-1, *stored.shape[-2:])
    if len(layers) > 1:
        notes.append(f"The object has {len(layers)} {what}s; the first is shown.")
    return layers[0]


def slices_multiplied(stored: NDArray[Any], notes: list[str]) -> NDArray[Any]:
    """Return (H, W) of an object (slices, H, W): their product, as a plane wave sees them."""
    if stored.ndim != 3 or 0 in stored.shape:
        return stored
    if len(stored) > 1:
        notes.append(f"The object has {len(stored)} slices; their product is shown.")
    return np.asarray(np.prod(stored, axis=0))
