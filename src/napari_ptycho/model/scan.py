"""A ptychographic scan: patterns, where the probe stood, and what is known of the experiment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from dask.base import is_dask_collection
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.model.arrays import Bools, Complexes, Floats, check_finite, frozen
from napari_ptycho.model.geometry import Geometry, Pair

BLOCK_BYTES = 8 * 2**20  # of counts at once: their copies as floats stay small


@dataclass(frozen=True, eq=False)
class Scan:
    """N diffraction patterns and their positions.

    Exactly one of `positions_m` and `positions_px` is given: metres as a beamline records them, or
    object pixels where a file knows no scale. Either is where the probe stands relative to the
    object, in (y, x), rows down; the origin is free.

    Raises:
        ScanError: Shapes disagree, something is not finite, a count is negative, nothing is valid.
    """

    patterns: Any
    """(N, H, W) counts, numpy or a lazy dask array; far field: zero frequency at [H//2, W//2]."""
    positions_m: Floats | None = None
    """(N, 2) probe positions (y, x) in metres."""
    positions_px: Floats | None = None
    """(N, 2) probe positions (y, x) in object pixels, where the scale is unknown."""
    valid: Bools | None = None
    """(H, W), or (N, H, W) where it changes from frame to frame; True = measured."""
    geometry: Geometry = field(default_factory=Geometry)
    """Energy, distances and detector pixel, as far as they are known."""
    probe: Complexes | None = None
    """(M, H, W) probe modes in the sample plane (real space), a first guess; or None."""
    exposure: Floats | None = None
    """(N,) relative exposure of each pattern (frames summed); None = all the same."""
    name: str = "scan"
    """What sentences and results call it; of a file, its name without the ending."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Field -> where it came from: a path inside the file, "user", "default", or "unknown"."""
    notes: tuple[str, ...] = ()
    """What was done to the data on the way (masked, dropped, shifted, binned), a sentence each."""

    def __post_init__(self) -> None:
        patterns = self.patterns if self.is_lazy else frozen(self.patterns)
        if patterns.ndim != 3 or 0 in patterns.shape:
            raise ScanError(
                f"{self.name}: patterns have shape {tuple(patterns.shape)}; need (N, H, W)"
            )
        if np.dtype(patterns.dtype).kind not in "uif":
            raise ScanError(f"{self.name}: patterns are {patterns.dtype}; need real counts")
        self._set("patterns", patterns)
        self._check_positions()
        self._check_valid()
        if not self.is_lazy:
            self._check_counts(0, patterns)
        self._check_probe()
        self._check_exposure()

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _check_positions(self) -> None:
        given = [n for n in ("positions_m", "positions_px") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ScanError(
                f"{self.name}: {len(given)} of positions_m and positions_px given; need exactly one"
            )
        name, unit = given[0], "metres" if given[0] == "positions_m" else "object pixels"
        positions = frozen(getattr(self, name), np.float64)
        n = len(self)
        if positions.shape != (n, 2):
            raise ScanError(
                f"{self.name}: {n} patterns but {name} has shape {positions.shape}; "
                f"need ({n}, 2) as (y, x) in {unit}"
            )
        check_finite(positions, self.name, name)
        self._set(name, positions)

    def _check_valid(self) -> None:
        shape = tuple(self.patterns.shape)
        if self.valid is None:
            self._set("valid", frozen(np.ones(shape[1:], bool)))
            return
        valid = self.valid if is_dask_collection(self.valid) else frozen(self.valid)
        if valid.dtype != bool or tuple(valid.shape) not in (shape[1:], shape):
            raise ScanError(
                f"{self.name}: valid is {valid.dtype} of shape {tuple(valid.shape)}; "
                f"need bool of shape {shape[1:]} or {shape}"
            )
        if not is_dask_collection(valid) and not valid.any():
            raise ScanError(
                f"{self.name}: no valid pixel is left; is the mask inverted (True must mean good)?"
            )
        self._set("valid", valid)

    def _check_counts(self, first: int, block: NDArray[Any]) -> None:
        if block.dtype.kind == "f":
            check_finite(block, self.name, f"patterns {first}..{first + len(block) - 1}")
        if block.dtype.kind != "u" and block.min() < 0:
            frame = first + int(np.argmin(block.reshape(len(block), -1).min(axis=1)))
            raise ScanError(
                f"{self.name}: pattern {frame} has a count of {block.min():g}; need counts >= 0 "
                "(mask what the detector marks with negative codes)"
            )

    def _check_probe(self) -> None:
        if self.probe is None:
            return
        probe = frozen(self.probe, np.complex64)
        need = tuple(self.patterns.shape[1:])
        if probe.ndim != 3 or probe.shape[1:] != need or len(probe) == 0:
            raise ScanError(
                f"{self.name}: probe has shape {probe.shape}; need (M, {need[0]}, {need[1]})"
            )
        check_finite(probe, self.name, "probe")
        self._set("probe", probe)

    def _check_exposure(self) -> None:
        if self.exposure is None:
            return
        exposure = frozen(self.exposure, np.float64)
        if exposure.shape != (len(self),) or not (exposure > 0).all():
            raise ScanError(
                f"{self.name}: exposure has shape {exposure.shape} and a minimum of "
                f"{exposure.min(initial=0):g}; need {len(self)} positive numbers"
            )
        check_finite(exposure, self.name, "exposure")
        self._set("exposure", exposure)

    def __len__(self) -> int:
        return int(self.patterns.shape[0])

    @property
    def is_lazy(self) -> bool:
        """Whether the patterns stay on disk until they are read."""
        return bool(is_dask_collection(self.patterns))

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Pixels of one pattern (height, width)."""
        return int(self.patterns.shape[1]), int(self.patterns.shape[2])

    @property
    def _frame_bytes(self) -> int:
        return int(self.patterns.dtype.itemsize * np.prod(self.frame_shape))

    @property
    def pixel_size_m(self) -> Pair | None:
        """Object pixel (height, width) in metres, or None if unknown."""
        return self.geometry.pixel_size_m(self.frame_shape)

    @property
    def positions(self) -> Floats:
        """(N, 2) positions (y, x) as they are given: in metres, or in object pixels."""
        given = self.positions_px if self.positions_m is None else self.positions_m
        assert given is not None  # exactly one is
        return given

    def in_pixels(self) -> Floats:
        """Return the (N, 2) positions (y, x) in object pixels, the origin as given.

        Raises:
            ScanError: The positions are in metres and the object pixel size is unknown.
        """
        if self.positions_px is not None:
            return self.positions
        pixel = self.pixel_size_m
        if pixel is None:
            missing = ", ".join(self.geometry.missing_for_pixel)
            raise ScanError(
                f"{self.name}: positions are in metres but the object pixel size is unknown "
                f"({missing} missing); give the missing values"
            )
        return self.positions / pixel

    def blocks(self, bytes_at_once: int = BLOCK_BYTES) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield (frames, patterns (n, H, W)) in order, reading a lazy scan in whole chunks.

        Raises:
            ScanError: A block read from disk holds NaN or negative counts.
        """
        step = max(1, bytes_at_once // self._frame_bytes)
        if self.is_lazy:
            chunk = self.patterns.chunks[0][0]
            step = max(1, step // chunk) * chunk
        for first in range(0, len(self), step):
            frames = slice(first, min(first + step, len(self)))
            block = np.asarray(self.patterns[frames])
            if self.is_lazy:
                self._check_counts(first, block)
            yield frames, block

    def beginning(self, bytes_at_most: int = BLOCK_BYTES) -> tuple[slice, NDArray[Any]]:
        """Return (frames, patterns (n, H, W)) of the first frames: one, or as many as fit.

        Of a lazy scan no more is read than that, however it is chunked.

        Raises:
            ScanError: They hold NaN or negative counts.
        """
        frames = slice(0, min(len(self), max(1, bytes_at_most // self._frame_bytes)))
        block = np.asarray(self.patterns[frames])
        if self.is_lazy:
            self._check_counts(0, block)
        return frames, block

    def valid_of(self, frames: slice) -> Bools:
        """Return the valid pixels of some frames: (H, W), or (n, H, W) where they differ."""
        assert self.valid is not None  # set on construction
        return self.valid if self.valid.ndim == 2 else np.asarray(self.valid[frames])
