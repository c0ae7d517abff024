"""What a reconstruction reached: object, probe, where the windows lie, and how it came about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_ptycho.errors import ScanError
from napari_ptycho.model.arrays import Complexes, Floats, check_finite, frozen
from napari_ptycho.model.geometry import Geometry, Pair


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Object and probe of a scan: immutable, on the CPU.

    Raises:
        ScanError: Shapes disagree, a window leaves the object, or something is not finite.
    """

    object: Complexes
    """(H, W) complex transmission."""
    probe: Complexes
    """(M, h, w) complex modes, sum |probe|^2 = photons per frame."""
    positions_px: Floats
    """(N, 2) top-left corners (y, x) of the windows in the object, in pixels."""
    pixel_size_m: Pair | None = None
    """Object pixel (height, width) in metres, None if unknown."""
    errors: tuple[float, ...] = ()
    """Per epoch: sum(valid (|F| - sqrt I)^2) / sum(valid I)."""
    geometry: Geometry = field(default_factory=Geometry)
    name: str = "reconstruction"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """How it came about (options, versions, scan, seed, binning): plain values, fit for JSON."""

    def __post_init__(self) -> None:
        for name, dtype in (
            ("object", np.complex64),
            ("probe", np.complex64),
            ("positions_px", np.float64),
        ):
            array = frozen(getattr(self, name), dtype)
            check_finite(array, self.name, name)
            object.__setattr__(self, name, array)
        if self.object.ndim != 2 or 0 in self.object.shape:
            raise ScanError(f"{self.name}: object has shape {self.object.shape}; need (H, W)")
        if self.probe.ndim != 3 or 0 in self.probe.shape:
            raise ScanError(f"{self.name}: probe has shape {self.probe.shape}; need (M, h, w)")
        if self.positions_px.ndim != 2 or self.positions_px.shape[1] != 2:
            raise ScanError(
                f"{self.name}: positions_px has shape {self.positions_px.shape}; need (N, 2)"
            )
        self._check_windows()
        object.__setattr__(self, "errors", tuple(float(error) for error in self.errors))

    def _check_windows(self) -> None:
        if len(self.positions_px) == 0:
            raise ScanError(f"{self.name}: there is no position; need at least one")
        low = np.rint(self.positions_px.min(axis=0))
        high = np.rint(self.positions_px.max(axis=0)) + self.probe.shape[1:]
        if (low < 0).any() or (high > self.object.shape).any():
            raise ScanError(
                f"{self.name}: windows span {low.astype(int)} to {high.astype(int)} but the object "
                f"has shape {self.object.shape}; every window must lie inside it"
            )

    @property
    def n_modes(self) -> int:
        """Number of probe modes."""
        return len(self.probe)
