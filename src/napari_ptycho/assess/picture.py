"""A reconstruction in one PNG: object, probe, error (or spread), positions, mean pattern."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import imsave
from numpy.typing import NDArray
from skimage.measure import block_reduce

from napari_ptycho.assess.figure import INK, PAPER, draw_bar
from napari_ptycho.assess.rectangle import smallest_rectangle
from napari_ptycho.io.atomic import written
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Complexes, Floats
from napari_ptycho.physics.align import flatten, illuminated
from napari_ptycho.prepare import text
from napari_ptycho.prepare.report import sampled_mean

ACCENT = "#4fc3f7"
MOST_MODES = 4


def write_picture(reconstruction: Reconstruction, scan: Scan, path: Path) -> None:
    """Draw object phase and amplitude, probe modes, errors, positions, mean pattern to a PNG.

    Args:
        reconstruction: What to draw; global phase and ramp are removed.
        scan: The scan it was made from.
        path: The file to write.

    Raises:
        FileError: The file cannot be written.
    """
    figure = Figure(figsize=(12, 8.4), dpi=120, facecolor=PAPER, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.75, 1))
    upper, lower = parts
    for part in parts:
        part.set_facecolor(PAPER)
    _draw_object(upper, reconstruction)
    _draw_below(lower, reconstruction, scan)
    figure.suptitle(numbers(reconstruction), color=INK, fontsize=11)
    with written(path) as temporary:
        canvas.print_png(temporary)


def write_thumbnail(reconstruction: Reconstruction, path: Path, side: int = 256) -> None:
    """Write the phase where the object is known to a small PNG in grey.

    Args:
        reconstruction: What to draw; global phase and ramp are removed.
        path: The file to write.
        side: Most pixels of its height and width; larger objects are averaged.

    Raises:
        FileError: The file cannot be written.
    """
    known = illuminated(reconstruction)
    area = smallest_rectangle(known)
    known, image = known[area], flatten(reconstruction)[area]
    step = -(-max(image.shape) // side)
    low, high = np.percentile(np.angle(image)[known], (0.5, 99.5))
    phase = np.angle(block_reduce(image, (step, step), np.mean))
    with written(path) as temporary:
        imsave(temporary, phase, vmin=low, vmax=max(high, low + 1e-6), cmap="gray", format="png")


def numbers(reconstruction: Reconstruction) -> str:
    """Return the line of numbers over the picture."""
    parts = [reconstruction.name, f"{len(reconstruction.positions_px)} patterns"]
    parts.append(text.plural(reconstruction.n_modes, "probe mode"))
    if reconstruction.errors:
        parts.append(f"{len(reconstruction.errors)} epochs")
        parts.append(f"error {reconstruction.errors[-1]:.4f}")
    pixel = reconstruction.pixel_size_m
    parts.append("pixel size unknown" if pixel is None else f"pixel {pixel[1] * 1e9:.3g} nm")
    return "   ·   ".join(parts)


def _draw_object(part: Any, reconstruction: Reconstruction) -> None:
    known = illuminated(reconstruction)
    area = smallest_rectangle(known)
    image, known = flatten(reconstruction)[area], known[area]
    pixel = None if reconstruction.pixel_size_m is None else reconstruction.pixel_size_m[1]
    pictures: tuple[tuple[str, NDArray[Any], str], ...] = (
        ("object phase (rad)", np.angle(image), "gray"),
        ("object amplitude", np.abs(image), "gray"),
    )
    for axes, (title, values, colours) in zip(part.subplots(1, 2), pictures, strict=True):
        low, high = np.percentile(values[known], (0.5, 99.5))
        shown = axes.imshow(values, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
        _bare(axes, title)
        draw_bar(axes, values.shape, pixel)
        bar = part.colorbar(shown, ax=axes, shrink=0.9, pad=0.01)
        bar.ax.tick_params(colors=INK, labelsize=8)
        bar.outline.set_visible(False)


def _draw_below(part: Any, reconstruction: Reconstruction, scan: Scan) -> None:
    told = told_of_positions(reconstruction)
    modes = reconstruction.probe[: MOST_MODES - (told is not None)]
    widths = [1.0] * len(modes) + [1.5] + [1.35] * (told is not None) + [1.0]
    *panels, pattern = part.subplots(1, len(widths), width_ratios=widths)
    power = (np.abs(reconstruction.probe) ** 2).sum(axis=(1, 2), dtype=np.float64)
    for number, mode in enumerate(modes):
        panels[number].imshow(in_colour(mode), interpolation="nearest")
        _bare(panels[number], f"probe {number + 1}: {100 * power[number] / power.sum():.1f} %")
    spread = reconstruction.extras.get("spread")
    if spread is not None and not reconstruction.errors:  # of a prediction
        panels[len(modes)].imshow(spread, cmap="magma", vmax=np.percentile(spread, 99.5) or None)
        _bare(panels[len(modes)], "spread of overlapping patches")
    else:
        _draw_errors(panels[len(modes)], reconstruction.errors)
    if told is not None:
        _draw_positions(part, panels[-1], reconstruction, told)
    mean = sampled_mean(scan)
    lit = mean[mean > 0]
    low = max(np.percentile(lit, 5), lit.max() / 1e6) if lit.size else 0.1
    norm = LogNorm(low, max(lit.max(initial=1), 2 * low))
    pattern.imshow(np.maximum(mean, low), norm=norm, cmap="magma", interpolation="nearest")
    _bare(pattern, f"mean pattern: {mean.sum():.3g} counts")


def _draw_errors(axes: Any, errors: tuple[float, ...]) -> None:
    _bare(axes, "error per epoch")
    axes.set_axis_on()
    axes.set_facecolor("#1c1e24")
    axes.semilogy(range(1, len(errors) + 1), errors, color=ACCENT, marker="." * (len(errors) < 30))
    axes.tick_params(colors=INK, labelsize=8, which="both")
    axes.grid(color=INK, alpha=0.15, which="both")


def told_of_positions(reconstruction: Reconstruction) -> tuple[str, Floats] | None:
    """Return what the colour of the positions means, and a value of each: shift, or else error."""
    moves = reconstruction.extras.get("position_moves_px")
    if moves is not None:
        lengths = np.hypot(*moves.T)
        return f"positions moved by {np.median(lengths):.2g} px (median)", lengths
    errors = reconstruction.extras.get("frame_errors")
    return None if errors is None else ("error of each frame", errors)


def _draw_positions(
    part: Any, axes: Any, reconstruction: Reconstruction, told: tuple[str, Floats]
) -> None:
    y, x = (reconstruction.positions_px + np.array(reconstruction.probe.shape[1:]) / 2).T
    title, values = told
    size = np.clip(2000 / len(values), 1, 12)
    low, high = np.percentile(values, (0, 99))
    dots = axes.scatter(x, y, s=size, c=values, cmap="viridis", vmin=low, vmax=max(high, 1e-12))
    axes.set_aspect("equal")
    axes.invert_yaxis()
    _bare(axes, title)
    bar = part.colorbar(dots, ax=axes, shrink=0.8, pad=0.01)
    bar.ax.tick_params(colors=INK, labelsize=7)
    bar.outline.set_visible(False)


def in_colour(wave: Complexes) -> NDArray[np.float64]:
    """Return a wave (H, W) as RGB (H, W, 3): hue is the phase, brightness the amplitude."""
    phase = np.angle(wave)[..., None] + np.array([0, -2, 2]) * np.pi / 3
    amplitude = np.abs(wave)[..., None] / max(float(np.abs(wave).max()), 1e-30)
    return amplitude * (0.5 + 0.5 * np.cos(phase))


def _bare(axes: Any, title: str) -> None:
    axes.set_title(title, color=INK, fontsize=9)
    axes.set_axis_off()
