"""Pairs from simulation: natural images as objects under a zone plate's probe, or a given one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import OptionsError
from napari_ptycho.model.arrays import Complexes, Floats
from napari_ptycho.networks.images import HELD_OUT, TAUGHT, Grey, image
from napari_ptycho.networks.options import SimulationOptions
from napari_ptycho.networks.pairs import Pairs, collected
from napari_ptycho.networks.source import Source
from napari_ptycho.networks.split import Split
from napari_ptycho.physics.simulation import simulate
from napari_ptycho.prepare.start import Optics, optics_wave
from napari_ptycho.samples import GEOMETRY

OPTICS = Optics(defocus_mm=4.0)
"""Lights little more than the middle half of a window, whatever its pixels: patches can be found
from one pattern. (The samples' own optics, at 8 mm, light four fifths of a window's width.)"""
FIELD = 3  # windows from the first to the last of a row
OBJECTS = 40  # at least, where patterns suffice: probes and doses vary as objects do
FEWEST = 3  # images
HELD = 0.1  # share of the objects that validates
FAINTEST = 0.3  # of the largest phase
ZOOMS = (0.25, 1.0)  # pixels of an object per pixel of its image


@dataclass(frozen=True)
class _Plan:
    """What all objects share."""

    options: SimulationOptions
    side: int
    """Windows along a side of the raster."""
    probe: Complexes | None
    optics: Optics
    images: Mapping[str, Grey]
    """What objects are made of."""

    @property
    def step(self) -> int:
        """Pixels from window to window."""
        return max(1, round(self.options.size * (1 - int(self.options.overlap) / 100)))

    @property
    def margin(self) -> int:
        """Pixels around the raster."""
        return int(np.ceil(self.options.jitter_px)) + 1

    @property
    def extent(self) -> int:
        """Pixels of an object's side."""
        return (self.side - 1) * self.step + self.options.size + 2 * self.margin


