"""Fused loops for the CPU (numba): each does in one pass what torch needs five to ten for.

An FFT of 128 x 128 takes about as long as three torch passes over it, so the passes decide how fast
an engine is on a CPU. The functions work on numpy arrays, contiguous and of single precision, and
mirror the torch expressions in `windows` and `propagate`, from where they are called; the tests
compare both. Four rules keep them fast: indices are unsigned, which spares the check for negative
ones and lets inner loops vectorise; what rows of several windows share stays in the nearest cache,
because rows come before windows in the nesting; functions for one row are `inlined`; and no views
of rows are made, because every view is counted.
"""

from typing import Any

import numpy as np

from napari_ptycho.physics.loops import (
    EIGHT,
    ONE,
    SIXTEEN,
    TWO,
    U,
    by_column,
    compiled,
    flat,
    inlined,
    peaks,
    zeros,
)
from napari_ptycho.physics.vectors import correlate, settle

BAND = U(4)  # rows of all windows that are worked on together
CHUNK = U(512)  # pixels whose light, counts and waves fit the nearest cache together
FUSED = {"cpu"}  # the kinds of device whose tensors go through the loops here


@compiled
def exit_waves(image: Any, probe: Any, corners: Any, out: Any, power: Any) -> None:
    """Write out[b, m] = image window b * probe[b or 0, m], and power = sum_b |window b|^2."""
    modes, height, width = U(out.shape[1]), U(out.shape[2]), U(out.shape[3])
    for top in range(U(0), height, BAND):
        end = min(top + BAND, height)
        power[top:end] = 0
        for b in range(U(len(corners))):
            y0, x0, q = U(corners[b, 0]), U(corners[b, 1]), b % U(len(probe))
            for y in range(top, end):
                for x in range(width):
                    o = image[y0 + y, x0 + x]
                    power[y, x] += o.real * o.real + o.imag * o.imag
            for m in range(modes):
                for y in range(top, end):
                    for x in range(width):
                        out[b, m, y, x] = image[y0 + y, x0 + x] * probe[q, m, y, x]


@inlined
def add_squares(total: Any, at_total: Any, waves: Any, at: Any, count: Any) -> None:
    """Add |waves|^2 of so many complex numbers to total."""
    for x in range(count):
        real, imaginary = waves[at + TWO * x], waves[at + TWO * x + ONE]
        total[at_total + x] += real * real + imaginary * imaginary


@inlined
def scale(waves: Any, at: Any, factor: Any, count: Any) -> None:
    """Multiply so many complex numbers by real factors."""
    for x in range(count):
        waves[at + TWO * x] *= factor[x]
        waves[at + TWO * x + ONE] *= factor[x]


@inlined
def distance(target: Any, modulus: Any) -> Any:
    """Return what a model lacks; a negative target, saturated there, asks for that or more."""
    off = abs(target) - modulus
    return max(off, np.float32(0)) if target < 0 else off


@inlined
def amplitude_factor(row: Any, targets: Any, good: Any, at: Any, at_good: Any, count: Any) -> Any:
    """Replace modelled counts by the change of the wave, relative to it; return the misfit."""
    misfit = np.float32(0)
    for x in range(count):
        inverse = np.float32(1) / np.sqrt(row[x])
        off = distance(targets[at + x], row[x] * inverse) * good[at_good + x]
        misfit += off * off
        row[x] = off * inverse
    return misfit


@inlined
def poisson_factor(row: Any, targets: Any, good: Any, at: Any, at_good: Any, count: Any) -> Any:
    """Replace modelled counts by valid (counts / model - 1); return the amplitude misfit."""
    misfit = np.float32(0)
    for x in range(count):
        target, inverse = targets[at + x], np.float32(1) / np.sqrt(row[x])
        off = distance(target, row[x] * inverse) * good[at_good + x]
        misfit += off * off
        ratio = target * inverse
        excess = ratio * ratio - np.float32(1)
        excess = max(excess, np.float32(0)) if target < 0 else excess
        row[x] = excess * good[at_good + x]
    return misfit


