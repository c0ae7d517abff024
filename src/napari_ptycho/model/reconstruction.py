"""What a reconstruction reached: object, probe, where the windows lie, and how it came about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.model.arrays import Complexes, Floats, check_finite, frozen
from napari_ptycho.model.geometry import Geometry, Pair

EXTRAS = {
    "frame_errors": "(N,) amplitude misfit of each pattern, as a share of its counts",
    "position_moves_px": "(N, 2) how far the positions were refined (y, x), in pixels",
    "flux": "(N,) flux of each pattern relative to the mean",
    "background": "(h, w) counts per pattern that do not come from the sample",
    "variations": "(K, M, h, w) shapes by which the probe varies, each of unit power",
    "variation_weights": "(N, K) complex, how much of each variation is in each pattern",
    "past_outputs": "(P, C, h, w) outputs of past iterations of a denoising, of its C channels",
    "spread": "(h, w) standard deviation over the networks of a denoising",
}
"""What engines may find beside object and probe: name -> shape and meaning."""


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Object and probe of a scan: immutable, on the CPU.

    Raises:
        ScanError: Shapes disagree, a window leaves the object, or something is not finite.
    """

    object: Complexes
    """(H, W) complex transmission."""
    probe: Complexes
    """(M, h, w) complex modes, sum |probe|^2 = photons per pattern."""
    positions_px: Floats
    """(N, 2) top-left corners (y, x) of the windows in the object, in pixels."""
    pixel_size_m: Pair | None = None
    """Object pixel (height, width) in metres, None if unknown."""
    errors: tuple[float, ...] = ()
    """Per epoch: sum(valid (|F| - sqrt I)^2) / sum(valid I)."""
    geometry: Geometry = field(default_factory=Geometry)
    """Of the scan that it was made from."""
    name: str = "reconstruction"
    """What sentences, layers and later provenances call it."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """How it came about (options, versions, scan, seed, binning): plain values, fit for JSON."""
    extras: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """What else was found, by name: `EXTRAS` tells which there are."""

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
        self._check_extras()
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

    def _check_extras(self) -> None:
        n, shape = len(self.positions_px), self.probe.shape
        need = {
            "frame_errors": (n,),
            "position_moves_px": (n, 2),
            "flux": (n,),
            "background": shape[1:],
            "variations": (None, *shape),
            "variation_weights": (n, None),
            "past_outputs": (None, None, None, None),
            "spread": (None, None),
        }
        extras = {}
        for name, value in self.extras.items():
            if name not in need:
                raise ScanError(f"{self.name}: no extra is called '{name}'; there is {list(need)}")
            array = frozen(value)
            fits = len(array.shape) == len(need[name]) and all(
                want in (None, have) for want, have in zip(need[name], array.shape, strict=True)
            )
            if not fits:
                raise ScanError(f"{self.name}: {name} has shape {array.shape}; need {EXTRAS[name]}")
            check_finite(array, self.name, name)
            extras[name] = array
        pair = [extras[name] for name in ("variations", "variation_weights") if name in extras]
        if len(pair) == 1 or (pair and len(pair[0]) != pair[1].shape[1]):
            raise ScanError(
                f"{self.name}: variations and variation_weights must both be there, with as many "
                "weights per frame as there are variations"
            )
        object.__setattr__(self, "extras", extras)

    @property
    def n_modes(self) -> int:
        """Number of probe modes."""
        return len(self.probe)
