"""From what a file holds to a Scan: the part that all formats share."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.io.files import name_of
from napari_ptycho.io.frames import Hdf5Frames
from napari_ptycho.io.interpret import interpret
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.model.arrays import Bools

GEOMETRY = tuple(item.name for item in fields(Geometry))


@dataclass(frozen=True)
class Request:
    """What the caller of `read_scan` wants beyond the file."""

    geometry: Geometry | Mapping[str, Any] | None
    lazy_above_bytes: int

    def overrides(self) -> dict[str, Any]:
        """Return the geometry fields that the caller sets.

        Raises:
            OptionsError: No such field, or not a number.
        """
        if self.geometry is None:
            return {}
        if isinstance(self.geometry, Geometry):
            given = {name: getattr(self.geometry, name) for name in GEOMETRY}
            return {name: value for name, value in given.items() if value is not None}
        return {name: _checked(name, value) for name, value in self.geometry.items()}


def _checked(name: str, value: Any) -> Any:
    if name not in GEOMETRY:
        raise OptionsError(f"geometry has no '{name}'; it has {', '.join(GEOMETRY)}")
    if value is None or name == "propagation":
        return value
    try:
        numbers = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise OptionsError(f"geometry.{name} is {value!r}; need a number") from error
    if name == "detector_pixel_m" and numbers.shape in ((), (1,), (2,)):
        height, width = np.broadcast_to(numbers, (2,)).tolist()
        return height, width
    if numbers.ndim:
        raise OptionsError(f"geometry.{name} is {value!r}; need one number")
    return float(numbers)


def geometry_of(
    found: Mapping[str, Any], overrides: Mapping[str, Any], sources: dict[str, str]
) -> Geometry:
    """Return the geometry of the file with the caller's values in it; fills `sources`.

    Raises:
        ScanError: A value of the caller is impossible (`Geometry`).
    """
    for name in GEOMETRY:
        if name in overrides:
            sources[name] = "user"
        elif found.get(name) is None:
            sources[name] = "default" if name == "propagation" else "unknown"
    return Geometry(**{**found, **overrides})


@dataclass
class Draft:
    """What a format found in its file, as it is stored there."""

    file: Path
    patterns: "NDArray[Any] | Hdf5Frames"
    """(N, H, W) stored frames."""
    positions: NDArray[Any]
    """(n, 2) probe (y, x) in `unit`; may hold NaN, n may differ from N."""
    unit: str
    """m or px."""
    valid: Bools | None = None
    """(H, W) or (N, H, W), True = good, laid out as the frames are."""
    probe: NDArray[Any] | None = None
    """(M, h, w), real space."""
    exposure: NDArray[Any] | None = None
    geometry: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    """Where each field came from, for those that came from the file."""
    notes: list[str] = field(default_factory=list)

    def scan(self, request: Request) -> Scan:
        """Interpret the frames, match them with the positions, and return the Scan.

        Raises:
            ScanError: What was found makes no scan.
        """
        self._check_kind()
        n = self.patterns.shape[0]
        geometry = geometry_of(self.geometry, request.overrides(), self.sources)
        own = self._own_mask()
        keep = self._matching()
        if own is not None and own.ndim == 3:
            own = own[keep]
        exposure = self.exposure
        if exposure is not None and len(exposure) == n:
            exposure = exposure[keep]
        frames, positions = self._select(keep), self.positions[keep]
        lazy = isinstance(frames, Hdf5Frames) and frames.nbytes > request.lazy_above_bytes
        patterns, valid = self._interpret(frames, own, geometry.propagation == "near", lazy)
        return Scan(
            patterns=patterns,
            positions_m=positions if self.unit == "m" else None,
            positions_px=positions if self.unit == "px" else None,
            valid=valid,
            geometry=geometry,
            probe=self._fitting_probe(tuple(patterns.shape[1:])),
            exposure=exposure,
            name=name_of(self.file),
            sources=dict(self.sources),
            notes=tuple(self.notes),
        )

    def _check_kind(self) -> None:
        shape, dtype = tuple(self.patterns.shape), np.dtype(self.patterns.dtype)
        if len(shape) != 3 or 0 in shape:
            raise ScanError(f"{self.file.name}: patterns have shape {shape}; need (N, H, W)")
        if dtype.kind not in "uif":
            raise ScanError(f"{self.file.name}: patterns are {dtype}; need real counts")
        if self.positions.ndim != 2 or self.positions.shape[1] != 2:
            raise ScanError(
                f"{self.file.name}: positions have shape {self.positions.shape}; "
                f"need ({shape[0]}, 2)"
            )

    def _matching(self) -> NDArray[np.intp]:
        """Return the numbers of the frames that have a position."""
        n_frames, n_positions = self.patterns.shape[0], len(self.positions)
        n = min(n_frames, n_positions)
        if n_frames != n_positions:
            self.notes.append(
                f"{n_frames} patterns but {n_positions} positions: only the first {n} of both are "
                "used; check that they belong together."
            )
        finite = np.isfinite(self.positions[:n]).all(axis=1)
        if not finite.any():
            raise ScanError(f"{self.file.name}: none of {n} positions is a finite number")
        lost = np.flatnonzero(~finite)
        if len(lost):
            which = ", ".join(map(str, lost[:10])) + (", ..." if len(lost) > 10 else "")
            self.notes.append(
                f"{len(lost)} patterns have no finite position and were dropped: {which}."
            )
        return np.flatnonzero(finite)

    def _select(self, keep: NDArray[np.intp]) -> "NDArray[Any] | Hdf5Frames":
        whole = len(keep) == self.patterns.shape[0]
        if isinstance(self.patterns, Hdf5Frames):
            self.patterns.keep = None if whole else keep
            return self.patterns
        return self.patterns if whole else self.patterns[keep]

    def _interpret(
        self, frames: "NDArray[Any] | Hdf5Frames", own: Bools | None, near: bool, lazy: bool
    ) -> tuple[Any, Any]:
        if isinstance(frames, Hdf5Frames) and not lazy:
            frames = frames[:]
        found = interpret(frames, own, near)
        self.notes += found.notes
        if found.valid is not None and own is None:
            self.sources["valid"] = "file: codes among the counts"
        if own is None:
            return found.patterns, found.valid
        own = found.plan.centred(own)
        return found.patterns, own if found.valid is None else found.valid & own

    def _own_mask(self) -> Bools | None:
        """Return the mask of the file, which must fit the frames."""
        valid, shape = self.valid, tuple(self.patterns.shape)
        if valid is None:
            self.sources.setdefault("valid", "default")
            return None
        if valid.shape not in (shape, shape[1:]):
            raise ScanError(
                f"{self.file.name}: the mask has shape {valid.shape} but the frames have "
                f"{shape}; need one of the two to fit"
            )
        bad = 1 - valid.mean()
        if bad:
            doubt = "; is the mask inverted?" if bad > 0.5 else "."
            self.notes.append(f"The file's own mask marks {bad:.3%} of the pixels as bad{doubt}")
        return valid

    def _fitting_probe(self, shape: tuple[int, ...]) -> NDArray[Any] | None:
        if self.probe is None:
            return None
        probe = np.asarray(self.probe)
        if probe.ndim != 3 or probe.dtype.kind not in "fciu":
            raise ScanError(f"{self.file.name}: probe has shape {probe.shape}; need (M, h, w)")
        if probe.shape[1:] == shape:
            return probe
        self.notes.append(
            f"The probe of {probe.shape[1]} x {probe.shape[2]} pixels was padded or cropped around "
            f"its middle to the frames' {shape[0]} x {shape[1]}."
        )
        return resized(probe, (shape[0], shape[1]))


def resized(probe: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Return (M, H, W): a probe padded with zeros or cropped so that [h//2, w//2] stays middle."""
    for axis, length in zip((1, 2), shape, strict=True):
        before = length // 2 - probe.shape[axis] // 2
        if before < 0:
            probe = np.take(probe, range(-before, length - before), axis)
        else:
            pad = [(0, 0)] * 3
            pad[axis] = (before, length - probe.shape[axis] - before)
            probe = np.pad(probe, pad)
    return probe
