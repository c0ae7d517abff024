"""Scans to try things on: three simulated ones with known truth, and a real one fetched once.

Two of them simulate a fine fly-scan at 11.1 keV behind a Fresnel zone plate of 400 um with
200 nm outer zones and a central stop, 8 mm out of focus: lines 25 nm apart, a frame every 25 nm.
The third is a step scan of smaller patterns, as networks know them.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import scipy

from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.io import read_scan
from napari_ptycho.model import Geometry, Reconstruction, Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.options import Options, Range
from napari_ptycho.phantoms import phantom
from napari_ptycho.physics.simulation import simulate
from napari_ptycho.prepare.start import MARGIN_PX, Optics, first_guess, optics_wave

SAMPLES = {
    "siemens-real": "Siemens star, measured (516 X-ray patterns; Argonne, tike)",
    "siemens-star": "Siemens star, simulated fly-scan",
    "fibres": "Fibre phantom, simulated fly-scan",
    "star-64": "Siemens star, simulated step scan of 64 x 64 pixels, as networks know it",
}
"""Name on the command line -> title in the menu."""

REAL_NAME = "siemens-star-small.npz.bz2"
REAL_URL = (
    "https://github.com/AdvancedPhotonSource/tike/raw/"
    "4d000d78133943d26ce6db902ea710df81e4c012/tests/data/siemens-star-small.npz.bz2"
)
REAL_SHA256 = "dbce7715c1d4a7c28a48f684dacc7d343fbc5d06fe993d6ea31714ffb5c68d3d"
GEOMETRY = Geometry(energy_ev=11_100.0, distance_m=3.8, detector_pixel_m=(75e-6, 75e-6))
WINDOW = (128, 128)
SMALL_WINDOW = (64, 64)
NEARER_MM = 4.0  # out of focus: the beam then fills half of a window, and patterns say more
SMALL = 192
FINER = 4  # the phantoms are drawn this many times finer and averaged


@dataclass(frozen=True)
class SampleOptions(Options):
    """The simulated fly-scan."""

    title: ClassVar[str] = "Simulated fly-scan"

    lines: Annotated[int, Range(2, 1000), "Scan lines."] = 48
    columns: Annotated[int, Range(2, 1000), "Patterns in a line."] = 48
    step_nm: Annotated[float, Range(1, 5000, 5), "Distance of lines and of patterns."] = 25.0
    photons: Annotated[float, Range(1, 1e9, 1000, unit="photons"), "Mean photons per pattern."] = (
        200_000.0
    )
    position_error_nm: Annotated[
        float, Range(0, 10_000, 5), "How wrong the positions in the scan are (rms)."
    ] = 0.0
    saturation: Annotated[
        float,
        Range(0, 1e12, 100, unit="counts"),
        "Counts at which the detector saturates; 0: it does not.",
    ] = 0.0
    seed: Annotated[int, Range(0, 2**31 - 1), "Of the noise, of counts and of positions."] = 0


def open_sample(name: str, options: SampleOptions | None = None) -> Scan:
    """Return a sample scan.

    Args:
        name: One of `SAMPLES`.
        options: Of a simulated one.

    Raises:
        OptionsError: No sample has this name.
        FileError: The measured scan is not on this machine and cannot be fetched.
    """
    if name == "siemens-real":
        return replace(read_scan(real_path()), name="siemens-real")
    return simulated(name, options)[0]


def options_of(name: str) -> SampleOptions:
    """Return the options that a simulated sample has unless others are given."""
    if name == "star-64":
        return SampleOptions(lines=24, columns=24, step_nm=700.0)
    return SampleOptions()


def simulated(name: str, options: SampleOptions | None = None) -> tuple[Scan, Reconstruction]:
    """Return a simulated scan and its truth, whose windows are those of `prepare.first_guess`.

    Raises:
        OptionsError: No simulated sample has this name.
    """
    if name not in PHANTOMS:
        raise OptionsError(f"no sample is called '{name}'; there is {', '.join(SAMPLES)}")
    options, small = options or options_of(name), name == "star-64"
    window = SMALL_WINDOW if small else WINDOW
    pixel = GEOMETRY.pixel_size_m(window)
    assert pixel is not None  # the geometry above is complete
    step = options.step_nm * 1e-9 / np.array(pixel)
    rows, columns = np.divmod(np.arange(options.lines * options.columns), options.columns)
    positions = np.stack([rows, columns], axis=1) * step + MARGIN_PX
    shape = np.ceil(positions.max(axis=0)).astype(int) + window + MARGIN_PX
    thickness = PHANTOMS[name]((int(shape[0]), int(shape[1])))
    phase_rad, absorption = CONTRAST[name]
    image = (1 - absorption * thickness) * np.exp(-1j * phase_rad * thickness)
    scan = simulate(
        image,
        optics_wave(GEOMETRY, window, Optics(defocus_mm=NEARER_MM) if small else Optics()),
        positions,
        photons=options.photons,
        geometry=GEOMETRY,
        sweep_px=(0.0, 0.0) if small else (0.0, step[1]),
        seed=options.seed,
    )
    scan = _spoilt(replace(scan, name=name, notes=(_words(options),)), options)
    truth = replace(
        first_guess(scan),
        positions_px=positions,
        object=image.astype(np.complex64),
        name=f"{name} truth",
    )
    return scan, truth


def small_scan(name: str, photons: float = 2e4, seed: int = 0) -> tuple[Scan, Reconstruction]:
    """Return a quick step scan of a phantom, and its truth: to measure methods on.

    289 patterns of 64 x 64, steps of 8 pixels with a jitter of 2, a speckled probe 20 pixels wide,
    up to 0.6 rad in 192 x 192 pixels.

    Args:
        name: "fibres" or "star", as in `phantoms.phantom`.
        photons: Mean photons per pattern with a flat object.
        seed: Of the noise and of the jitter.

    Raises:
        OptionsError: There is no phantom of this name.
    """
    thickness = phantom(name, SMALL)
    image = (1 - 0.05 * thickness) * np.exp(0.6j * thickness)
    y, x = np.mgrid[:64, :64] - 31.5
    speckle = scipy.ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((64, 64)), 4)
    radius = y**2 + x**2
    wave = np.exp(-radius / 162) * np.exp(1j * (radius / 60 + 10 * speckle))
    steps = np.arange(0, SMALL - 63, 8)
    corners = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    corners = corners + np.random.default_rng(seed).integers(-2, 3, corners.shape)
    places = np.clip(corners, 0, SMALL - 64).astype(np.float64)
    scan = replace(simulate(image, wave, places, photons=photons, seed=seed), name=name)
    guess = first_guess(scan)
    assert scan.probe is not None  # of a simulation it is known
    truth = Reconstruction(
        np.pad(image, MARGIN_PX, mode="edge").astype(np.complex64),
        scan.probe,
        places + MARGIN_PX,
        geometry=scan.geometry,
        name=f"{name} truth",
    )
    if guess.object.shape != truth.object.shape:
        raise AssertionError("the windows do not span the phantom")
    return scan, truth


def _words(options: SampleOptions) -> str:
    """Return what was simulated, as a sentence."""
    parts = [
        f"{options.lines} lines of {options.columns} patterns, {options.step_nm:g} nm apart",
        f"{options.photons:g} photons per pattern",
    ]
    if options.position_error_nm:
        parts.append(f"positions wrong by {options.position_error_nm:g} nm (rms)")
    if options.saturation:
        parts.append(f"saturated at {options.saturation:g} counts")
    return f"Simulated: {', '.join(parts)}; seed {options.seed}."


def _spoilt(scan: Scan, options: SampleOptions) -> Scan:
    """Return the scan as an imperfect stage and detector would have recorded it."""
    if options.saturation:
        scan = replace(scan, patterns=np.minimum(scan.patterns, int(options.saturation)))
    if options.position_error_nm:
        random = np.random.default_rng(options.seed + 1)
        off = random.normal(scale=options.position_error_nm * 1e-9, size=(len(scan), 2))
        assert scan.positions_m is not None  # the geometry above is complete
        scan = replace(scan, positions_m=scan.positions_m + off)
    return scan


def siemens_star(shape: tuple[int, int], spokes: int = 24, rings: int = 3) -> Floats:
    """Draw a Siemens star with ring gaps and a filled centre: (H, W), thickness 0..1."""
    y, x, radius = _fine_grid(shape)
    size = min(shape) / 2 * 0.97
    angle = np.arctan2(y, x)
    bars = np.cos(spokes * angle) > 0
    gap = np.zeros_like(bars)
    for ring in range(1, rings + 1):
        gap |= np.abs(radius - size * ring / (rings + 1)) < size * 0.012
    star = (bars & ~gap & (radius < size)) | (radius < size * 0.16)
    return _averaged(star.astype(np.float64), shape)


def fibres(shape: tuple[int, int], seed: int = 7) -> Floats:
    """Draw cross-sections of packed, hollow cylinders, like white matter: (H, W), thickness 0..1.

    Each fibre is an ellipse with a dense sheath and a lighter core; hardly any overlap.
    """
    rng = np.random.default_rng(seed)
    y, x, _ = _fine_grid(shape)
    half = np.array(shape) / 2
    sizes = np.sort(rng.uniform(0.02, 0.075, 4000))[::-1] * min(shape)
    placed: list[tuple[float, float, float]] = []
    image = np.zeros(y.shape)
    for large in sizes:
        cy, cx = rng.uniform(-half, half)
        small, turn = large * rng.uniform(0.7, 1.0), rng.uniform(0, np.pi)
        if any((cy - py) ** 2 + (cx - px) ** 2 < 0.85 * (large + p) ** 2 for py, px, p in placed):
            continue
        placed.append((cy, cx, large))
        rows = slice(*_span(cy - large, cy + large, shape[0]))
        columns = slice(*_span(cx - large, cx + large, shape[1]))
        dy, dx = y[rows, columns] - cy, x[rows, columns] - cx
        along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        inside = (along / large) ** 2 + (across / small) ** 2
        part = image[rows, columns]
        part[inside < 1] = 0.9
        part[inside < 0.4] = 0.35
    return _averaged(image, shape)


PHANTOMS: dict[str, Callable[[tuple[int, int]], Floats]] = {
    "siemens-star": siemens_star,
    "star-64": siemens_star,
    "fibres": fibres,
}
CONTRAST = {"siemens-star": (0.6, 0.05), "fibres": (0.4, 0.02), "star-64": (1.2, 0.3)}
"""Phase shift in rad and amplitude loss of full thickness."""


def _fine_grid(shape: tuple[int, int]) -> tuple[Floats, Floats, Floats]:
    y, x = ((np.arange(n * FINER) + 0.5) / FINER - n / 2 for n in shape)
    return y[:, None] + 0 * x, x[None, :] + 0 * y[:, None], np.hypot(y[:, None], x[None, :])


def _span(low: float, high: float, n: int) -> tuple[int, int]:
    """Return the fine pixels from low to high, in pixels from the middle of n."""
    first, last = (round((edge + n / 2) * FINER) for edge in (low, high))
    return max(0, first - 1), min(n * FINER, last + 1)


def _averaged(image: Floats, shape: tuple[int, int]) -> Floats:
    """Return the image (H, W) as a detector-limited wave sees it: edges about a pixel wide."""
    soft = scipy.ndimage.gaussian_filter(image, 0.5 * FINER)
    return soft.reshape(shape[0], FINER, shape[1], FINER).mean(axis=(1, 3))


def data_folders() -> tuple[Path, ...]:
    """Return where real scans are looked for: $NAPARI_PTYCHO_DATA; of a clone, also beside it."""
    named = os.environ.get("NAPARI_PTYCHO_DATA")
    clone = Path(__file__).resolve().parents[2]
    beside = (clone.parent / "shared" / "data",) if (clone / "pyproject.toml").is_file() else ()
    return (*((Path(named),) if named else ()), *beside)


def real_path() -> Path:
    """Return the file of the measured Siemens star, fetched and checked by its hash on first use.

    Raises:
        FileError: It is not here and cannot be fetched.
    """
    for folder in data_folders():
        for path in (folder / "tike_siemens" / REAL_NAME, folder / REAL_NAME):
            if path.is_file():
                return path
    import pooch

    try:
        fetched = pooch.retrieve(
            REAL_URL, f"sha256:{REAL_SHA256}", REAL_NAME, pooch.os_cache("napari-ptycho")
        )
    except (OSError, ValueError) as error:  # no network (requests raises OSErrors); wrong hash
        raise FileError(
            f"{REAL_NAME}: not on this machine, and it could not be fetched "
            f"({type(error).__name__}). Connect to the internet once, or put the file into a "
            "folder and name that folder in $NAPARI_PTYCHO_DATA"
        ) from error
    return Path(fetched)
