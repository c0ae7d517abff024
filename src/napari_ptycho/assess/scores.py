"""How alike two images are, in the numbers that papers print; each says what it means."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import scipy

from napari_ptycho.assess.plane import Plane
from napari_ptycho.assess.registration import AlignOptions, Registered, registered
from napari_ptycho.errors import OptionsError
from napari_ptycho.model.arrays import Bools, Floats
from napari_ptycho.options import Range

NOTHING = AlignOptions(shift=False, phase=False, ramp=False, scale=False)


@dataclass(frozen=True)
class MetricsOptions(AlignOptions):
    """What is removed before two images are compared, and what the numbers are relative to."""

    title: ClassVar[str] = "Numbers"

    scale: Annotated[bool, "Remove a factor. Off by default: a phase has no free factor."] = False
    span: Annotated[
        Literal["min-max", "percentiles"],
        "Data range for PSNR and SSIM: from the least to the largest value of the reference, or "
        "from its 1st to its 99th percentile.",
    ] = "min-max"
    ssim_window: Annotated[
        int, Range(3, 31, 2, unit="px"), "Side of the window of SSIM, odd (Wang et al. 2004)."
    ] = 7
    normalise: Annotated[
        Literal["euclidean", "min-max", "mean"],
        "NRMSE is the RMSE over: the root of the mean square, the span, or the mean of the "
        "reference.",
    ] = "euclidean"


@dataclass(frozen=True)
class Metric:
    """One number."""

    name: str
    """With what it is relative to, where that can be chosen."""
    value: float | None
    """None where there is none; `help` says why."""
    unit: str
    help: str
    warning: str = ""
    """Why it may mean nothing."""

    def text(self) -> str:
        """Return value and unit, or a dash."""
        return "–" if self.value is None else f"{self.value:.5g} {self.unit}".strip()


@dataclass(frozen=True, eq=False)
class Metrics:
    """All numbers of an image against a reference."""

    rows: tuple[Metric, ...]
    aligned: Registered
    options: MetricsOptions
    notes: tuple[str, ...] = ()

    def value(self, name: str) -> float | None:
        """Return the number whose name begins so.

        Raises:
            OptionsError: There is none.
        """
        for row in self.rows:
            if row.name.startswith(name):
                return row.value
        raise OptionsError(
            f"no number is called '{name}'; there is {', '.join(row.name for row in self.rows)}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return name -> value and unit, and the alignment, as plain values."""
        found = self.aligned
        return {
            "image": found.image.name,
            "reference": found.reference.name,
            "numbers": {
                row.name: {"value": row.value, "unit": row.unit, "warning": row.warning}
                for row in self.rows
            },
            "shift_px": list(found.shift_px),
            "ramp_per_px": list(found.ramp_rad),
            "scale": found.scale.real,
            "offset": found.offset,
            "options": self.options.as_dict(),
            "notes": list(self.notes),
        }


def metrics(image: Plane, reference: Plane, options: MetricsOptions | None = None) -> Metrics:
    """Compare an image with a reference, after bringing it onto the reference.

    PSNR, SSIM (Wang et al. 2004, doi:10.1109/TIP.2003.819861), MSE, RMSE, NRMSE, Pearson
    correlation, the FRC's resolution, and the noise of each; all over the pixels known in both.

    Args:
        image: What is judged.
        reference: What it should be.
        options: What is removed before, and what the numbers are relative to.

    Raises:
        OptionsError: An image is complex, they cannot be brought onto each other, the window of
            SSIM is even or larger than they are, or the reference has no span.
    """
    options = options or MetricsOptions()
    for plane in (image, reference):
        if plane.data.dtype.kind == "c":
            raise OptionsError(
                f"{plane.name} is complex; these numbers need real values: take its phase or "
                "amplitude"
            )
    found = registered(reference, image, options)
    if options.ssim_window % 2 == 0 or options.ssim_window > min(found.area.shape):
        raise OptionsError(
            f"the window of SSIM is {options.ssim_window} pixels; it must be odd, and at most the "
            f"{min(found.area.shape)} pixels of the images"
        )
    rows = [*_errors(found, options), *_structure(found, options), _frc(found)]
    return Metrics((*rows, *_noise(found)), found, options, found.notes)


