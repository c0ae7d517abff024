"""What is inspected: one image with its pixels, where it is known, and what was done to it."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho import io
from napari_ptycho.engines.options import DipOptions
from napari_ptycho.errors import OptionsError
from napari_ptycho.model import Reconstruction
from napari_ptycho.model.arrays import Bools, frozen
from napari_ptycho.physics.align import illuminated

Channel = Literal["phase", "amplitude", "complex", "phasor"]
CHANNELS: tuple[str, ...] = get_args(Channel)
LEAST_PX = 16
SAME = 1e-3  # pixel sizes that differ by less than this share are the same
Pair = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Plane:
    """An image to inspect.

    Raises:
        OptionsError: It is none: not (H, W), too small, constant, or NaN where it is known.
    """

    data: NDArray[Any]
    """(H, W) float64, or complex128."""
    name: str = "image"
    pixel_m: Pair | None = None
    """Pixel (height, width) in metres, None if unknown."""
    area: Bools = field(default_factory=lambda: np.ones((0, 0), bool))
    """(H, W) bool, where it is known; everywhere by default."""
    processed: str = ""
    """What was done to it after it was measured, as "denoised (arch1)"; "" if nothing is known."""
    of: Reconstruction | None = None
    """What it shows, if it is a channel of a reconstruction."""
    channel: str = "image"
    about: Mapping[str, Any] = field(default_factory=dict)
    """How it came about, as far as that is known: of a reconstruction, its provenance."""

    def __post_init__(self) -> None:
        data = np.asarray(self.data)
        if data.ndim != 2 or data.dtype.kind not in "buifc":
            raise OptionsError(
                f"{self.name}: {data.dtype} of shape {data.shape}; need one image (H, W) of numbers"
            )
        if min(data.shape) < LEAST_PX:
            raise OptionsError(
                f"{self.name}: {data.shape[0]} x {data.shape[1]} pixels; need at least "
                f"{LEAST_PX} x {LEAST_PX}: take a larger region, or the whole image"
            )
        kind = np.complex128 if data.dtype.kind == "c" else np.float64
        area = np.asarray(self.area, bool) if self.area.size else np.ones(data.shape, bool)
        if area.shape != data.shape:
            raise OptionsError(
                f"{self.name}: {data.shape} pixels, but where it is known has {area.shape}; need "
                "the same"
            )
        finite = np.isfinite(data)
        broken = int((~finite & area).sum())
        if broken:
            raise OptionsError(f"{self.name}: {broken} pixels are NaN or infinite; mend them first")
        data = np.where(finite, data, 0)
        known = data[area]
        if not known.size or (known == known[0]).all():
            raise OptionsError(
                f"{self.name}: all pixels have the same value; choose another image or region"
            )
        object.__setattr__(self, "data", frozen(data, kind))
        object.__setattr__(self, "area", frozen(area, bool))

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        h, w = self.data.shape
        return h, w

    def cut(self, rows: slice, columns: slice) -> "Plane":
        """Return a rectangle of it.

        Raises:
            OptionsError: It is too small, or constant.
        """
        part = self.data[rows, columns], self.area[rows, columns]
        return replace(self, data=part[0], area=part[1])


def plane_of(reconstruction: Reconstruction, channel: str = "phase") -> Plane:
    """Return a channel of a reconstruction, without global phase and ramp.

    Args:
        reconstruction: The reconstruction.
        channel: "phase" (unwrapped where it wraps), "amplitude", "complex", or "phasor":
            exp(i phase), which needs no unwrapping.

    Raises:
        OptionsError: There is no such channel.
    """
    if channel not in CHANNELS:
        raise OptionsError(f"no channel is called '{channel}'; there is {', '.join(CHANNELS)}")
    from napari_ptycho.denoise.subject import subject_of  # takes half a second to import

    shown = subject_of(reconstruction, "complex" if channel == "phasor" else channel).shown
    assert shown is not None  # of a reconstruction it never is
    if channel == "phasor":
        shown = np.exp(1j * np.angle(shown))
    return Plane(
        data=shown,
        name=reconstruction.name,
        pixel_m=reconstruction.pixel_size_m,
        area=illuminated(reconstruction),
        processed=processing(reconstruction.provenance),
        of=reconstruction,
        channel=channel,
        about=reconstruction.provenance,
    )


def read_plane(path: str | os.PathLike[str], channel: str = "phase") -> Plane:
    """Read an image to inspect: a TIFF or NPY, or a channel of a reconstruction.

    Raises:
        FileError: The file is absent, broken, or of no known format.
        OptionsError: It holds no image that can be inspected.
    """
    name = Path(path).name
    if not io.is_image(path):
        return replace(plane_of(io.read_reconstruction(path), channel), name=name)
    about = io.about_image(path)
    return Plane(io.read_image(path), name=name, processed=processing(about), about=about)


def processing(provenance: Mapping[str, Any]) -> str:
    """Return what was done to an image after it was measured, in a few words; "" if nothing."""
    done = provenance.get("denoised")
    methods = [_method(entry.get("settings", {})) for entry in recipes(provenance)]
    words = [f"denoised ({', '.join(filter(None, methods)) or 'unknown method'})"] if done else []
    words += [word for word in ("predicted", "filtered") if provenance.get(word)]
    priors = regularised(provenance)
    words += [f"regularised ({', '.join(priors)})"] if priors else []
    return ", ".join(words)


def regularised(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what engines have smoothed the object with, in the order of the runs."""
    found: list[str] = []
    runs = provenance.get("runs")
    for run in runs if isinstance(runs, list | tuple) else ():
        if not isinstance(run, Mapping):
            continue
        options = run.get("options")
        options = options if isinstance(options, Mapping) else {}
        found += [DipOptions.title] if run.get("engine") == DipOptions.title else []
        found += [f"denoiser = {options['denoiser']}"] if _on(options, "denoiser") else []
        found += [name for name in ("total_variation", "smoothness") if _on(options, name)]
    return tuple(dict.fromkeys(found))