def simulated(
    options: SimulationOptions,
    probe: Complexes | None = None,
    images: Mapping[str, Grey] | None = None,
    optics: Optics = OPTICS,
) -> Pairs:
    """Return pairs of simulated patterns and natural images.

    Each object has amplitude and phase of two different images, cut, zoomed and flipped at random,
    up to the given absorption and phase; a share of the objects has both of one image, as a single
    material does (and half of PtyNet's): then a pattern also tells the level of a patch's phase,
    which otherwise only its neighbours know. Each has its own dose (log-uniform); its own jittered
    raster, whose windows share `overlap` of their width with the next; its own probe where none is
    given. Patterns are |FFT(probe * window)|^2 with Poisson noise (`physics.simulation`). Objects
    that validate are made of images that never teach.

    Args:
        options: How many, how large, how noisy.
        probe: (h, w) or (M, h, w), for all objects; None draws a defocus for each.
        images: Name -> grey image (H, W), 0 to 1; the last tenth validates. None takes those of
            scikit-image and our phantoms.
        optics: The zone plate, behind the defocus of which probes are drawn, at the energy and
            distance of the samples.

    Raises:
        OptionsError: The probe has another size, the least dose is above the largest, or there are
            fewer than three images.
    """
    if options.photons_least > options.photons:
        raise OptionsError(
            f"photons_least is {options.photons_least:g}, photons {options.photons:g}; the first "
            "must not be larger"
        )
    taught_by, held_out = _pools(images)
    plan = _plan(options, _modes(probe, options.size), optics, {**taught_by, **held_out})
    objects = -(-options.patterns // plan.side**2)
    held = max(1, round(HELD * objects))
    sources, left = [], options.patterns
    for number in range(objects):
        names = tuple(taught_by if number < objects - held else held_out)
        random = np.random.default_rng([options.seed, number])
        sources.append(_source(plan, names, min(left, plan.side**2), random))
        left -= len(sources[-1])
    taught = sum(len(source) for source in sources[:-held])
    split = Split(
        np.arange(taught),
        np.arange(taught, options.patterns),
        f"{held} of {objects} objects validate; they are made of images that do not teach: "
        f"{', '.join(held_out)}",
    )
    about = {
        "kind": "simulated",
        "names": ["simulated objects"],
        "options": options.as_dict(),
        "images": list(taught_by),
        "probe": "given" if probe is not None else f"zone plates: {optics.as_dict()}",
    }
    return collected(sources, split, plan.probe, about)


def zone_plate(size: int, optics: Optics = OPTICS) -> Complexes:
    """Return the probe (1, size, size) of a zone plate at the energy and distance of the samples.

    The window is as wide in metres whatever its pixels, so the probe fills the same part of it.
    """
    return optics_wave(GEOMETRY, (size, size), optics)


def _modes(probe: Complexes | None, size: int) -> Complexes | None:
    if probe is None:
        return None
    modes = np.asarray(probe, np.complex64)
    modes = modes[None] if modes.ndim == 2 else modes
    if modes.ndim != 3 or modes.shape[1:] != (size, size):
        raise OptionsError(
            f"the probe has shape {np.shape(probe)}, but patterns are to be {size} x {size}; give "
            "a probe of this size, or set size to the probe's"
        )
    return modes


def _pools(
    images: Mapping[str, Grey] | None,
) -> tuple[Mapping[str, Grey], Mapping[str, Grey]]:
    """Return the images that teach, and those that validate: the last tenth of what is given."""
    if images is None:
        taught, held_out = ({name: image(name) for name in names} for names in (TAUGHT, HELD_OUT))
        return taught, held_out
    if len(images) < FEWEST:
        raise OptionsError(
            f"{len(images)} images to make objects of; need at least {FEWEST}, one to validate with"
        )
    held = max(1, round(HELD * len(images)))
    known = list(images.items())
    return dict(known[:-held]), dict(known[-held:])


def _plan(
    options: SimulationOptions,
    probe: Complexes | None,
    optics: Optics,
    images: Mapping[str, Grey],
) -> _Plan:
    full = FIELD * 100 // (100 - int(options.overlap)) + 1
    several = int((options.patterns / OBJECTS) ** 0.5)
    return _Plan(options, max(1, min(full, several)), probe, optics, images)


def _source(plan: _Plan, names: tuple[str, ...], count: int, random: np.random.Generator) -> Source:
    options = plan.options
    probe = plan.probe
    if probe is None:
        away = random.uniform(-1, 1) * options.defocus_mm
        probe = zone_plate(
            options.size, replace(plan.optics, defocus_mm=plan.optics.defocus_mm + away)
        )
    places = np.indices((plan.side, plan.side)).reshape(2, -1).T * float(plan.step)
    places = places + plan.margin + random.uniform(-1, 1, places.shape) * options.jitter_px
    least, most = np.log([options.photons_least, options.photons])
    transmission, what = _object(plan, names, random)
    scan = simulate(
        transmission,
        probe,
        places[:count],
        photons=float(np.exp(random.uniform(least, most))),
        seed=int(random.integers(2**31)),
    )
    assert scan.probe is not None  # of a simulation it is known
    return Source(scan.patterns, transmission, places[:count], scan.probe, name=what)


def _object(
    plan: _Plan, names: tuple[str, ...], random: np.random.Generator
) -> tuple[Complexes, str]:
    """Return a transmission (H, W) of mean phase 0, and the images it is made of."""
    options, side = plan.options, plan.extent
    first, second = (str(name) for name in random.choice(names, 2, replace=len(names) < 2))
    loss = random.uniform(0, options.absorption)
    phase = -random.uniform(FAINTEST, 1) * options.phase_rad  # thick parts lag, as in the samples
    thick = cut(plan.images[first], side, random)
    if random.uniform() < options.one_material:
        second, other = first, thick
    else:
        other = cut(plan.images[second], side, random)
    wave = (1 - loss * thick) * np.exp(1j * phase * other)
    wave *= np.exp(-1j * np.angle(wave.sum()))
    return wave.astype(np.complex64), f"{first} (amplitude), {second} (phase)"


def cut(grey: NDArray[np.float32], side: int, random: np.random.Generator) -> Floats:
    """Return a random part (side, side) of an image: zoomed, turned, maybe inverted; 0 to 1."""
    from skimage.transform import resize

    low, high = ZOOMS
    least = max(low, side / min(grey.shape))
    zoom = least * (max(high, least) / least) ** random.uniform()
    taken = min(int(side / zoom), *grey.shape)
    y, x = (int(random.integers(0, n - taken + 1)) for n in grey.shape)
    part = resize(grey[y : y + taken, x : x + taken].astype(np.float64), (side, side))
    part = np.rot90(part, int(random.integers(4)))
    part = part[:, ::-1] if random.integers(2) else part
    part = (part - part.min()) / max(float(np.ptp(part)), 1e-3)  # an empty part stays one
    return np.asarray(1 - part if random.integers(2) else part)
