"""Fused loops for the CPU (numba): each does in one pass what torch needs five to ten for.

An FFT of 128 x 128 takes about as long as three torch passes over it, so the passes decide how fast
an engine is on a CPU. The functions work on numpy arrays and mirror the torch expressions in
`windows` and `propagate`, from where they are called; the tests compare both. Two rules keep them
fast: indices are unsigned, which spares the check for negative ones and lets inner loops vectorise,
and rows come before windows in the nesting, which keeps a row of the probe in the nearest cache.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

U = np.uint64
FUSED = {"cpu"}  # the kinds of device whose tensors go through the loops here


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use, cached on disk, without the GIL; NaN and infinity stay as they are."""
    flags = {"reassoc", "contract", "arcp", "nsz"}
    settings: dict[str, Any] = {"nogil": True, "fastmath": flags, "error_model": "numpy"}
    try:
        made: Callable[..., Any] = numba.njit(cache=True, **settings)(function)
    except RuntimeError:  # neither our folder nor the user's cache folder can be written
        made = numba.njit(**settings)(function)
    return made


@compiled
def exit_waves(image: Any, probe: Any, corners: Any, out: Any, power: Any) -> None:
    """Write out[b, m] = image window b * probe[b or 0, m], and power = sum_b |window b|^2."""
    modes, height, width = U(out.shape[1]), U(out.shape[2]), U(out.shape[3])
    for y in range(height):
        power[y, :] = 0
        for b in range(U(out.shape[0])):
            y0, x0, q = U(corners[b, 0]), U(corners[b, 1]), b % U(probe.shape[0])
            for x in range(width):
                o = image[y0 + y, x0 + x]
                power[y, x] += o.real * o.real + o.imag * o.imag
            for m in range(modes):
                for x in range(width):
                    out[b, m, y, x] = image[y0 + y, x0 + x] * probe[q, m, y, x]


@compiled
def modulus_change(wave: Any, amplitude: Any, valid: Any, ids: Any, background: Any) -> Any:
    """Replace wave (B, M, h, w) by (modulus projection - wave); return the squared misfits (B,)."""
    modes, height, width = U(wave.shape[1]), U(wave.shape[2]), U(wave.shape[3])
    row, misfits = np.empty(wave.shape[3], np.float32), np.zeros(wave.shape[0], np.float32)
    for y in range(height):
        for b in range(U(wave.shape[0])):
            n = U(ids[b])
            v = n % U(valid.shape[0])
            row[:] = background[y]
            for m in range(modes):
                for x in range(width):
                    f = wave[b, m, y, x]
                    row[x] += f.real * f.real + f.imag * f.imag
            squares = np.float32(0)
            for x in range(width):
                modulus = np.sqrt(row[x])
                target = amplitude[n, y, x]
                off = abs(target) - modulus
                least = np.float32(0) if target < 0 else np.float32(-np.inf)
                off = max(off, least) * valid[v, y, x]
                squares += off * off
                row[x] = off / modulus
            misfits[b] += squares
            for m in range(modes):
                for x in range(width):
                    wave[b, m, y, x] *= row[x]
    return misfits


@compiled
def light_of(probe: Any, out: Any) -> None:
    """Write out[b] = sum over modes of |probe[b]|^2."""
    modes, height, width = U(probe.shape[1]), U(probe.shape[2]), U(probe.shape[3])
    for b in range(U(probe.shape[0])):
        for y in range(height):
            for x in range(width):
                p = probe[b, U(0), y, x]
                out[b, y, x] = p.real * p.real + p.imag * p.imag
            for m in range(U(1), modes):
                for x in range(width):
                    p = probe[b, m, y, x]
                    out[b, y, x] += p.real * p.real + p.imag * p.imag


@compiled
def light_row(row: Any, y: Any, lit: Any, corners: Any) -> None:
    """Set row (W,) to the light on row y of the object: the sum of lit[b or 0] of all windows."""
    height, width = U(lit.shape[1]), U(lit.shape[2])
    row[:] = 0
    for b in range(U(len(corners))):
        y0, x0, q = U(corners[b, 0]), U(corners[b, 1]), b % U(lit.shape[0])
        if y0 <= y < y0 + height:
            for x in range(width):
                row[x0 + x] += lit[q, y - y0, x]


@compiled
def brightest(lit: Any, corners: Any, length: Any) -> Any:
    """Return the brightest pixel of an object with rows of this length under all windows."""
    row, top = np.empty(length, np.float32), np.zeros(length, np.float32)
    for y in range(U(corners[:, 0].min()), U(corners[:, 0].max() + lit.shape[1])):
        light_row(row, y, lit, corners)
        for x in range(U(length)):
            top[x] = max(top[x], row[x])
    return top.max()


@compiled
def update(
    image: Any, change: Any, probe: Any, corners: Any, lit: Any, weights: Any, pull: Any
) -> None:
    """Add sum_b,m conj(probe) change * step / (rest * light + floor) to the image, row by row.

    On the way, from the image as it was, pull[m] += sum_b conj(window b) change[b, m].
    weights = (step, rest, floor).
    """
    step, rest, floor = weights
    modes, height, width = U(change.shape[1]), U(change.shape[2]), U(change.shape[3])
    row, delta = np.empty(image.shape[1], np.float32), np.empty(image.shape[1], np.complex64)
    for y in range(U(corners[:, 0].min()), U(corners[:, 0].max() + change.shape[2])):
        light_row(row, y, lit, corners)
        delta[:] = 0
        for b in range(U(len(corners))):
            y0, x0, q = U(corners[b, 0]), U(corners[b, 1]), b % U(probe.shape[0])
            if y0 <= y < y0 + height:
                for m in range(modes):
                    for x in range(width):
                        d = change[b, m, y - y0, x]
                        pull[m, y - y0, x] += image[y, x0 + x].conjugate() * d
                        delta[x0 + x] += probe[q, m, y - y0, x].conjugate() * d
        for x in range(U(len(row))):
            image[y, x] += delta[x] * (step / (rest * row[x] + floor))


@compiled
def move_probe(probe: Any, pull: Any, light: Any, step: Any, alpha: Any) -> None:
    """Add pull[m] * step / ((1 - alpha) light + alpha max light) to probe[m]."""
    modes, height, width = U(probe.shape[0]), U(probe.shape[1]), U(probe.shape[2])
    top = np.zeros(probe.shape[2], np.float32)
    for y in range(height):
        for x in range(width):
            top[x] = max(top[x], light[y, x])
    rest, floor = np.float32(1) - alpha, alpha * top.max()
    for m in range(modes):
        for y in range(height):
            for x in range(width):
                probe[m, y, x] += pull[m, y, x] * (step / (rest * light[y, x] + floor))
