"""What a network learns from: patterns, and the object that lies under each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.device import free_ram
from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Bools, Complexes, Floats, frozen
from napari_ptycho.networks.inputs import Sums, is_standardised
from napari_ptycho.networks.network import Preparation
from napari_ptycho.networks.options import Scaling
from napari_ptycho.networks.source import Images, Ints, Source
from napari_ptycho.networks.split import Split, by_lines, by_scans
from napari_ptycho.physics.align import flatten

BLOCK = 64  # patterns at once
LIT = 0.1  # of the brightest pixel of the probe: less light says little
LOOKED_AT = 256  # windows from which ranges are found
PEAK = 99.9  # percentile of the amplitude, which becomes
TOP = 0.8  # in labels: outputs that end at 1 learn nothing any more once they are there
STRAY = 0.3  # rms by which positions may differ, as a share of how far they spread


@dataclass(frozen=True, eq=False)
class Pairs:
    """Patterns with the object under each, and which of them teach and which validate.

    Pairs are numbered through all sources.

    Raises:
        ScanError: Patterns differ in size, a set is empty, or both sets share a pair.
    """

    sources: tuple[Source, ...]
    training: Ints
    """Numbers of the pairs that teach."""
    validation: Ints
    """Numbers of the pairs that validate."""
    probe: Complexes | None = None
    """(M, h, w) of all sources, or of the first; None where each has another."""
    amplitude_scale: float = 1.0
    """Labels are divided by this, so that they are about `TOP` at most."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What they are: names, numbers, split, range of the data; plain values, fit for JSON."""
    notes: tuple[str, ...] = ()
    """What the user should know of them, as sentences."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise ScanError("there is no scan to learn from; give at least one")
        shapes = {source.shape for source in self.sources}
        if len(shapes) > 1:
            sizes = ", ".join(f"{h} x {w}" for h, w in sorted(shapes))
            raise ScanError(f"patterns of {sizes} pixels cannot be learnt together; need one size")
        for name, what in (("training", "to learn from"), ("validation", "to validate with")):
            numbers = frozen(getattr(self, name), np.int64)
            if not len(numbers):
                raise ScanError(f"no pattern is left {what}; need more patterns or another split")
            if numbers.min() < 0 or numbers.max() >= len(self):
                raise ScanError(f"{name}: there are {len(self)} pairs, but one of another number")
            object.__setattr__(self, name, numbers)
        if np.intersect1d(self.training, self.validation).size:
            raise ScanError("a pair both teaches and validates; each may do one of them only")

    def __len__(self) -> int:
        return sum(len(source) for source in self.sources)

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels of a pattern (height, width)."""
        return self.sources[0].shape

    @cached_property
    def weight(self) -> Images:
        """Light (h, w) in a window, 1 at its brightest: mean of the sources' probes."""
        light = np.mean([source.light for source in self.sources], axis=0)
        return np.asarray(light / light.max(), np.float32)

    @property
    def lit(self) -> Bools:
        """Pixels (h, w) of a window with more than `LIT` of the brightest one's light."""
        return np.asarray(self.weight > LIT)

    def batch(self, numbers: NDArray[np.integer[Any]]) -> tuple[Images, Images]:
        """Return counts and labels.

        Returns:
            Counts (B, h, w) at full exposure and the mean dose of all sources, dead pixels 0;
            labels (B, 2, h, w): amplitude over `amplitude_scale`, and phase in rad.
        """
        wanted: Ints = np.asarray(numbers, np.int64)
        labels = np.empty((len(wanted), 2, *self.shape), np.float32)
        for places, source, frames in self._parts(wanted):
            windows = source.windows(frames)
            labels[places, 0] = np.abs(windows) / np.float32(self.amplitude_scale)
            labels[places, 1] = np.angle(windows)
        return self._counts(wanted), labels

    @cached_property
    def doses(self) -> Floats:
        """Photons of the probe of each source (S,): the dose, whatever the object lets through."""
        return np.array([np.square(np.abs(source.probe)).sum() for source in self.sources])

    def _counts(self, numbers: Ints) -> Images:
        """Return counts (B, h, w) as if all sources had the mean dose of all."""
        counts = np.empty((len(numbers), *self.shape), np.float32)
        for places, source, frames in self._parts(numbers):
            dose = self.doses[self.sources.index(source)]
            counts[places] = source.counts(frames) * np.float32(self.doses.mean() / max(dose, 1e-9))
        return counts

    def preparation(self, scaling: Scaling) -> Preparation:
        """Return how counts become inputs, from the patterns that teach and from no others.

        Raises:
            ScanError: All patterns are the same.
        """
        sums = Sums(scaling, self.shape)
        if is_standardised(scaling):
            for first in range(0, len(self.training), BLOCK):
                sums.add(self._counts(self.training[first : first + BLOCK]))
        return sums.preparation()

    def _parts(self, numbers: Ints) -> Iterator[tuple[Ints, Source, Ints]]:
        """Yield (places in the numbers, source, frames in it) for each source they lie in."""
        begins = np.cumsum([0, *(len(source) for source in self.sources)])
        owners = np.searchsorted(begins[1:], numbers, side="right")
        for owner in np.unique(owners):
            places = np.flatnonzero(owners == owner)
            yield places, self.sources[owner], numbers[places] - begins[owner]


