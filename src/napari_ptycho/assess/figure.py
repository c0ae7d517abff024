"""Pictures for reports and papers: an image with its scale bar and its colour bar."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import OptionsError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, PAPER, UNKNOWN = "#e6e6e6", "#262930", "#4a4d55"
WIDE_IN, DPI = 6.4, 150


def scale_bar(width_px: int, pixel_m: float | None) -> tuple[float, str]:
    """Return length in pixels and label of a bar of about a fifth of the width.

    The length is 1, 2 or 5 times a power of ten, in nm or um, or px where the scale is unknown.
    """
    unit = 1.0 if pixel_m is None else pixel_m
    target = width_px * unit / 5
    power = 10.0 ** np.floor(np.log10(target))
    length = power * max(step for step in (1, 2, 5) if step * power <= target * (1 + 1e-9))
    if pixel_m is None:
        return length, f"{length:.0f} px"
    if length < 0.9999e-6:
        return length / unit, f"{length * 1e9:.3g} nm"
    return length / unit, f"{length * 1e6:.3g} µm"


def draw_bar(axes: Any, shape: tuple[int, ...], pixel_m: float | None) -> None:
    """Draw the scale bar into the lower left corner of an image (H, W) on matplotlib axes."""
    length, label = scale_bar(shape[1], pixel_m)
    left, bottom = 0.04 * shape[1], 0.95 * shape[0]
    box = {"facecolor": "black", "alpha": 0.55, "edgecolor": "none", "pad": 2}
    middle = left + length / 2
    above = bottom - 0.02 * shape[0]
    axes.plot([left, left + length], [bottom, bottom], color="black", lw=5, alpha=0.55)
    axes.plot([left, left + length], [bottom, bottom], color="white", lw=3)
    axes.text(middle, above, label, color="white", ha="center", va="bottom", fontsize=9, bbox=box)


def map_figure(
    image: NDArray[Any],
    pixel_m: tuple[float, float] | None,
    title: str,
    unit: str,
    limits: tuple[float, float],
    colormap: str,
) -> "Figure":
    """Return a figure of a map (H, W) with scale bar and colour bar; NaN is grey.

    Args:
        image: Real values.
        pixel_m: Pixel (height, width) in metres; None gives a bar in pixels.
        title: Over the image.
        unit: Of the values, along the colour bar.
        limits: Values at the ends of the colour bar.
        colormap: A name that matplotlib knows.

    Raises:
        OptionsError: matplotlib knows no such colormap.
    """
    import matplotlib
    from matplotlib.figure import Figure

    if colormap not in matplotlib.colormaps:
        raise OptionsError(f"no colormap is called '{colormap}'; see matplotlib's list")
    colours = matplotlib.colormaps[colormap].with_extremes(bad=UNKNOWN)
    ratio = 1.0 if pixel_m is None else pixel_m[0] / pixel_m[1]
    h, w = image.shape
    high = min(max(WIDE_IN * 0.8 * h * ratio / w, 1.6), 3 * WIDE_IN) + 0.5
    figure = Figure(figsize=(WIDE_IN, high), dpi=DPI, facecolor=PAPER, layout="constrained")
    axes = figure.subplots()
    low, top = limits
    shown = axes.imshow(
        np.ma.masked_invalid(image),
        cmap=colours,
        vmin=low,
        vmax=top,
        interpolation="nearest",
        aspect=ratio,
    )
    axes.set_title(title, color=INK, fontsize=10, parse_math=False)
    axes.set_axis_off()
    draw_bar(axes, image.shape, None if pixel_m is None else pixel_m[1])
    bar = figure.colorbar(shown, ax=axes, shrink=0.9, pad=0.02)
    bar.ax.tick_params(colors=INK, labelsize=8)
    bar.set_label(unit, color=INK, fontsize=9)
    bar.outline.set_visible(False)
    return figure
