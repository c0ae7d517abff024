"""What a bin size does, before anything is summed: counts, step, overlap, memory, time, blur."""

import functools
import math
import time
import weakref
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.model.summary import count_text
from napari_ptycho.prepare import text
from napari_ptycho.prepare.binning import size_label, sum_dtype
from napari_ptycho.prepare.coherence import Decoherence, decoherence
from napari_ptycho.prepare.groups import Groups, Neighbours, Size, check_size, group

SAMPLED_FRAMES = 256
"""Frames looked at for the mean pattern of a scan that is on disk or large."""
WHOLE_BYTES = 32 * 2**20
"""A scan in memory up to this size is looked at whole."""
SAMPLED_POINTS = 4096
PURITY_WARNING = 0.95
"""Below this the blur is worth a warning. On the simulated star (60 nm steps, 3e5 photons, 60
epochs) one mode made the phase error 1.13 times that of the needed modes at a purity of 0.89, 1.4
times at 0.75, 2.2 times at 0.60; so above 0.95 little is to be gained."""
OVERLAP_WARNING = 0.5
"""Below this linear overlap of neighbouring probes, reconstructions become fragile."""


@dataclass(frozen=True)
class BinningReport:
    """Before and after binning; lengths in `unit`, None where something is unknown."""

    label: str
    """The bin size in words."""
    frames: tuple[int, int]
    """Patterns before, after."""
    smaller: int
    """Bins that are leftovers with fewer patterns."""
    counts: tuple[float, float]
    """Mean counts per pattern, valid pixels only."""
    snr_gain: float
    """Expected gain in signal to noise: the root of the mean number of patterns per bin."""
    step: tuple[float | None, float | None]
    """Median distance to the nearest position."""
    unit: str
    """Of step and probe width: "m" or "px"."""
    probe_width: float | None
    """Equivalent diameter sqrt(4 A / pi) of the probe, A = (sum |P|^2)^2 / sum |P|^4."""
    overlap: tuple[float | None, float | None]
    """Linear overlap 1 - step / width."""
    memory_bytes: tuple[int, int]
    """Size of the patterns in memory."""
    epoch_s: tuple[float, float]
    """Estimated seconds per epoch on one CPU thread."""
    modes: int
    """Probe modes the estimate is for."""
    purity: float | None
    """Share of the light in the strongest mode of a bin, averaged; 1 = as coherent as before."""
    modes_needed: int | None
    """Probe modes that hold 99 % of the light of every bin."""
    coherence_from: str
    """What the last two were computed from, or why they are unknown."""
    warnings: tuple[str, ...]
    """Sentences to show."""

    def lines(self) -> tuple[str, ...]:
        """Return short lines for a dock or a terminal."""
        smaller = f" ({self.smaller} smaller)" if self.smaller else ""
        per_epoch = f"{text.time(self.epoch_s[0])} -> {text.time(self.epoch_s[1])}"
        purity = "unknown" if self.purity is None else f"{100 * self.purity:.1f} %"
        needed = "" if self.modes_needed is None else f", {text.plural(self.modes_needed, 'mode')}"
        overlap = "unknown"
        if None not in self.overlap:
            overlap = " -> ".join(text.percent(part) for part in self.overlap)
            overlap += f" of {text.length(self.probe_width, self.unit)}"
        rows = {
            "Bin": self.label,
            "Patterns": f"{self.frames[0]} -> {self.frames[1]}{smaller}",
            "Counts": " -> ".join(count_text(counts) for counts in self.counts) + " per pattern",
            "SNR": f"x {self.snr_gain:.2f}",
            "Step": " -> ".join(text.length(step, self.unit) for step in self.step),
            "Overlap": overlap,
            "Memory": " -> ".join(text.size(size) for size in self.memory_bytes),
            "Epoch": f"{per_epoch} (1 CPU thread)",
            "Coherence": purity + needed,
        }
        return tuple(f"{name:<11}{value}" for name, value in rows.items())

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, fit for JSON."""
        return asdict(self)


def binning_report(scan: Scan, size: Size, neighbours: Neighbours = "path") -> BinningReport:
    """Tell what `bin_positions` with the same arguments would do, without summing anything.

    The counts of a scan on disk (or of more than 32 MB) are estimated from 256 frames. What does
    not depend on the bin size is kept, so that a second call takes milliseconds.

    Args:
        scan: N patterns.
        size: As in `bin_positions`.
        neighbours: As in `bin_positions`.

    Raises:
        OptionsError: `size` or `neighbours` is none.
        ScanError: (ny, nx) is asked for, but the scan is no raster.
    """
    size = check_size(size, neighbours)
    facts = _facts(scan)
    groups = group(scan, size, neighbours)
    before, after = len(scan), len(groups)
    unit, scale = _unit(scan)
    steps = facts.step, _median_step(groups.mean(scan.positions) * scale)
    width = _width(scan, unit)
    overlap = tuple(_overlap(step, width) for step in steps)
    modes = 1 if scan.probe is None else len(scan.probe)
    pixels = math.prod(scan.frame_shape)
    dtype = scan.patterns.dtype if before == after else sum_dtype(scan, int(groups.count.max()))
    # The engine's own FFTs are faster; its whole step takes about as long as two of these.
    once = 2 * modes * _fft_seconds(scan.frame_shape)
    blur = decoherence(scan, groups, facts.pattern)
    return BinningReport(
        label=size_label(size, neighbours),
        frames=(before, after),
        smaller=groups.smaller,
        counts=(facts.counts, facts.counts * before / after),
        snr_gain=math.sqrt(before / after),
        step=steps,
        unit=unit,
        probe_width=width,
        overlap=(overlap[0], overlap[1]),
        memory_bytes=(
            before * pixels * scan.patterns.dtype.itemsize,
            after * pixels * np.dtype(dtype).itemsize,
        ),
        epoch_s=(before * once, after * once),
        modes=modes,
        purity=blur.purity,
        modes_needed=blur.modes_needed,
        coherence_from=blur.source,
        warnings=_warnings(groups, blur, overlap[1], modes),
    )


def _warnings(
    groups: Groups, blur: Decoherence, overlap: float | None, modes: int
) -> tuple[str, ...]:
    found = []
    if blur.purity is not None and blur.modes_needed and blur.purity < PURITY_WARNING:
        need = max(2, blur.modes_needed) * modes
        found.append(
            f"Within a bin the probe moves too far: {100 * (1 - blur.purity):.0f} % of the light "
            f"is no longer coherent. Use a smaller bin, or {need} probe modes, which absorb it."
        )
    if overlap is not None and overlap < OVERLAP_WARNING:
        found.append(
            f"Neighbouring probes overlap by {100 * overlap:.0f} % only; "
            "reconstructions need about 60 %."
        )
    if len(groups) == 1:
        found.append("Everything would become one single pattern.")
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Facts:
    """What does not depend on the bin size."""

    pattern: Floats
    """(H, W) mean counts of the frames looked at, 0 where not valid."""
    counts: float
    step: float | None


_known: "weakref.WeakKeyDictionary[Scan, _Facts]" = weakref.WeakKeyDictionary()


def _facts(scan: Scan) -> _Facts:
    found = _known.get(scan)
    if found is None:
        pattern = sampled_mean(scan)
        _, scale = _unit(scan)
        step = _median_step(scan.positions * scale)
        found = _known[scan] = _Facts(pattern, float(pattern.sum()), step)
    return found


def sampled_mean(scan: Scan) -> Floats:
    """Return the mean pattern (H, W) of all frames, or of some runs of them; invalid pixels are 0.

    Quick, for what is shown; `start.mean_pattern` reads all frames and reckons with exposures.
    """
    n = len(scan)
    size = n * math.prod(scan.frame_shape) * scan.patterns.dtype.itemsize
    runs = [slice(0, n)]
    if n > SAMPLED_FRAMES and (scan.is_lazy or size > WHOLE_BYTES):
        length = 16 if scan.is_lazy else 1
        starts = np.linspace(0, n - length, SAMPLED_FRAMES // length).astype(int)
        runs = [slice(int(start), int(start) + length) for start in starts]
    total = np.zeros(scan.frame_shape)
    for run in runs:
        valid = scan.valid_of(run)
        total += np.sum(np.asarray(scan.patterns[run]), axis=0, dtype=np.float64, where=valid)
    return total / sum(run.stop - run.start for run in runs)


def _unit(scan: Scan) -> tuple[str, Any]:
    """Return the unit of lengths, and what turns positions into it."""
    if scan.positions_m is not None:
        return "m", 1.0
    pixel = scan.pixel_size_m
    return ("px", 1.0) if pixel is None else ("m", np.array(pixel))


def _width(scan: Scan, unit: str) -> float | None:
    """Return the equivalent diameter of the probe in this unit, or None."""
    if scan.probe is None:
        return None
    light = (np.abs(scan.probe.astype(np.complex128)) ** 2).sum(axis=0)
    area = float(light.sum() ** 2 / max(float((light**2).sum()), 1e-300))
    if unit == "m":
        if scan.pixel_size_m is None:
            return None
        area *= math.prod(scan.pixel_size_m)
    return math.sqrt(4 * area / math.pi)


def _overlap(step: float | None, width: float | None) -> float | None:
    return None if step is None or not width else max(0.0, 1 - step / width)


def _median_step(positions: Floats) -> float | None:
    """Return the median distance to the nearest other position; None for a single one."""
    if len(positions) < 2:
        return None
    some = positions[:: max(1, len(positions) // SAMPLED_POINTS)]
    distances = np.asarray(scipy.spatial.cKDTree(positions).query(some, k=2)[0])
    return float(np.median(distances[:, 1]))


@functools.lru_cache(maxsize=64)
def _fft_seconds(shape: tuple[int, int]) -> float:
    """Measure one complex64 FFT of this shape on one thread: the quickest of a few."""
    waves: NDArray[np.complex64] = np.ones((max(1, 2**16 // math.prod(shape)), *shape), "c8")
    times = []
    for _ in range(5):
        began = time.perf_counter()
        scipy.fft.fft2(waves, workers=1)
        times.append((time.perf_counter() - began) / len(waves))
        if sum(times) > 0.05:
            break
    return min(times)
