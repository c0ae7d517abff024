"""What the measured photons say of lattices: see `photons`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.assess.photons import Object, by_channel, paired_t
from napari_ptycho.assess.rectangle import smallest_rectangle
from napari_ptycho.engines.referee import Referee
from napari_ptycho.model.arrays import Bools, Floats

LATTICE_T = 4.0
"""Of t of a lattice: some 100 of them are tried (one in 300 by chance, for all together)."""
LATTICE_DB = 3.0
"""Of a lattice over other waves of its length: else the image is wrong there, but in no lattice."""
LIKELY_T = 3.0  # of the linear estimate, from which on a lattice is tried in earnest
TRIED = 12
LOCAL_PX = 6.0  # sigma of the places that the map tells apart
RING = 0.04  # half width of the ring that a wave is compared with, in cycles per pixel
Pair = tuple[float, float]
Wave = tuple[NDArray[np.complex128], NDArray[np.complex128]]


@dataclass(frozen=True)
class Lattice:
    """A lattice by which the photons want the phase to change."""

    period_px: tuple[float, float]
    """(y, x) of the period that it belongs to."""
    orders: tuple[int, int]
    """(k, l): its waves run k times per period along y and l times along x, in all directions."""
    rms: float
    """How strong the change is that the photons want, in rad (or as a share)."""
    t: float
    """Above `LATTICE_T`: the frames are likelier with that change."""
    db: float
    """How far the wish stands out of those at the same spatial frequency."""
    in_original: bool = False
    """Whether the photons want the same, half as much at least, of the image before."""

    @property
    def wrong(self) -> bool:
        """Whether the image has a lattice there that the sample has not, or lacks one."""
        return self.t > LATTICE_T and self.db > LATTICE_DB

    @property
    def contradicted(self) -> bool:
        """Whether that is the doing of what made the image."""
        return self.wrong and not self.in_original


def beside(found: Sequence[Lattice], before: Sequence[Lattice]) -> tuple[Lattice, ...]:
    """Mark the lattices that were wrong in the original already."""
    known = {(one.period_px, one.orders): one.t for one in before}
    return tuple(
        replace(one, in_original=known.get((one.period_px, one.orders), 0.0) > one.t / 2)
        for one in found
    )


def lattices(
    referee: Referee,
    image: Object,
    area: Bools,
    periods: Sequence[float | Pair],
    channel: str = "phase",
) -> tuple[Lattice, ...]:
    """Ask the photons for lattices that are wrong in an image, the least likely first.

    Of each lattice, the waves (+-k, +-l) / period that no shorter period has, the amplitudes that
    the photons want added are A = sum w g exp(-i k r) / sum w F, with the score g and the
    information F of the phase, over a smooth window w. What the sample itself has at these
    frequencies does not matter. Those that stand out are then tried on all frames.

    Args:
        referee: The photons.
        image: (H, W) complex object.
        area: (H, W) bool, where there is light.
        periods: In pixels: a number, or (y, x).
        channel: "phase" or "amplitude".
    """
    score, information = by_channel(referee.slope(image), image, channel)
    turn = 1.0 if channel == "amplitude" else 1j
    window = _window(area)
    total, asked = float((window * information).sum()), window * score
    rings = _Rings(asked / np.sqrt((window**2 * information).sum()))
    found = []
    for period in periods:
        y, x = (float(side) for side in np.broadcast_to(np.asarray(period, float), 2))
        for k, ell in _orders(y, x):
            waves = _waves(area.shape, k / y, ell / x)
            wished = [_amplitude(asked, wave) / total for wave in waves]
            wave = sum(
                np.outer(a * down, across).real
                for a, (down, across) in zip(wished, waves, strict=True)
            )
            wave = np.where(area, wave * _doubled(k / y, ell / x), 0)
            power = float((information * wave**2).sum())
            gain = float((score * wave).sum()) - power / 2
            rms = float(np.sqrt(np.mean(wave[area] ** 2)))
            t = gain / np.sqrt(power) if power > 0 else 0.0
            db = rings.stands_out(k / y, ell / x)
            found.append((Lattice((y, x), (k, ell), rms, float(t), db), wave))
    found.sort(key=lambda one: -one[0].t)
    likely = [one for one in found[:TRIED] if one[0].t > LIKELY_T]
    as_it_is = referee.costs(image) if likely else np.zeros(0)
    tried = [lattice for lattice, _ in found[len(likely) :]]
    for lattice, wave in likely:
        gap = as_it_is - referee.costs(image * np.exp(turn * wave))
        tried.append(replace(lattice, t=float(paired_t(gap)[0])))
    return tuple(sorted(tried, key=lambda one: -one.t))


def lattice_map(
    referee: Referee,
    image: Object,
    area: Bools,
    found: Sequence[Lattice],
    channel: str = "phase",
) -> Floats:
    """Map how strong lattices are that the photons want gone: (H, W) rms, NaN outside.

    As the sums of `lattices`, over Gaussians of 6 pixels instead of the window: A(r) = G * (g
    exp(-i k r)) / G * F, in rad, or as a share of the amplitude.

    Args:
        referee: The photons.
        image: (H, W) complex object.
        area: (H, W) bool, where there is light.
        found: The lattices that are mapped, all in one.
        channel: "phase" or "amplitude".
    """
    score, information = by_channel(referee.slope(image), image, channel)
    score, information = (np.where(area, one, 0) for one in (score, information))
    known = scipy.ndimage.gaussian_filter(information, LOCAL_PX) + 1e-30
    power = np.zeros(area.shape)
    for one in found:
        fy, fx = (k / side for k, side in zip(one.orders, one.period_px, strict=True))
        for down, across in _waves(area.shape, fy, fx):
            turned = score * down.conj()[:, None] * across.conj()
            wished = scipy.ndimage.gaussian_filter(turned, LOCAL_PX) / known
            power += _doubled(fy, fx) * np.abs(wished) ** 2
    return np.where(area, np.sqrt(power), np.nan)


class _Rings:
    """Power of an image at single spatial frequencies, over that of its surroundings."""

    def __init__(self, image: Floats) -> None:
        self.image = image
        self.power = np.abs(scipy.fft.fft2(image)) ** 2
        self.radius = np.hypot(
            scipy.fft.fftfreq(image.shape[0])[:, None], scipy.fft.fftfreq(image.shape[1])
        )

    def stands_out(self, fy: float, fx: float) -> float:
        """Return the mean power of (+-fy, +-fx) over the mean of their ring, in dB."""
        waves = _waves(self.image.shape, fy, fx)
        powers = [np.abs(_amplitude(self.image, wave)) ** 2 for wave in waves]
        ring = np.abs(self.radius - np.hypot(fy, fx)) < RING
        around = np.median(self.power[ring]) / np.log(2) if ring.any() else 0.0
        return float(10 * np.log10((np.mean(powers) + 1e-30) / (around + 1e-30)))


def _orders(y: float, x: float) -> list[tuple[int, int]]:
    """Return orders (k, l) of a period up to half a cycle per pixel that no half period has."""
    most = [(k, ell) for k in range(int(y / 2) + 1) for ell in range(int(x / 2) + 1) if k or ell]
    if max(y, x) <= 2:
        return most
    if y != round(y) or x != round(x):  # the steps of a scan: the first orders
        return [order for order in most if max(order) == 1]
    return [(k, ell) for k, ell in most if k % 2 or ell % 2]


def _window(area: Bools) -> Floats:
    """Return a smooth window over the area, (H, W)."""
    window = np.zeros(area.shape)
    box = smallest_rectangle(area)
    sides = [np.hanning(side.stop - side.start + 2)[1:-1] for side in box]
    window[box] = sides[0][:, None] * sides[1]
    return np.where(area, window, 0)


def _waves(shape: tuple[int, ...], fy: float, fx: float) -> list[Wave]:
    """Return the waves of (fy, fx) and (-fy, fx) cycles per pixel, if they differ.

    Each as its course down (H,) and across (W,) the image.
    """
    across = np.exp(2j * np.pi * fx * np.arange(shape[1]))
    signs = (1,) if fy in (0, 0.5) or fx in (0, 0.5) else (1, -1)
    return [(np.exp(2j * np.pi * sign * fy * np.arange(shape[0])), across) for sign in signs]


def _amplitude(image: Floats, wave: Wave) -> complex:
    """Return sum image exp(-i k r)."""
    return complex(wave[0].conj() @ image @ wave[1].conj())


def _doubled(fy: float, fx: float) -> int:
    """Return 2 where a wave has a conjugate of its own, else 1."""
    return 1 if fy in (0, 0.5) and fx in (0, 0.5) else 2
