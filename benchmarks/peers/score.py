"""How good a result is, by the same functions for every package; no package's own loss.

`misfit` is R = sum (|F| - sqrt I)^2 / sum I, recomputed from object and probe. `truth_error` is
the rest after removing what data cannot fix. `resolution` compares two results from separate halves
of the positions.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_ptycho.physics.align import align

Images = NDArray[np.complexfloating]
Floats = NDArray[np.float64]
BLOCK = 32


def misfit(patterns: NDArray[np.float32], image: Images, probe: Images, corners: Floats) -> float:
    """Return R: (N, n, n) counts against the (H, W) object under the (M, n, n) probe.

    The probe is shifted by the fraction of a pixel of each position (Fourier).
    """
    n = patterns.shape[-1]
    whole = np.rint(corners).astype(int)
    spectrum = fft.fft2(probe.astype(np.complex64))
    k = fft.fftfreq(n)
    wrong = total = 0.0
    for first in range(0, len(corners), BLOCK):
        rows = slice(first, first + BLOCK)
        part = (corners - whole)[rows]
        turn = [np.exp(-2j * np.pi * np.outer(part[:, axis], k)) for axis in (0, 1)]
        shift = (turn[0][:, :, None] * turn[1][:, None, :]).astype(np.complex64)
        windows = np.stack([image[y : y + n, x : x + n] for y, x in whole[rows]])
        probes = fft.ifft2(spectrum[None] * shift[:, None])
        waves = fft.fft2(probes * windows[:, None].astype(np.complex64), norm="ortho")
        size = np.sqrt((np.abs(waves) ** 2).sum(axis=1))
        counts = fft.ifftshift(patterns[rows], axes=(-2, -1))
        wrong += float(((size - np.sqrt(counts)) ** 2).sum(dtype=np.float64))
        total += float(counts.sum(dtype=np.float64))
    return wrong / total


def middle(corners: Floats, n: int, shape: Sequence[int]) -> NDArray[np.bool_]:
    """Return the part of the object that the middles of the windows span: (H, W) bool."""
    low = np.ceil(corners.min(axis=0) + n / 2).astype(int)
    high = np.floor(corners.max(axis=0) + n / 2).astype(int)
    area = np.zeros(tuple(shape), bool)
    area[low[0] : high[0], low[1] : high[1]] = True
    return area


def truth_error(truth: Images, image: Images, area: NDArray[np.bool_]) -> float:
    """Return the root of sum |truth - image|^2 / sum |truth|^2, aligned."""
    return align(truth, np.asarray(image, np.complex128), area).error


def resolution(first: Images, second: Images, area: NDArray[np.bool_]) -> float:
    """Return the share of the Nyquist frequency where the Fourier ring correlation falls to 0.5.

    The second image is aligned on the first; both are cut to a square in the area, less their mean
    and under a Hann window.
    """
    second = align(first, np.asarray(second, np.complex128), area).image
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    n = min(len(rows), len(columns)) // 2 * 2
    window = np.hanning(n)[:, None] * np.hanning(n)[None, :]
    spectra = []
    for image in (first, second):
        cut = image[rows[0] : rows[0] + n, columns[0] : columns[0] + n]
        spectra.append(fft.fftshift(fft.fft2((cut - cut.mean()) * window)))
    y, x = np.indices((n, n)) - n // 2
    ring = np.rint(np.hypot(y, x)).astype(int).ravel()
    a, b = (spectrum.ravel() for spectrum in spectra)
    shared = np.bincount(ring, (a * b.conj()).real)
    power = np.bincount(ring, np.abs(a) ** 2) * np.bincount(ring, np.abs(b) ** 2)
    curve = (shared / np.sqrt(power))[1 : n // 2]
    below = np.flatnonzero(curve < 0.5)
    return float((below[0] + 1) / (n // 2)) if len(below) else 1.0


def reached(cpu: Sequence[float], values: Sequence[float], level: float) -> float | None:
    """Return the CPU seconds at which a curve reaches a level, or None if it does not.

    Between checkpoints the logarithm of the value is taken as linear in time; the first one counts
    as reached there.
    """
    for number, value in enumerate(values):
        if value > level:
            continue
        if number == 0:
            return float(cpu[0])
        before = values[number - 1]
        share = np.log(before / level) / np.log(before / value)
        return float(cpu[number - 1] + share * (cpu[number] - cpu[number - 1]))
    return None


def onto(image: Images, corners: Floats, wanted: Floats, shape: Sequence[int]) -> Images:
    """Return the image on the grid where its windows lie at `wanted`: whole pixels, 1 outside."""
    move = np.rint(corners[0] - wanted[0]).astype(int)
    moved = np.ones(tuple(shape), np.complex64)
    here, there = [], []
    for shift, have, need in zip(move, image.shape, shape, strict=True):
        low, high = max(0, -shift), min(need, have - shift)
        here.append(slice(low, high))
        there.append(slice(low + shift, high + shift))
    moved[tuple(here)] = image[tuple(there)]
    return moved