def collected(
    sources: Sequence[Source], split: Split, probe: Complexes | None, about: Mapping[str, Any]
) -> Pairs:
    """Return pairs with the scale of their amplitude, and with what is known of their range.

    Args:
        sources: Of the pairs.
        split: Which of them teach and which validate.
        probe: (M, h, w) or None, as in `Pairs`.
        about: What they are; numbers, split and ranges are added.

    Raises:
        ScanError: As `Pairs`, or the object is empty where there is light.
    """
    raw = Pairs(tuple(sources), split.training, split.validation, probe)
    some = np.linspace(0, len(raw.training) - 1, min(LOOKED_AT, len(raw.training))).astype(int)
    counts, labels = raw.batch(raw.training[some])
    amplitude, phase = labels[:, 0, raw.lit], labels[:, 1, raw.lit]
    scale = float(np.percentile(amplitude, PEAK)) / TOP
    if not scale > 0:
        raise ScanError(
            "the object is empty where the probe lights it, so there is nothing to learn; choose "
            "another reconstruction"
        )
    numbers = {"all": len(raw), "training": len(raw.training), "validation": len(raw.validation)}
    known = {
        "patterns": numbers,
        "shape": list(raw.shape),
        "split": split.sentence,
        "counts": {name: float(getattr(counts, name)()) for name in ("min", "max", "mean")},
        "photons": [float(raw.doses.min()), float(raw.doses.max())],
        "phase_rad": [float(phase.min()), float(phase.max())],
        "amplitude": [float(amplitude.min()), float(amplitude.max())],
    }
    return Pairs(
        raw.sources, raw.training, raw.validation, probe, scale, {**about, **known}, split.notes
    )


def from_reconstructions(
    known: Sequence[tuple[Scan, Reconstruction]], validation: float = 0.15, train_lines: float = 1.0
) -> Pairs:
    """Return the pairs of scans and what was reconstructed of them; arguments as `pairs_of`.

    Objects are freed of global phase and ramp (`physics.align.flatten`). Which windows teach is
    told in `split`. A lazy scan is read into memory if it takes less than half of what is free.

    Raises:
        OptionsError: A share is not one.
        ScanError: As in `pairs_of`.
    """
    if not (0 < validation < 1 and 0 < train_lines <= 1):
        raise OptionsError(
            f"validation {validation:g} and train_lines {train_lines:g} are shares of patterns and "
            "lines; they must be above 0, and below 1 and up to 1"
        )
    if not known:
        raise ScanError("there is no reconstruction to learn from; give at least one")
    for scan, reconstruction in known:
        _check_same(scan, reconstruction)
    sources = [_source(scan, reconstruction) for scan, reconstruction in known]
    if len(known) == 1:
        split = by_lines(known[0][0], sources[0].corners, sources[0].light, validation, train_lines)
    else:
        split = by_scans([scan for scan, _ in known], validation, train_lines)
    about = {"kind": "reconstructions", "names": [scan.name for scan, _ in known]}
    return collected(sources, split, sources[0].probe, about)


def _source(scan: Scan, reconstruction: Reconstruction) -> Source:
    patterns = scan.patterns
    if scan.is_lazy and patterns.nbytes < free_ram() / 2:
        patterns = np.empty(patterns.shape, patterns.dtype)
        for frames, block in scan.blocks():
            patterns[frames] = block
    return Source(
        patterns,
        flatten(reconstruction),
        reconstruction.positions_px,
        reconstruction.probe,
        scan.valid,
        scan.exposure,
        scan.name,
    )


def _check_same(scan: Scan, reconstruction: Reconstruction) -> None:
    """Raise ScanError if a reconstruction is not of a scan."""
    have = (len(scan), *scan.frame_shape)
    need = (len(reconstruction.positions_px), *reconstruction.probe.shape[1:])
    if have != need:
        raise ScanError(
            f"{reconstruction.name} is not of {scan.name}: it has {need[0]} positions and windows "
            f"of {need[1]} x {need[2]}, the scan {have[0]} patterns of {have[1]} x {have[2]}"
        )
    if scan.positions_px is None and scan.pixel_size_m is None:
        return
    meant = scan.in_pixels() - scan.in_pixels().mean(axis=0)
    found = reconstruction.positions_px - reconstruction.positions_px.mean(axis=0)
    spread, stray = np.sqrt(np.square(meant).mean()), np.sqrt(np.square(found - meant).mean())
    if stray > max(1.0, STRAY * spread):
        raise ScanError(
            f"{reconstruction.name} is not of {scan.name}: positions differ by {stray:.3g} px "
            f"(rms) where they spread by {spread:.3g}; need those of the scan in the same order"
        )