def _on(options: Mapping[str, Any], name: str) -> bool:
    return options.get(name) not in (None, "none", 0, False)


def recipes(provenance: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return how an image was denoised, step by step, as far as a provenance tells."""
    done = provenance.get("denoised")
    steps = done if isinstance(done, list) else []  # other programs write other things there
    return [step for step in steps if isinstance(step, Mapping)]


def _method(settings: Any) -> str:
    if not isinstance(settings, Mapping):
        return ""
    return str(settings.get("architecture") or settings.get("method") or settings.get("title", ""))


def matched(first: Plane, second: Plane) -> tuple[Plane, Plane, tuple[str, ...]]:
    """Bring two images onto the same pixels, and say what it took.

    Images of other pixel sizes are resampled (cubic splines) to the coarser pixel; of other shapes,
    the common middle is taken.

    Raises:
        OptionsError: One pixel size is known and the other is not, but the shapes differ.
    """
    notes: list[str] = []
    sizes = first.pixel_m, second.pixel_m
    if None in sizes and sizes != (None, None) and first.shape != second.shape:
        unknown = first if sizes[0] is None else second
        raise OptionsError(
            f"{first.name} has {first.shape} pixels and {second.name} {second.shape}, and the "
            f"pixel size of {unknown.name} is unknown; need equal shapes, or both pixel sizes"
        )
    if sizes[0] and sizes[1] and not np.allclose(sizes[0], sizes[1], rtol=SAME, atol=0):
        target = max(sizes[0][0], sizes[1][0]), max(sizes[0][1], sizes[1][1])
        first, second = (_resampled(plane, target, notes) for plane in (first, second))
    if first.shape != second.shape:
        h, w = np.minimum(first.shape, second.shape).tolist()
        notes.append(
            f"{first.shape[0]} x {first.shape[1]} and {second.shape[0]} x {second.shape[1]} "
            f"pixels: the middle {h} x {w} are compared"
        )
        first, second = _middle(first, h, w), _middle(second, h, w)
    return first, second, tuple(notes)


def _resampled(plane: Plane, pixel: Pair, notes: list[str]) -> Plane:
    assert plane.pixel_m is not None  # asked before
    factors = plane.pixel_m[0] / pixel[0], plane.pixel_m[1] / pixel[1]
    if np.allclose(factors, 1, rtol=SAME):
        return plane
    sizes = [f"{side * 1e9:.4g}" for side in (plane.pixel_m[0], pixel[0])]
    notes.append(f"{plane.name} was resampled from {sizes[0]} nm pixels to {sizes[1]} nm")
    soft = [max(0.0, (1 / factor - 1) / 2) for factor in factors]  # no finer than the new pixels
    data = _zoomed(scipy.ndimage.gaussian_filter(plane.data, soft), factors, 3)
    area = _zoomed(plane.area.astype(np.float64), factors, 1) > 0.5
    return replace(plane, data=data, area=area, pixel_m=pixel)


def _zoomed(
    image: NDArray[Any], factors: tuple[float, float], order: Literal[1, 3]
) -> NDArray[Any]:
    """Resample about the middle by exactly these factors (`ndimage.zoom` rounds them)."""
    steps = [1 / factor for factor in factors]
    shape = [math.floor(n / step + SAME) for n, step in zip(image.shape, steps, strict=True)]
    sides = zip(image.shape, shape, steps, strict=True)
    start = [(n - 1) / 2 - step * (m - 1) / 2 for n, m, step in sides]
    found = scipy.ndimage.affine_transform(
        image, steps, start, tuple(shape), order=order, mode="mirror"
    )
    return np.asarray(found)


def _middle(plane: Plane, h: int, w: int) -> Plane:
    y, x = (plane.shape[0] - h) // 2, (plane.shape[1] - w) // 2
    return plane.cut(slice(y, y + h), slice(x, x + w))
