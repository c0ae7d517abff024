"""What the FRC page runs in its thread: layers in, curves out; no exception a user could cause."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy
from napari.layers import Layer

from napari_ptycho.assess.correlation import Frc, frc
from napari_ptycho.assess.frc_options import FrcOptions
from napari_ptycho.assess.pairing import AlignOptions
from napari_ptycho.assess.plane import Plane
from napari_ptycho.assess.rings import windowed
from napari_ptycho.errors import PtychoError
from napari_ptycho.gui.planes import AS_SHOWN, Planes
from napari_ptycho.model import Curve
from napari_ptycho.model.arrays import Floats

if TYPE_CHECKING:
    from napari_ptycho.assess.two_halves import Honest

CHANNELS = (AS_SHOWN, "complex", "phasor")
SHARE = (2.0, 99.9)  # percentiles of the contrast of a spectrum
Box = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Subject:
    """A layer, and the part of it that counts."""

    layer: Layer
    box: Box | None = None


@dataclass(frozen=True, eq=False)
class Request:
    """What was asked for in the window."""

    subjects: tuple[Subject, ...]
    pair: bool
    """Whether the first two are compared; else each is correlated with itself."""
    options: FrcOptions
    align: AlignOptions | None
    channel: str = AS_SHOWN
    spectrum: bool = False


@dataclass(frozen=True, eq=False)
class Power:
    """A power spectrum, ready to show."""

    data: Floats
    """(H, W) log10 of the power, frequency 0 in the middle."""
    limits: tuple[float, float]
    """Of the contrast."""


@dataclass(frozen=True, eq=False)
class Found:
    """What came of it."""

    request: Request
    curves: tuple[Frc, ...] = ()
    errors: tuple[str, ...] = ()
    """Sentences."""
    spectrum: Power | None = None
    """Of the first image."""


def found(request: Request, planes: Planes) -> Found:
    """Correlate what was asked for; what does not work is told in `errors`."""
    images: list[Plane] = []
    curves: list[Frc] = []
    errors: list[str] = []
    for subject in request.subjects:
        try:
            plane = planes.of(subject.layer, request.channel)
            images.append(plane if subject.box is None else plane.cut(*subject.box))
            if not request.pair:
                curves.append(frc(images[-1], None, request.options))
        except PtychoError as error:
            errors.append(str(error))
    if request.pair and len(images) == 2:
        try:
            curves.append(frc(images[0], images[1], request.options, request.align))
        except PtychoError as error:
            errors.append(str(error))
    spectrum = power(images[0]) if request.spectrum and images else None
    return Found(request, tuple(curves), tuple(errors), spectrum)


def power(plane: Plane) -> Power:
    """Return the power spectrum of an image, without its mean and its edges."""
    spectrum = np.abs(scipy.fft.fftshift(scipy.fft.fft2(windowed(plane.data, "hann")))) ** 2
    data = np.log10(np.maximum(spectrum, spectrum.max() * 1e-12))
    low, high = (float(value) for value in np.percentile(data, SHARE))
    return Power(np.asarray(data), (low, max(high, low + 1e-6)))


def with_choice(honest: "Honest", options: FrcOptions) -> "Honest":
    """Return it with another threshold and convention chosen: nothing is computed."""
    threshold, convention = options.threshold, options.convention

    def chosen(one: Frc | None) -> Frc | None:
        if one is None:
            return None
        how = replace(one.options, threshold=threshold, convention=convention)
        return replace(one, options=how)

    raw, different, same = map(chosen, (honest.raw, honest.different, honest.same))
    return replace(honest, raw=raw, different=different, same=same)


def renamed(found: Sequence[Frc], curves: Sequence[Curve]) -> list[Frc]:
    """Return correlations under the names of their curves."""
    return [replace(one, label=curve.label) for one, curve in zip(found, curves, strict=False)]


def crossing_frequency(found: Sequence[Frc]) -> float | None:
    """Return where the first curve falls, in cycles per pixel of the image; None if it does not."""
    return found[0].resolutions()[1].value if found else None
