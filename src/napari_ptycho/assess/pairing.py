"""The fit behind a registration: what turns one image into another, by least squares."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.model.arrays import Bools, Floats
from napari_ptycho.options import Options

Image = NDArray[Any]
SMOOTH_PX = 1.0  # both are smoothed alike to estimate: less noise, and slopes that are slopes
EDGE_PX = 3  # so far from the border of the area smoothing reaches
PAD_PX = 16
KNOWN = 0.9  # a tenth of a pixel beyond the border is still known
LEAST_PX = 64
FARTHEST = 0.3  # share of a side: what is shifted further shares too little
ROUNDS, ENOUGH_PX = 15, 1e-3
UPSAMPLE = 100


@dataclass(frozen=True)
class AlignOptions(Options):
    """What two images may differ in without being different."""

    shift: Annotated[bool, "Remove a shift, to a hundredth of a pixel."] = True
    phase: Annotated[bool, "Remove a constant: the global phase, or the offset of an image."] = True
    ramp: Annotated[bool, "Remove a ramp: the phase ramp, or a slope over an image."] = True
    scale: Annotated[bool, "Remove a factor: the global amplitude, or the contrast."] = True


@dataclass(frozen=True)
class Fit:
    """What turns an image into another, and how well."""

    shift: Floats
    ramp: Floats
    scale: complex
    offset: float
    error: float


class Pairing:
    """Two images to fit, smoothed; real and complex ones differ in what a ramp is."""

    def __init__(
        self, reference: Image, image: Image, areas: tuple[Bools, Bools], options: AlignOptions
    ) -> None:
        self.options, self.areas = options, areas
        self.complex = reference.dtype.kind == "c"
        h, w = reference.shape
        self.y = np.arange(h)[:, None] - h / 2 + np.zeros((1, w))
        self.x = np.arange(w)[None, :] - w / 2 + np.zeros((h, 1))
        self.coarse = np.zeros(2)
        if self.complex and options.ramp:
            self.coarse = _step(reference, areas[0]) - _step(image, areas[1])
        self.target = scipy.ndimage.gaussian_filter(reference, SMOOTH_PX)
        self.image = scipy.ndimage.gaussian_filter(self.unramped(image), SMOOTH_PX)

    def unramped(self, image: Image) -> Image:
        """Return an image with the coarse ramp applied; that of real images is fitted later."""
        if not self.coarse.any():
            return image
        return np.asarray(image * np.exp(1j * (self.coarse[0] * self.y + self.coarse[1] * self.x)))

    def starts(self) -> list[Floats]:
        """Return shifts to begin with: none, and where two kinds of correlation peak."""
        if not self.options.shift:
            return [np.zeros(2)]
        from skimage.registration import phase_cross_correlation

        first = self._bare(self.target, self.areas[0])
        second = self._bare(self.image, self.areas[1])
        found = [np.zeros(2)]
        for norm in (None, "phase"):
            shift = phase_cross_correlation(
                first, second, upsample_factor=UPSAMPLE, normalization=norm
            )[0]
            if (np.abs(shift) <= FARTHEST * np.array(first.shape)).all():
                found.append(np.asarray(shift, np.float64))
        return found

    def _bare(self, image: Image, area: Bools) -> Image:
        """Return an image without its mean (and slope, where one may be removed), 0 outside."""
        columns = [np.ones(int(area.sum()))]
        if self.options.ramp and not self.complex:
            columns += [self.y[area], self.x[area]]
        system = np.stack(columns, axis=1)
        found = np.linalg.lstsq(system.T @ system, system.T @ image[area], rcond=None)[0]
        bare = np.zeros_like(image)
        bare[area] = image[area] - system @ found
        return bare

    def common(self, shift: Floats) -> Bools:
        """Return where both are known after a shift."""
        return np.asarray(self.areas[0] & _moved_area(self.areas[1], shift))

    def best(self) -> Fit:
        """Return the fit with the least error, from the most promising start."""
        starts = self.starts()
        first = [self.fit(shift, 1) for shift in starts]
        found = self.fit(min(first, key=lambda one: one.error).shift, ROUNDS)
        return found if np.isfinite(found.error) else self.fit(np.zeros(2), 1)

    def fit(self, shift: Floats, rounds: int) -> Fit:
        """Return the best of some Gauss-Newton rounds."""
        best = Fit(shift, np.zeros(2), 1, 0, np.inf)
        ramp = np.zeros(2)
        for _ in range(rounds):
            area = _inner(self.common(shift))
            if area.sum() < LEAST_PX:
                break
            moved = shifted(self.image, shift)
            one = self._complex if self.complex else self._real
            fit, move, more = one(moved, area, shift, ramp)
            best = min(best, fit, key=lambda each: each.error)
            shift, ramp = shift + np.clip(move, -1, 1), ramp + more
            if np.abs([*move, *(more * area.shape)]).max() < ENOUGH_PX:
                break
        return best

    def _real(
        self, moved: Image, area: Bools, shift: Floats, ramp: Floats
    ) -> tuple[Fit, Floats, Floats]:
        """Return the linear part of a real fit at this shift, and how to go on."""
        options = self.options
        target, flat = self.target[area], moved[area]
        columns = [np.ones_like(flat)] * options.phase
        columns += [self.y[area], self.x[area]] * options.ramp
        columns += [flat] * options.scale
        wanted = target if options.scale else target - flat
        found, rest = _solved(columns, wanted)
        values = iter(found)
        offset = next(values) if options.phase else 0.0
        slope = np.array([next(values), next(values)]) if options.ramp else np.zeros(2)
        scale = next(values) if options.scale else 1.0
        level = target - target.mean()
        fit = Fit(shift, slope, complex(scale), float(offset), ratio(rest, level))
        if not options.shift:
            return fit, np.zeros(2), np.zeros(2)
        slopes = [-scale * part[area] for part in np.gradient(moved)]
        move = _solved([*slopes, *columns], rest)[0][:2]
        return fit, move, np.zeros(2)

    def _complex(
        self, moved: Image, area: Bools, shift: Floats, ramp: Floats
    ) -> tuple[Fit, Floats, Floats]:
        """Return the factor of a complex fit at this shift and ramp, and how to go on."""
        options = self.options
        turned = moved * np.exp(1j * (ramp[0] * self.y + ramp[1] * self.x))
        target, flat = self.target[area], turned[area]
        scale = _factor(flat, target, options)
        rest = target - scale * flat
        fit = Fit(shift, self.coarse + ramp, scale, float(np.angle(scale)), ratio(rest, target))
        columns = [-part[area] for part in np.gradient(turned)] * options.shift
        columns += [1j * self.y[area] * flat, 1j * self.x[area] * flat] * options.ramp
        free = len(columns)
        columns += [1j * flat] * options.phase + [flat] * options.scale
        found = _solved([scale * column for column in columns], rest)[0][:free]
        move = found[:2] if options.shift else np.zeros(2)
        return fit, move, found[-2:] if options.ramp else np.zeros(2)

    def applied(self, image: Image, fit: Fit) -> Image:
        """Return an image, not smoothed, after a fit."""
        moved = shifted(self.unramped(image), fit.shift)
        if not self.complex:
            return fit.scale.real * moved + fit.offset + fit.ramp[0] * self.y + fit.ramp[1] * self.x
        ramp = fit.ramp - self.coarse
        return np.asarray(fit.scale * moved * np.exp(1j * (ramp[0] * self.y + ramp[1] * self.x)))


def shifted(image: Image, shift: Floats) -> Image:
    """Return an image (H, W) moved by (y, x) pixels: whole ones by rolling, the rest by Fourier."""
    whole = np.rint(shift)
    image = np.roll(image, whole.astype(int), axis=(0, 1))
    part = shift - whole
    if not part.any():
        return image
    padded = np.pad(image, PAD_PX, mode="linear_ramp", end_values=image.mean())
    ky, kx = (
        scipy.fft.fftfreq(padded.shape[0])[:, None],
        scipy.fft.fftfreq(padded.shape[1])[None, :],
    )
    turn = np.exp(-2j * np.pi * (ky * part[0] + kx * part[1]))
    moved = scipy.fft.ifft2(scipy.fft.fft2(padded) * turn)[PAD_PX:-PAD_PX, PAD_PX:-PAD_PX]
    return np.asarray(moved if image.dtype.kind == "c" else moved.real)


def _moved_area(area: Bools, shift: Floats) -> Bools:
    """Return an area after a shift; what comes from outside is not known."""
    if not shift.any():
        return area
    moved = scipy.ndimage.shift(area.astype(np.float32), shift, order=1, mode="grid-constant")
    return np.asarray(moved > KNOWN)


def _inner(area: Bools) -> Bools:
    """Return an area without its border, unless it is hardly more than a border."""
    inner = np.asarray(scipy.ndimage.binary_erosion(area, iterations=EDGE_PX))
    return inner if inner.sum() >= LEAST_PX else area


def _step(image: Image, area: Bools) -> Floats:
    """Return the mean phase step (y, x) between neighbours in rad, which no shift changes."""
    lit = np.where(area, image, 0)
    rows, columns = (lit[1:] * lit[:-1].conj()).sum(), (lit[:, 1:] * lit[:, :-1].conj()).sum()
    return np.angle(np.array([rows, columns]))


def _factor(flat: Image, target: Image, options: AlignOptions) -> complex:
    product, power = np.vdot(flat, target), float(np.vdot(flat, flat).real)
    if options.phase and options.scale:
        return complex(product / power)
    if options.phase:
        return complex(np.exp(1j * np.angle(product)))
    return complex(product.real / power) if options.scale else 1.0 + 0.0j


def _solved(columns: list[Image], target: Image) -> tuple[Floats, Image]:
    """Return real coefficients of columns by least squares, and what is left of the target."""
    if not columns:
        return np.zeros(0), target
    sizes = np.array([max(float(np.linalg.norm(column)), 1e-300) for column in columns])
    system = np.stack(columns, axis=1) / sizes
    gram, right = (system.conj().T @ system).real, (system.conj().T @ target).real
    found = np.linalg.lstsq(gram, right, rcond=1e-12)[0]
    return found / sizes, target - system @ found


def ratio(rest: Image, level: Image) -> float:
    """Return how large one set of numbers is beside another."""
    return float(np.linalg.norm(rest) / max(float(np.linalg.norm(level)), 1e-300))