@compiled
def change(wave: Any, amplitude: Any, valid: Any, ids: Any, background: Any, poisson: Any) -> Any:
    """Replace wave (B, M, h, w) by its change; return the squared amplitude misfits (B,).

    The choice is an argument: of loops made by a function from another, a cache keeps none.
    """
    modes, size = U(wave.shape[1]), U(wave.shape[2] * wave.shape[3])
    waves, targets, good, dark = flat(wave), flat(amplitude), flat(valid), flat(background)
    row, misfits = zeros(CHUNK), np.zeros(len(ids), np.float32)
    for start in range(U(0), size, CHUNK):
        count = min(CHUNK, size - start)
        for b in range(U(len(ids))):
            n = U(ids[b])
            at, at_good = n * size + start, n % U(len(valid)) * size + start
            for x in range(count):
                row[x] = dark[start + x]
            for m in range(modes):
                add_squares(row, U(0), waves, TWO * ((b * modes + m) * size + start), count)
            if poisson:
                misfits[b] += poisson_factor(row, targets, good, at, at_good, count)
            else:
                misfits[b] += amplitude_factor(row, targets, good, at, at_good, count)
            for m in range(modes):
                scale(waves, TWO * ((b * modes + m) * size + start), row, count)
    return misfits


@compiled
def light_of(probe: Any) -> Any:
    """Return sum over modes of |probe|^2, a row of all pixels of all B."""
    modes, size = U(probe.shape[1]), U(probe.shape[2] * probe.shape[3])
    lit, probes = zeros(len(probe) * probe.shape[2] * probe.shape[3]), flat(probe)
    for b in range(U(len(probe))):
        for m in range(modes):
            add_squares(lit, b * size, probes, TWO * (b * modes + m) * size, size)
    return lit


@compiled
def brightest(lit: Any, corners: Any, order: Any, shape: Any, length: Any) -> Any:
    """Return the brightest pixel of an object with rows of this length under all windows.

    Rows where even the brightest pixels of windows that overlap would not suffice are left out.
    """
    height, width = U(shape[0]), U(shape[1])
    row, light, probes = zeros(length), peaks(lit, width), U(len(lit)) // (height * width)
    bits, top = row.view(np.int32), np.array([light.max()])
    tops = top.view(np.int32)
    for y in range(U(corners[:, 0].min()), U(corners[:, 0].max()) + height):
        most, run, first, end = np.float32(0), np.float32(0), U(length), U(0)
        for b in order:
            y0, x0 = U(corners[b, 0]), U(corners[b, 1])
            if y0 <= y < y0 + height:
                run = light[b % probes * height + y - y0] + (run if x0 < end else np.float32(0))
                most, first, end = max(most, run), min(first, x0), x0 + width
        if most > top[0]:
            for b in order:
                y0 = U(corners[b, 0])
                if y0 <= y < y0 + height:
                    at = (b % probes * height + y - y0) * width
                    add_row(row, U(corners[b, 1]), lit, at, width)
            best = np.int32(0)
            for x in range(first, end):
                best = max(best, bits[x])
                bits[x] = 0
            tops[0] = max(tops[0], best)
    return top[0]


@inlined
def add_row(row: Any, at: Any, other: Any, at_other: Any, count: Any) -> None:
    """Add so many values of another row."""
    for x in range(count):
        row[at + x] += other[at_other + x]


@inlined
def correlate_row(
    delta: Any,
    at_delta: Any,
    pull: Any,
    at_pull: Any,
    change: Any,
    at: Any,
    probe: Any,
    at_probe: Any,
    image: Any,
    at_image: Any,
    size: Any,
) -> None:
    """Add conj(probe) change to delta and conj(image) change to pull, rows of so many floats."""
    whole = size // SIXTEEN * SIXTEEN
    for x in range(U(0), whole, SIXTEEN):
        correlate(
            delta,
            at_delta + x,
            pull,
            at_pull + x,
            change,
            at + x,
            probe,
            at_probe + x,
            image,
            at_image + x,
        )
    for x in range(whole, size, TWO):
        a, b = change[at + x], change[at + x + ONE]
        c, d = probe[at_probe + x], probe[at_probe + x + ONE]
        delta[at_delta + x] += c * a + d * b
        delta[at_delta + x + ONE] += c * b - d * a
        c, d = image[at_image + x], image[at_image + x + ONE]
        pull[at_pull + x] += c * a + d * b
        pull[at_pull + x + ONE] += c * b - d * a


