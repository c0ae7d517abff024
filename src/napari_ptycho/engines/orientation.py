"""Finding how frames lie in their file: short reconstructions of every orientation.

A scan whose frames are turned against its positions can still be fitted, but badly. So a connected
patch of it is reconstructed once for every orientation that diffraction can tell apart, and the
errors are compared. In the far field these are four pairs: frames flipped both ways are those of
the complex conjugate of probe and object, hence one of a pair is run, and the other one takes its
error and the conjugate of its object.

A far-field fit falls into the right place only if the probe begins roughly right, in its curvature
above all, and nobody knows whether the probe in a file was turned with the frames. So each
orientation begins from several probes for a few epochs, and goes on from the best: the file's
probe, turned with the frames or not, and the conjugates of both (which stand for the other one of
the pair); or, without one, the mean pattern behind and before its focus.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, cast

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.engines import reconstruct
from napari_ptycho.engines.options import RpieOptions
from napari_ptycho.engines.ranking import OrientationRanking, error_of, ranked
from napari_ptycho.errors import ScanError
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.options import Options, Range
from napari_ptycho.prepare.detector import DetectorOptions, cut_detector, fft_sizes
from napari_ptycho.prepare.halves import take
from napari_ptycho.prepare.orientation import (
    TRANSPOSE,
    classes,
    orient,
)
from napari_ptycho.prepare.start import first_guess
from napari_ptycho.prepare.survey import survey

FEWEST = 9
SIDE, HOLDS = 128, 0.99
"""Larger far-field frames are cut to a square of at least `SIDE` that holds so many counts."""
SPREADS = (0.06, 0.1, 0.17, 0.28)
"""Defocused starts: how far a mean pattern spreads in the sample plane, in widths of the window."""


@dataclass(frozen=True)
class OrientationOptions(Options):
    """How much is spent on each orientation."""

    title: ClassVar[str] = "Orientation"

    patterns: Annotated[
        int, Range(FEWEST, 2000, 20), "Patterns that are looked at: neighbours amid the scan."
    ] = 100
    first_epochs: Annotated[
        int, Range(1, 1000), "Epochs from each first probe; the best goes on."
    ] = 3
    epochs: Annotated[int, Range(1, 1000), "Epochs in all, from that probe."] = 8


def find_orientation(
    scan: Scan, options: OrientationOptions | None = None, device: str = "auto"
) -> Iterator[Update[OrientationRanking]]:
    """Find how the frames of a scan lie against its positions: a job.

    Args:
        scan: Centred frames; lazy ones are read where they are needed. Positions are taken as they
            are.
        options: How much is spent; None takes the defaults.
        device: As in `engines.reconstruct`.

    Yields:
        Updates over the epochs of all runs; the result ranks the orientations that are done. The
        history has "orientation 0" and so on, one error per epoch of the run that went on.

    Raises:
        ScanError: There are too few frames, no light, or the object pixel is unknown.
        JobError: As in `engines.reconstruct`.
    """
    options = options or OrientationOptions()
    part = subject(scan, options.patterns)
    groups = classes(part.geometry.propagation)
    rest, total = max(0, options.epochs - options.first_epochs), float(steps(part, options))
    found: dict[int, Reconstruction] = {}
    history: dict[str, tuple[float, ...]] = {}
    done = 0.0
    for code, *_ in groups:
        turned, probes = orient(part, code), first_probes(part, code)
        for result, ahead in _contest(turned, probes, (options.first_epochs, rest), device):
            history[f"orientation {code}"] = result.errors
            best = result
            ranking = ranked(found, groups, len(part))
            yield Update(done + ahead, total, dict(history), ranking)
        found[code] = best
        done += len(probes) * options.first_epochs + rest
    yield Update(total, total, dict(history), ranked(found, groups, len(part)))


def steps(scan: Scan, options: OrientationOptions) -> int:
    """Return the epochs that finding the orientation of a scan takes."""
    near = scan.geometry.propagation == "near"
    rest = max(0, options.epochs - options.first_epochs)
    total = 0
    for code, *_ in classes(scan.geometry.propagation):
        starts = 1 if near else 2 * len(SPREADS)
        if scan.probe is not None:
            starts = (2 if _fits_unturned(scan, code) else 1) * (1 if near else 2)
        total += starts * options.first_epochs + rest
    return total


def _fits_unturned(scan: Scan, code: int) -> bool:
    """Whether the probe, not turned, is another start for frames that are turned."""
    height, width = scan.frame_shape
    return code != 0 and (height == width or not code & TRANSPOSE)


def subject(scan: Scan, patterns: int) -> Scan:
    """Return a patch of a scan, in memory: the frames nearest to the middle of the scan.

    Large far-field frames are cut to the square that holds most counts.

    Raises:
        ScanError: There are too few frames, no light, or the object pixel is unknown.
    """
    if len(scan) < FEWEST:
        raise ScanError(
            f"{scan.name}: {len(scan)} patterns; finding the orientation needs at least {FEWEST}: "
            "take the whole scan, unbinned"
        )
    at = scan.in_pixels()
    far = np.linalg.norm(at - np.median(at, axis=0), axis=1)
    part = take(scan, np.sort(np.argsort(far, kind="stable")[:patterns]))
    part = replace(part, patterns=np.asarray(part.patterns), valid=np.asarray(part.valid))
    mean = survey(part).mean
    if not mean.any():
        raise ScanError(
            f"{scan.name}: the frames amid the scan hold no counts; look for the orientation by "
            "more patterns, or cut out the part that has light"
        )
    if part.geometry.propagation == "near" or min(mean.shape) <= SIDE:
        return part
    return cut_detector(part, DetectorOptions(size=_holding(mean)))


def _holding(mean: NDArray[np.float64]) -> int:
    """Return the side of the central square that holds most counts; 0 for the whole frame."""
    height, width = mean.shape
    for size in reversed(fft_sizes(min(height, width))):
        top, left = height // 2 - size // 2, width // 2 - size // 2
        inside = float(mean[top : top + size, left : left + size].sum())
        if size >= SIDE and inside >= HOLDS * float(mean.sum()):
            return size
    return 0


def first_probes(scan: Scan, code: int) -> list[Complexes]:
    """Return probes (M, H, W) to begin with, for the frames of a scan turned by a code."""
    turned = orient(scan, code)
    near = scan.geometry.propagation == "near"
    if scan.probe is None or turned.probe is None:
        start = first_guess(turned).probe
        spreads = [sign * spread for spread in SPREADS for sign in (1, -1)]
        return [start] if near else [_defocused(start, spread) for spread in spreads]
    known = [turned.probe]
    if _fits_unturned(scan, code):
        known.append(scan.probe)
    return known if near else [probe for one in known for probe in (one, one.conj())]


def _defocused(probe: Complexes, spread: float) -> Complexes:
    """Defocus a probe so far that its rms width becomes about this share of the window."""
    axes, shape = (-2, -1), probe.shape[-2:]
    spectrum = scipy.fft.fft2(probe)
    power = (np.abs(spectrum) ** 2).sum(axis=0)
    phase = np.zeros(shape)
    for axis, length in enumerate(shape):
        squares = scipy.fft.fftfreq(length, 1 / length) ** 2
        squares = squares[:, None] if axis == 0 else squares[None, :]
        width = np.sqrt((power * squares).sum() / power.sum())
        phase = phase + np.pi * spread * squares / max(float(width), 0.5)
    return np.asarray(scipy.fft.ifft2(spectrum * np.exp(1j * phase), axes=axes), np.complex64)


def _contest(
    scan: Scan, probes: list[Complexes], epochs: tuple[int, int], device: str
) -> Iterator[tuple[Reconstruction, float]]:
    """Run from every probe, go on from the best; yield results and the epochs done so far."""
    heat, rest = epochs
    reached, done = [], 0.0
    for probe in probes:
        start = first_guess(replace(scan, probe=probe), len(probe), "file")
        for result, ahead in _run(scan, start, heat, device):
            yield result, done + ahead
        reached.append(result)
        done += heat
    best = min(reached, key=error_of)
    yield best, done
    if rest:
        for result, ahead in _run(scan, best, rest, device):
            yield result, done + ahead


def _run(
    scan: Scan, start: Reconstruction, epochs: int, device: str
) -> Iterator[tuple[Reconstruction, float]]:
    options = RpieOptions(epochs=epochs, modes=len(start.probe))
    job = reconstruct(scan, options, start, device)
    with closing(cast("Generator[Update[Reconstruction]]", job)):
        for update in job:
            yield update.result, update.done
