"""Complex images in colour: the phase is the hue, the amplitude the brightness.

The hues are a circle of one lightness and one chroma in Oklab, a perceptual colour space (B.
Ottosson 2020, https://bottosson.github.io/posts/oklab): equal steps of phase look equal, no phase
looks brighter than another, and -pi and pi are one colour.
"""

from functools import cache
from math import tau

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.gui.views import Image

HUES, SHADES = 256, 128
LIGHTNESS, CHROMA = 0.75, 0.12  # the most colourful circle that screens can show
TO_LMS = np.array(
    [
        (1, 0.3963377774, 0.2158037573),
        (1, -0.1055613458, -0.0638541728),
        (1, -0.0894841775, -1.2914855480),
    ]
)
TO_RGB = np.array(
    [
        (4.0767416621, -3.3077115913, 0.2309699292),
        (-1.2684380046, 2.6097574011, -0.3413193965),
        (-0.0041960863, -0.7034186147, 1.7076147010),
    ]
)


@cache
def circle(shades: int = SHADES, hues: int = HUES) -> NDArray[np.uint8]:
    """Return the colours (shades * hues, 3) in sRGB: all hues in black, ..., all hues in full."""
    angle = (np.arange(hues) + 0.5) * (tau / hues) - tau / 2
    full = np.stack(
        [np.full(hues, LIGHTNESS), CHROMA * np.cos(angle), CHROMA * np.sin(angle)], axis=-1
    )
    shade = np.linspace(0, 1, shades)[:, None, None]
    linear = np.clip(((shade * full) @ TO_LMS.T) ** 3 @ TO_RGB.T, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(255 * curved), np.uint8).reshape(-1, 3)


def in_colour(phase: Image, amplitude: Image, brightest: float) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) in sRGB.

    Args:
        phase: (H, W) rad.
        amplitude: (H, W).
        brightest: Amplitude in full colour; no amplitude is black.
    """
    hue = np.floor(phase * (HUES / tau) + HUES / 2).astype(np.int32) % HUES
    shade = amplitude * ((SHADES - 1) / max(brightest, 1e-12))
    row = np.clip(np.rint(shade), 0, SHADES - 1).astype(np.int32)
    return circle().take(row * HUES + hue, axis=0)
