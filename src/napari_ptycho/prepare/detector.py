"""The detector's frames, made fit: centred, cropped, rebinned, bad pixels masked."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Bools
from napari_ptycho.model.geometry import Pair
from napari_ptycho.options import Options, Range
from napari_ptycho.prepare.bad_pixels import (
    dead_pixels,
    hot_pixels,
    mask_pixels,
    mask_saturated,
)
from napari_ptycho.prepare.centre import find_centre
from napari_ptycho.prepare.cutting import Window, cut
from napari_ptycho.prepare.survey import survey
from napari_ptycho.prepare.text import plural

PRIMES = (2, 3, 5, 7)


@dataclass(frozen=True)
class DetectorOptions(Options):
    """How the frames of a scan are cut out and masked; the defaults change nothing."""

    title: ClassVar[str] = "Detector"

    centre: Annotated[
        Literal["as read", "auto", "given"],
        "Where zero frequency is: the middle, the centroid of the mean pattern, or given below.",
    ] = "as read"
    centre_y: Annotated[
        float, Range(0, 100_000, 1, unit="px"), "Row of zero frequency, if given."
    ] = 0.0
    centre_x: Annotated[
        float, Range(0, 100_000, 1, unit="px"), "Column of zero frequency, if given."
    ] = 0.0
    size: Annotated[
        int,
        Range(0, 16_384, 16, unit="px"),
        "Side of the square that is cut out; 0: as it is.",
    ] = 0
    rebin: Annotated[int, Range(1, 16, unit="px"), "Sum blocks of so many by so many pixels."] = 1
    hot: Annotated[
        float,
        Range(0, 1e6, 1),
        "Mask pixels whose mean is so many times that of their neighbours; 0: none.",
    ] = 0.0
    dead: Annotated[bool, "Mask pixels that count nothing while their neighbours do."] = False
    saturation: Annotated[
        float,
        Range(0, 1e12, 1000, unit="counts"),
        "From this count on a pixel is not measured; 0: no limit.",
    ] = 0.0


def cut_detector(scan: Scan, options: DetectorOptions) -> Scan:
    """Mask, centre, cut out and rebin the frames of a scan, in this order; a note for each.

    The window is `size` pixels wide (the frame, where `size` is 0), rounded down to whole blocks,
    and lies so that the pixel of zero frequency comes to [H//2, W//2]. Where it leaves the frame,
    its pixels are not valid. Blocks are summed; one is valid where all its pixels are.

    Far field: a smaller window means larger object pixels. Positions in metres stay, those in
    pixels are scaled, and the probe is resampled by cutting its spectrum. Rebinning leaves the
    object pixel and cuts the probe in space instead; zero frequency lies in the block
    [H//2, W//2], up to half a block off its middle, which is a phase ramp on the probe.

    Near field: a window is a smaller field, and rebinning makes object pixels larger.

    Args:
        scan: A lazy scan gives a lazy scan; hot and dead pixels and the centre are then found in a
            sample of its frames.
        options: What to do; the defaults return the scan itself.

    Raises:
        OptionsError: The size is smaller than a block.
        ScanError: The window misses the frame, no valid pixel is left, or the centre cannot be
            found (near field; nothing bright).
    """
    scan = _masked(scan, options)
    window, note = find_window(scan, options)
    if (window.start, window.size, window.rebin) == ((0, 0), scan.frame_shape, 1):
        return scan
    return cut(scan, window, note)


def fft_sizes(largest: int) -> tuple[int, ...]:
    """Return the sizes up to `largest` that Fourier transforms like: even, products of 2, 3, 5, 7.

    Returns:
        Descending.
    """
    return tuple(n for n in range(largest - largest % 2, 0, -2) if _smooth(n))


def fft_size(n: int) -> int:
    """Return the largest even product of 2, 3, 5 and 7 that is no larger than n (at least 2)."""
    return next(iter(fft_sizes(n)), 2)


def _smooth(n: int) -> bool:
    for prime in PRIMES:
        while n % prime == 0:
            n //= prime
    return n == 1


def _masked(scan: Scan, options: DetectorOptions) -> Scan:
    """Mask what does not measure; all is found in the frames as they are."""
    if options.hot or options.dead:
        seen = survey(scan)
        looked = "" if seen.frames == len(scan) else f", seen in {seen.frames} frames"
        if options.hot:
            hot = hot_pixels(seen, options.hot)
            what = f"more than {options.hot:g} times the counts of their neighbours"
            scan = mask_pixels(scan, hot, _count(hot, f"hot: {what}{looked}"))
        if options.dead:
            dead = dead_pixels(seen)
            scan = mask_pixels(scan, dead, _count(dead, f"dead{looked}"))
    return mask_saturated(scan, options.saturation) if options.saturation else scan


def _count(bad: Bools, why: str) -> str:
    number = int(bad.sum())
    return f"{plural(number, 'pixel')} {'was' if number == 1 else 'were'} masked ({why})."


def find_window(scan: Scan, options: DetectorOptions) -> tuple[Window, str]:
    """Return what is to be cut out, and the sentence that says how its place was found.

    Raises:
        OptionsError: The size is smaller than a block.
        ScanError: As `cut_detector`.
    """
    shape, rebin = scan.frame_shape, options.rebin
    wanted = (options.size, options.size) if options.size else shape
    size = wanted[0] // rebin * rebin, wanted[1] // rebin * rebin
    if 0 in size:
        raise OptionsError(
            f"the cut of {wanted[0]} x {wanted[1]} pixels holds no block of {rebin} x {rebin}; "
            "choose a larger size, or rebin less"
        )
    centre: Pair = float(shape[0] // 2), float(shape[1] // 2)
    told = ""
    if options.centre == "auto":
        centre = find_centre(scan)
        told = f"Zero frequency was found at row {centre[0]:.2f}, column {centre[1]:.2f}. "
    elif options.centre == "given":
        centre = options.centre_y, options.centre_x
        told = f"The centre was given as row {centre[0]:g}, column {centre[1]:g}. "
    start = round(centre[0]) - size[0] // 2, round(centre[1]) - size[1] // 2
    for first, length, side in zip(start, size, shape, strict=True):
        if first >= side or first + length <= 0:
            raise ScanError(
                f"{scan.name}: the centre ({centre[0]:g}, {centre[1]:g}) lies outside the frames "
                f"of {shape[0]} x {shape[1]} pixels; nothing would be left of them"
            )
    return Window(start, size, rebin, centre), told