@inlined
def settle_row(image: Any, at: Any, delta: Any, light: Any, count: Any, weights: Any) -> None:
    """Add delta * step / (rest * light + floor) to the image; clear delta and light."""
    step, rest, floor = weights
    whole = count // EIGHT * EIGHT
    for x in range(U(0), whole, EIGHT):
        settle(image, at + TWO * x, delta, TWO * x, light, x, step, rest, floor)
    for x in range(whole, count):
        factor = step / (rest * light[x] + floor)
        image[at + TWO * x] += delta[TWO * x] * factor
        image[at + TWO * x + ONE] += delta[TWO * x + ONE] * factor
        light[x] = delta[TWO * x] = delta[TWO * x + ONE] = 0


@compiled
def update(
    image: Any, change: Any, probe: Any, corners: Any, step: Any, alpha: Any, pull: Any
) -> None:
    """Add sum_b,m conj(probe) change * step / ((1 - alpha) D + alpha max D) to the image.

    D is the light of all windows, each where it lies. On the way, from the image as it was,
    pull[m] = sum_b conj(window b) change[b, m]. The image goes row by row, and a row in runs of
    windows that touch: from left to right, until the next window lies beyond the last.
    """
    stride, modes = U(image.shape[1]), U(change.shape[1])
    height, width = U(change.shape[2]), U(change.shape[3])
    order, lit, share = by_column(corners), light_of(probe), np.float32(alpha)
    floor = share * brightest(lit, corners, order, change.shape[2:], image.shape[1])
    weights = np.float32(step), np.float32(1) - share, floor
    images, changes, probes, pulls = flat(image), flat(change), flat(probe), flat(pull)
    light, delta = zeros(image.shape[1]), zeros(2 * image.shape[1])
    pulls[:] = 0
    for y in range(U(corners[:, 0].min()), U(corners[:, 0].max()) + height):
        begin, count = U(0), U(0)
        for b in order:
            y0, x0 = U(corners[b, 0]), U(corners[b, 1])
            if y0 <= y < y0 + height:
                if x0 > begin + count:
                    settle_row(images, TWO * (y * stride + begin), delta, light, count, weights)
                    begin, count = x0, U(0)
                at, q = (y - y0) * width, b % U(len(probe))
                add_row(light, x0 - begin, lit, q * height * width + at, width)
                for m in range(modes):
                    correlate_row(
                        delta,
                        TWO * (x0 - begin),
                        pulls,
                        TWO * (m * height * width + at),
                        changes,
                        TWO * ((b * modes + m) * height * width + at),
                        probes,
                        TWO * ((q * modes + m) * height * width + at),
                        images,
                        TWO * (y * stride + x0),
                        TWO * width,
                    )
                count = max(count, x0 - begin + width)
        settle_row(images, TWO * (y * stride + begin), delta, light, count, weights)


@compiled
def move_probe(probe: Any, pull: Any, light: Any, step: Any, alpha: Any) -> None:
    """Add pull[m] * step / ((1 - alpha) light + alpha max light) to probe[m]."""
    probes, pulls, lights, size = flat(probe), flat(pull), flat(light), U(light.size)
    rest, floor = np.float32(1 - alpha), np.float32(alpha) * peaks(lights, light.size)[0]
    factor = np.empty(light.size, np.float32)
    for x in range(size):
        factor[x] = np.float32(step) / (rest * lights[x] + floor)
    for m in range(U(len(probe))):
        for x in range(size):
            i = TWO * (m * size + x)
            probes[i] += pulls[i] * factor[x]
            probes[i + ONE] += pulls[i + ONE] * factor[x]
