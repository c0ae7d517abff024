"""Cutting a window out of the frames of a scan, and summing blocks of their pixels."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.model.arrays import Complexes
from napari_ptycho.prepare.binning import sum_dtype
from napari_ptycho.prepare.lazy import mapped, mapped_valid


@dataclass(frozen=True)
class Window:
    """What is cut out of the frames, and summed into blocks."""

    start: tuple[int, int]
    """First row and column; negative where the window begins outside the frame."""
    size: tuple[int, int]
    """Rows and columns cut out, whole blocks."""
    rebin: int
    centre: tuple[float, float] = (0.0, 0.0)
    """Where zero frequency was, (row, column), not rounded."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the new frames."""
        return self.size[0] // self.rebin, self.size[1] // self.rebin


def cut(scan: Scan, window: Window, told: str = "") -> Scan:
    """Return a scan with the window of its frames, as `detector.cut_detector` says.

    Args:
        scan: A lazy scan gives a lazy scan.
        window: What is cut out.
        told: How its place was found: a sentence with a space at its end.

    Raises:
        ScanError: No valid pixel is left in it.
    """
    counts = scan.patterns.dtype
    if window.rebin > 1:
        counts = sum_dtype(scan, window.rebin**2)

    def counted(block: NDArray[Any]) -> NDArray[Any]:
        block = windowed(block, window.start, window.size)
        return blocks(block, window.rebin).sum(axis=(-3, -1), dtype=counts)

    def measured(block: NDArray[Any]) -> NDArray[Any]:
        block = windowed(block, window.start, window.size)
        return np.asarray(blocks(block, window.rebin).all(axis=(-3, -1)))

    valid = mapped_valid(scan, measured, window.shape)
    if valid.ndim == 2 and not valid.any():
        raise ScanError(
            f"{scan.name}: no valid pixel is left in what is cut out; choose a larger size, "
            "another centre, or another mask"
        )
    return replace(
        scan,
        patterns=mapped(scan.patterns, counted, window.shape, counts),
        valid=valid,
        geometry=coarser(scan.geometry, window.rebin),
        sources=_sources(scan, window.rebin),
        notes=(*scan.notes, *_notes(scan, window, told)),
        **_in_sample(scan, window),
    )


def _in_sample(scan: Scan, window: Window) -> dict[str, Any]:
    """Bring positions in pixels and the probe onto the new object pixels."""
    near, changed = scan.geometry.propagation == "near", {}
    if scan.positions_px is not None:
        sides = zip(window.size, scan.frame_shape, strict=True)
        scale = [1 / window.rebin] * 2 if near else [new / old for new, old in sides]
        changed["positions_px"] = scan.positions_px * np.array(scale)
    if scan.probe is not None:
        changed["probe"] = (_near_probe if near else _far_probe)(scan.probe, window)
    return changed


def _sources(scan: Scan, rebin: int) -> dict[str, str]:
    """Say where the detector pixel of rebinned frames came from."""
    sources = dict(scan.sources)
    for name in ("detector_pixel_m", "detector_pixel_rad"):
        if rebin > 1 and name in sources and getattr(scan.geometry, name) is not None:
            sources[name] += f", times {rebin}"
    return sources


def _notes(scan: Scan, window: Window, told: str) -> list[str]:
    """Say what the window is, and what was summed."""
    notes = []
    shape, size, start = scan.frame_shape, window.size, window.start
    if (start, size) != ((0, 0), shape):
        inside = np.prod(
            [
                min(first + length, side) - max(first, 0)
                for first, length, side in zip(start, size, shape, strict=True)
            ]
        )
        outside = 1 - float(inside) / (size[0] * size[1])
        beyond = f" {outside:.2%} of that lies outside the frame and is masked." if outside else ""
        notes.append(
            f"{told}Of frames of {shape[0]} x {shape[1]} pixels, {size[0]} x {size[1]} around "
            f"row {start[0] + size[0] // 2}, column {start[1] + size[1] // 2} were cut out.{beyond}"
        )
    if window.rebin > 1:
        n = window.rebin
        notes.append(
            f"Blocks of {n} x {n} detector pixels were summed; a block is valid where all its "
            "pixels are."
        )
    if scan.probe is not None:
        notes.append("The probe was brought onto the new pixels.")
    return notes


def coarser(geometry: Geometry, rebin: int) -> Geometry:
    """Return the geometry with detector pixels so many times larger."""
    larger: dict[str, Any] = {
        name: (rebin * pair[0], rebin * pair[1])
        for name in ("detector_pixel_m", "detector_pixel_rad")
        if (pair := getattr(geometry, name)) is not None
    }
    return replace(geometry, **larger)


def windowed(array: NDArray[Any], start: tuple[int, int], size: tuple[int, int]) -> NDArray[Any]:
    """Cut (..., h, w) out of (..., H, W); what lies outside is 0."""
    pads = [(0, 0)] * (array.ndim - 2)
    inside: list[slice] = []
    for first, length, side in zip(start, size, array.shape[-2:], strict=True):
        low, high = max(first, 0), min(first + length, side)
        inside.append(slice(low, high))
        pads.append((low - first, first + length - high))
    array = array[..., inside[0], inside[1]]
    return np.pad(array, pads) if any(map(any, pads)) else array


def blocks(array: NDArray[Any], rebin: int) -> NDArray[Any]:
    """Return (..., h, rebin, w, rebin)."""
    height, width = array.shape[-2:]
    return array.reshape(*array.shape[:-2], height // rebin, rebin, width // rebin, rebin)


def _far_probe(probe: Complexes, window: Window) -> Complexes:
    """Resample a probe onto the object pixels of a window: cut its spectrum, then its margins."""
    axes = (-2, -1)
    waves: NDArray[Any] = probe
    if window.size != probe.shape[1:]:
        wave = scipy.fft.fft2(scipy.fft.ifftshift(probe, axes=axes), norm="ortho")
        spectrum = _about_middle(scipy.fft.fftshift(wave, axes=axes), window.size)
        waves = scipy.fft.ifft2(scipy.fft.ifftshift(spectrum, axes=axes), norm="ortho")
        waves = scipy.fft.fftshift(waves, axes=axes)
    return np.asarray(_about_middle(waves, window.shape), np.complex64)


def _near_probe(probe: Complexes, window: Window) -> Complexes:
    """Cut a probe as the frames; a block takes the sum of its waves, its photons kept."""
    waves = blocks(windowed(probe, window.start, window.size), window.rebin)
    return np.asarray(waves.sum(axis=(-3, -1)) / window.rebin, np.complex64)


def _about_middle(array: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Cut or pad (..., H, W) so that [H//2, W//2] comes to [h//2, w//2]."""
    height, width = array.shape[-2:]
    return windowed(array, (height // 2 - size[0] // 2, width // 2 - size[1] // 2), size)
