"""Measures what misleads a Fourier ring correlation, and what the conventions make of it.

    python benchmarks/frc.py

Prints the tables of docs/inspect.md: one noisy image that is blurred afterwards, the conventions
beside what two images with independent noise say, and pairs that share what is no object. One
draw each of `phantoms.noisy` (star, 512 x 512); a few seconds.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_ptycho.assess.correlation import Frc, frc
from napari_ptycho.assess.frc_options import FrcOptions
from napari_ptycho.assess.plane import Plane
from napari_ptycho.phantoms import phantom

SIDE, NOISE = 512, 0.2
AFTER = (0.0, 0.4, 0.5, 0.7, 1.0)
BEFORE = (1.0, 1.5, 2.0, 3.0)
CLEAN = phantom("star", SIDE)


def noise(seed: int, sigma: float = NOISE) -> np.ndarray:
    """Return white noise (SIDE, SIDE)."""
    return np.random.default_rng(seed).normal(0, sigma, CLEAN.shape)


def one(image: np.ndarray, mode: str, threshold: str) -> Frc:
    """Correlate the parts of an image."""
    return frc(Plane(image), None, FrcOptions.of(mode, threshold=threshold))


def two(a: np.ndarray, b: np.ndarray, threshold: str = "1/7", window: str = "hann") -> Frc:
    """Correlate two images."""
    return frc(Plane(a), Plane(b), FrcOptions(threshold=threshold, window=window))


def number(value: float | None, digits: int = 3) -> str:
    """Return a number, or a dash."""
    return "none" if value is None else f"{value:.{digits}f}"


def blurred_afterwards() -> list[str]:
    """Blur noisy images: detail can only be lost."""
    lines = [
        "| blur afterwards, px | one image, siFRC's way: P | one image, standard: P | "
        "two images: f | against the truth: f |",
        "|---|---|---|---|---|",
    ]
    a, b = CLEAN + noise(0), CLEAN + noise(1)
    for sigma in AFTER:
        first, second = (gaussian_filter(each, sigma) for each in (a, b))
        found = (
            one(first, "siFRC", "half-bit (full)"),
            one(first, "standard", "half-bit (full)"),
            two(first, second),
            two(first, CLEAN, "0.5"),
        )
        cells = [number(each.crossing().first) for each in found]
        lines.append(f"| {sigma:g} | {' | '.join(cells)} |")
    return lines


def conventions() -> list[str]:
    """Blur before the noise: the finest detail is known from two images."""
    names = ("full period", "Koho", "siFRC README", "paper")
    lines = [
        f"| blur before the noise, px | two images | {' | '.join(names)} |",
        "|---|---|---|---|---|---|",
    ]
    for sigma in BEFORE:
        blurred = gaussian_filter(CLEAN, sigma)
        a, b = blurred + noise(0), blurred + noise(1)
        pair = two(a, b).resolution().value
        single = {each.name: each.value for each in one(a, "standard", "1/7").resolutions()}
        cells = [number(pair, 2), *(number(single[name], 2) for name in names)]
        lines.append(f"| {sigma:g} | {' | '.join(cells)} |")
    return lines


def pairs() -> list[str]:
    """Correlate pairs that agree for other reasons than the object."""
    a, b = CLEAN + noise(0), CLEAN + noise(1)
    pattern, ramp = noise(2), np.linspace(0, 4, SIDE)[:, None]
    lines = ["| the two images | f at 1/7 | FRC at Nyquist |", "|---|---|---|"]
    for name, found in {
        "noise of their own": two(a, b),
        "and a fixed pattern as strong as the noise": two(a + pattern, b + pattern),
        "and a slope from edge to edge, no window": frc(
            Plane(a + ramp), Plane(b + ramp), FrcOptions(threshold="1/7", window="none")
        ),
        "the same slope, Hann window": two(a + ramp, b + ramp),
        "no object, noise of their own": two(noise(0), noise(1)),
    }.items():
        lines.append(f"| {name} | {number(found.crossing().first)} | {found.at_nyquist:.2f} |")
    return lines


if __name__ == "__main__":
    print("\n\n".join("\n".join(lines) for lines in (blurred_afterwards(), conventions(), pairs())))