def _errors(found: Registered, options: MetricsOptions) -> list[Metric]:
    target, values = found.reference.data[found.area], found.image.data[found.area]
    mse = float(np.mean((values - target) ** 2))
    span = _span(target, options)
    psnr = 10 * float(np.log10(span**2 / mse)) if mse > 0 else None
    below, of = {
        "euclidean": (float(np.sqrt(np.mean(target**2))), "the reference's root mean square"),
        "min-max": (float(np.ptp(target)), "the reference's span"),
        "mean": (abs(float(target.mean())), "the reference's mean"),
    }[options.normalise]
    root = mse**0.5
    peak = f"PSNR (range {span:.4g}, {options.span})"
    same = "" if mse else " There is none: the images are the same."
    return [
        Metric(peak, psnr, "dB", f"10 log10(range² / MSE) with the reference's range.{same}"),
        Metric("MSE", mse, "", "Mean of the squared difference."),
        Metric("RMSE", root, "", "Root of the MSE, in the unit of the images."),
        Metric(
            f"NRMSE ({options.normalise})",
            root / below if below else None,
            "",
            f"RMSE over {of}, {below:.4g}.",
        ),
    ]


def _structure(found: Registered, options: MetricsOptions) -> list[Metric]:
    from skimage.metrics import structural_similarity

    area, window = found.area, options.ssim_window
    target = np.where(area, found.reference.data, 0)
    values = np.where(area, found.image.data, 0)
    _, each = structural_similarity(
        values, target, win_size=window, data_range=_span(target[area], options), full=True
    )
    inner = _within(area, window)
    inner = inner if inner.any() else area
    one, two = target[area] - target[area].mean(), values[area] - values[area].mean()
    size = float(np.linalg.norm(one) * np.linalg.norm(two))
    return [
        Metric(
            f"SSIM (window {window} px)",
            float(each[inner].mean()),
            "",
            "Structural similarity (Wang et al. 2004), mean over windows that are known; 1 is the "
            f"same. Data range: {options.span} of the reference.",
        ),
        Metric(
            "Pearson correlation",
            float(one @ two) / size if size else None,
            "",
            "Correlation of the pixels about their means: 1 is the same but for offset and factor.",
        ),
    ]


def _frc(found: Registered) -> Metric:
    from napari_ptycho.assess.correlation import frc
    from napari_ptycho.assess.frc_options import FrcOptions

    options = FrcOptions()  # as the FRC page begins with
    name = f"FRC resolution ({options.convention}, {options.threshold})"
    about = f"The finest period up to which both agree: their FRC falls below {options.threshold}."
    try:
        curve = frc(found.reference, found.image, options, NOTHING)
    except OptionsError as error:
        return Metric(name, None, "", f"{about} There is none: {error}.")
    result = curve.resolution()
    crossing = curve.crossing()
    words = f"{about} Of this pair it {crossing.words}."
    return Metric(name, result.value, result.unit, words, " ".join(curve.warnings))


def _noise(found: Registered) -> list[Metric]:
    from napari_ptycho.denoise.noise import noise_sigma

    about = (
        "Standard deviation of white noise, by the finest diagonal details (Donoho & Johnstone "
        "1994), after both were brought onto each other."
    )
    planes = {"image": found.image, "reference": found.reference}
    return [
        Metric(f"noise σ, {which}", noise_sigma(plane.data, found.area), "", about)
        for which, plane in planes.items()
    ]


def _span(target: Floats, options: MetricsOptions) -> float:
    ends = (0.0, 100.0) if options.span == "min-max" else (1.0, 99.0)
    low, high = np.percentile(target, ends)
    if not high > low:
        raise OptionsError(
            "the reference has no span between its percentiles 1 and 99; use the span 'min-max'"
        )
    return float(high - low)


def _within(area: Bools, window: int) -> Bools:
    """Return the pixels whose window is known and lies inside the image."""
    known = scipy.ndimage.minimum_filter(area.astype(np.uint8), window, mode="constant", cval=0)
    return np.asarray(known > 0)
