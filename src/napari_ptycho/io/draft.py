"""From what a file holds to a Scan: the part that all formats share."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.io import corrections
from napari_ptycho.io.counts import Told
from napari_ptycho.io.files import name_of
from napari_ptycho.io.frames import Frames, check_frame
from napari_ptycho.io.interpret import interpret
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.matching import placed, without_dark
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.model.arrays import Bools

if TYPE_CHECKING:
    from napari_ptycho.io.growing.growth import Growth

GEOMETRY = tuple(item.name for item in fields(Geometry))
RARE = ("particle", "detector_pixel_rad")
"""Of electron microscopes: not missed where they are not told."""

SMALL_BYTES, MOST_UNPACKED = 2**26, 100
"""Frames above the one, and so many times the size of their files, stay there."""


@dataclass(frozen=True)
class Request:
    """What the caller of `read_scan` wants beyond the file."""

    geometry: Geometry | Mapping[str, Any] | None = None
    lazy_above_bytes: int = 2**30
    layout: Layout = field(default_factory=Layout)
    """What the person says about how the file is to be read."""
    positions: Path | None = None
    """A second file with the positions."""
    growing: "Growth | None" = None
    """What is known of a scan that is still being written; None: the files are whole."""

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
    if value is None or name in ("propagation", "particle"):
        return value
    try:
        numbers = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise OptionsError(f"geometry.{name} is {value!r}; need a number") from error
    if name.startswith("detector_pixel") and numbers.shape in ((), (1,), (2,)):
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
        elif found.get(name) is None and name not in RARE:
            sources[name] = "default" if name == "propagation" else "unknown"
    return Geometry(**{**found, **overrides})


@dataclass
class Draft:
    """What a format found in its file, as it is stored there."""

    file: Path
    patterns: "NDArray[Any] | Frames"
    """(N, H, W) stored frames."""
    positions: NDArray[Any] | None
    """(n, 2) probe (y, x) in `unit`; may hold NaN, n may differ from N. None: the file has none."""
    unit: str = "m"
    """m or px."""
    valid: Bools | None = None
    """(H, W) or (N, H, W), True = good, laid out as the frames are."""
    probe: NDArray[Any] | None = None
    """(M, h, w), real space."""
    exposure: NDArray[Any] | None = None
    """(N,) frames summed in each pattern."""
    monitor: NDArray[Any] | None = None
    """(N,) flux of the beam in any unit: the exposure. Below a tenth of its median, frames go."""
    dark: NDArray[Any] | None = None
    """(H, W) to be subtracted, laid out as the frames are."""
    flat: NDArray[Any] | None = None
    """(H, W) to be divided by."""
    geometry: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    """Where each field came from, for those that came from the file."""
    notes: list[str] = field(default_factory=list)
    expected: int | None = None
    """Frames that the file announces, where it does."""

    def scan(self, request: Request) -> Scan:
        """Interpret the frames, match them with the positions, and return the Scan.

        Raises:
            ScanError: What was found makes no scan; `NeedsPositions` if only these are missing.
        """
        if request.growing is not None:
            request.growing.begin(self)
        self._check_kind()
        corrections.apply(self, request)
        geometry = geometry_of(self.geometry, request.overrides(), self.sources)
        own = self._own_mask()
        places = placed(self, request)
        keep = places.frames
        if own is not None and own.ndim == 3:
            own = own[keep]
        frames = self._select(keep)
        lazy = isinstance(frames, Frames) and _stay(frames, request)
        patterns, valid = self._interpret(frames, own, geometry.propagation == "near", request)
        scan = Scan(
            patterns=patterns,
            positions_m=places.positions if places.unit == "m" else None,
            positions_px=places.positions if places.unit == "px" else None,
            valid=valid,
            geometry=geometry,
            probe=self._fitting_probe(tuple(patterns.shape[1:])),
            exposure=places.exposure,
            name=name_of(self.file),
            sources=dict(self.sources),
            notes=tuple(self.notes),
        )
        return scan if lazy else without_dark(scan)

    def _check_kind(self) -> None:
        shape, dtype = tuple(self.patterns.shape), np.dtype(self.patterns.dtype)
        if len(shape) != 3 or 0 in shape:
            raise ScanError(f"{self.file.name}: patterns have shape {shape}; need (N, H, W)")
        check_frame(self.file, shape)
        if dtype.kind not in "uif":
            raise ScanError(f"{self.file.name}: patterns are {dtype}; need real counts")

    def _select(self, keep: NDArray[np.intp]) -> "NDArray[Any] | Frames":
        whole = len(keep) == self.patterns.shape[0]
        if isinstance(self.patterns, Frames):
            self.patterns.keep = None if whole else keep
            return self.patterns
        return self.patterns if whole else self.patterns[keep]

    def _interpret(
        self, frames: "NDArray[Any] | Frames", own: Bools | None, near: bool, request: Request
    ) -> tuple[Any, Any]:
        if isinstance(frames, Frames) and not _stay(frames, request):
            frames = frames[:]
        make = interpret if request.growing is None else request.growing.interpreted
        found = make(frames, own, near, self._told(request.layout))
        self.notes += found.notes
        if found.valid is not None and own is None:
            below = found.plan.told.corrects
            why = "dark frame and flat field" if below else "codes among the counts"
            self.sources["valid"] = f"file: {why}"
        if own is None:
            return found.patterns, found.valid
        own = found.plan.centred(own)
        return found.patterns, own if found.valid is None else found.valid & own

    def _told(self, layout: Layout) -> Told:
        return Told(
            values=layout.values,
            zero_frequency=layout.zero_frequency,
            bad_values=corrections.numbers_in(layout.bad_values, "layout.bad_values"),
            dark=corrections.dark_of(self),
            flat=corrections.flat_of(self),
        )

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


def _stay(frames: Frames, request: Request) -> bool:
    """Whether frames stay in their files.

    A small file that claims far more than it holds (frames that were never written) is not
    unpacked into the memory.
    """
    if request.growing is not None:
        return True
    stored = sum(part.stat().st_size for part in frames.parts if part.is_file())
    return frames.nbytes > min(request.lazy_above_bytes, max(SMALL_BYTES, MOST_UNPACKED * stored))


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
