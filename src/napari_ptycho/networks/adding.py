"""The stitcher's sums on a CPU (numba): moving and adding in one pass over each patch.

In torch the same takes about ten passes, and as long as a small network itself.
"""

from typing import Any

import numpy as np

from napari_ptycho.physics.loops import compiled


@compiled
def put(sums: Any, patches: Any, weight: Any, whole: Any, fractions: Any) -> None:
    """Add patches to the sums in place, as `Stitcher.add` defines them; numpy arrays.

    Args:
        sums: (H, W, 4) real.
        patches: (B, h, w) complex.
        weight: (h, w) real.
        whole: (B, 2) corners.
        fractions: (B, 2) what is left of them, 0..1; windows with any take one pixel more.
    """
    count, h, w = patches.shape
    above = np.zeros((w + 2, 3))  # the row before, weighted; a pixel of zeros on both sides
    here = np.zeros((w + 2, 3))
    for b in range(count):
        y0, x0 = whole[b]
        down, right = fractions[b]
        rows, columns = h + (1 if down > 0 else 0), w + (1 if right > 0 else 0)
        above[:] = 0
        for y in range(rows):
            for x in range(w):
                light = weight[y, x] if y < h else 0.0
                here[x + 1, 0] = light * patches[b, y, x].real if y < h else 0.0
                here[x + 1, 1] = light * patches[b, y, x].imag if y < h else 0.0
                here[x + 1, 2] = light
            for x in range(columns):
                a, c = (1 - down) * (1 - right), (1 - down) * right
                d, e = down * (1 - right), down * right
                real = a * here[x + 1, 0] + c * here[x, 0] + d * above[x + 1, 0] + e * above[x, 0]
                imag = a * here[x + 1, 1] + c * here[x, 1] + d * above[x + 1, 1] + e * above[x, 1]
                lit = a * here[x + 1, 2] + c * here[x, 2] + d * above[x + 1, 2] + e * above[x, 2]
                if lit > 0:
                    at = sums[y0 + y, x0 + x]
                    at[0] += real
                    at[1] += imag
                    at[2] += lit
                    at[3] += (real * real + imag * imag) / lit
            above, here = here, above
