"""From a reconstruction to an image that can be denoised, and back."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import unwrap_phase

from napari_ptycho.denoise.result import Denoised, Image
from napari_ptycho.errors import OptionsError
from napari_ptycho.model import Reconstruction
from napari_ptycho.model.arrays import Bools, Floats
from napari_ptycho.physics.align import flatten, illumination

Channel = Literal["phase", "amplitude", "complex"]
CHANNELS: tuple[str, ...] = get_args(Channel)
LIT = 0.05  # share of the most light below which the object is not known
CAPPED = 0.25  # share of the most light from which on pixels count alike
Box = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Subject:
    """An image to denoise, and what is known beside it; of a reconstruction, its lit part."""

    image: Image
    """(h, w)."""
    second: Image | None = None
    """(h, w) a copy whose noise is independent of the image's, or of the half's."""
    half: Image | None = None
    """(h, w) the image from half of the photons, when `second` is from the other half."""
    reference: Image | None = None
    """(h, w) truth."""
    weight: Floats | None = None
    """(h, w) how well each pixel is known."""
    of: Reconstruction | None = None
    channel: str = "image"
    box: Box = (slice(None), slice(None))
    """Where it lies in the object."""
    shown: Image | None = None
    """(H, W) the channel of the whole object, as layers show it."""
    turn: NDArray[np.complex64] | None = field(default=None, repr=False)
    """(H, W) phase factor between the object and its flat version."""
    notes: tuple[str, ...] = ()

    @property
    def copies(self) -> Any:
        """What tells when to stop, as `dip` takes it: a second copy, two halves, or None."""
        return self.second if self.half is None else (self.half, self.second)

    def whole(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return an image (h, w) at its place in the object (H, W), which shows around it."""
        if self.shown is None:
            return image
        full = np.array(self.shown, dtype=image.dtype)
        full[self.box] = image
        return full


def subject_of(
    reconstruction: Reconstruction,
    channel: str,
    halves: tuple[Reconstruction, Reconstruction] | None = None,
    reference: Image | None = None,
) -> Subject:
    """Return a channel of a reconstruction as an image to denoise.

    The lit part of the object is cut out; pixels with less light count less. The phase is that
    without global phase and ramp, unwrapped where it wraps.

    Args:
        reconstruction: The reconstruction.
        channel: "phase", "amplitude", or "complex" (both at once, as real and imaginary part).
        halves: Two half reconstructions of the same scan: they tell when to stop.
        reference: (H, W) truth of the channel, of the shape of the object or of its lit part.

    Raises:
        OptionsError: There is no such channel, or shapes do not fit.
    """
    if channel not in CHANNELS:
        raise OptionsError(f"no channel is called '{channel}'; there is {', '.join(CHANNELS)}")
    light = illumination(reconstruction)
    lit = light > LIT * light.max()
    box = _box(lit)
    flat = flatten(reconstruction)
    turn = np.exp(1j * np.angle(reconstruction.object * flat.conj())).astype(np.complex64)
    notes: list[str] = []
    shown = _channel(flat, channel, lit, notes)
    half, second = (
        (None, None)
        if halves is None
        else (
            _channel(_like(one, reconstruction, turn), channel, lit, [], shown)[box]
            for one in halves
        )
    )
    weight = np.where(lit, np.minimum(light, CAPPED * light.max()), 0)
    return Subject(
        image=shown[box],
        second=second,
        half=half,
        reference=_fitting(reference, flat.shape, box),
        weight=weight[box],
        of=reconstruction,
        channel=channel,
        box=box,
        shown=shown,
        turn=turn,
        notes=tuple(notes),
    )


def applied(subject: Subject, result: Denoised, image: Image | None = None) -> Reconstruction:
    """Return the reconstruction with its object denoised; the provenance says how.

    Args:
        subject: From `subject_of`.
        result: What was reached.
        image: (h, w) another image than `result.image`, such as a past output.

    Raises:
        OptionsError: The subject is a plain image.
    """
    of = subject.of
    if of is None or subject.turn is None:
        raise OptionsError("a plain image has no reconstruction to put the result into")
    image = subject.whole(result.image if image is None else image)
    flat = of.object * subject.turn.conj()
    if subject.channel == "complex":
        flat = image
    elif subject.channel == "amplitude":
        flat = image * np.exp(1j * np.angle(flat))
    else:
        flat = np.abs(flat) * np.exp(1j * image)
    done = [*of.provenance.get("denoised", []), entry_of(subject, result)]
    extras = {**of.extras}
    if len(result.past):
        outputs = np.stack(result.past.outputs) * result.units.scale + result.units.zero
        extras["past_outputs"] = outputs.astype(np.float16)
    if len(result.members) > 1:
        extras["spread"] = result.spread
    return replace(
        of,
        extras=extras,
        object=(flat * subject.turn).astype(np.complex64),
        name=f"{of.name} · denoised",
        provenance={**of.provenance, "denoised": done},
    )


def entry_of(subject: Subject, result: Denoised) -> dict[str, Any]:
    """Return how an image was denoised, for a provenance: settings, what was kept, all curves."""
    return {
        "channel": subject.channel,
        "settings": dict(result.settings),
        "rule": result.rule,
        "iteration": result.iteration,
        "iterations": result.done,
        "sigma": result.sigma,
        "grid_db": {str(period): score for period, score in result.grid.items()},
        "curves": {name: list(curve) for name, curve in result.curves.items()},
        "history_iterations": list(result.past.iterations),
        "halves": subject.half is not None,
        "notes": [*subject.notes, *result.notes],
    }


def _box(lit: Bools) -> Box:
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _channel(
    flat: NDArray[np.complexfloating],
    channel: str,
    lit: Bools,
    notes: list[str],
    near: Image | None = None,
) -> Image:
    if channel == "complex":
        return np.asarray(flat, np.complex64)
    if channel == "amplitude":
        return np.abs(flat).astype(np.float32)
    phase = np.angle(flat)
    if near is not None:  # the same branch as the phase beside it
        return (phase + 2 * np.pi * np.rint((near - phase) / (2 * np.pi))).astype(np.float32)
    if not _wraps(phase, lit):
        return phase.astype(np.float32)
    notes.append("the phase wraps: it was unwrapped first")
    unwrapped = np.ma.filled(unwrap_phase(np.ma.array(phase, mask=~lit)), 0.0)
    middle = 2 * np.pi * np.rint(np.median(unwrapped[lit]) / (2 * np.pi))
    return np.where(lit, unwrapped - middle, phase).astype(np.float32)


def _wraps(phase: Floats, lit: Bools) -> bool:
    """Whether lit neighbours lie on either side of the cut."""
    both = lit[1:] & lit[:-1], lit[:, 1:] & lit[:, :-1]
    steps = np.abs(np.diff(phase, axis=0))[both[0]], np.abs(np.diff(phase, axis=1))[both[1]]
    return any(bool((step > np.pi).mean() > 1e-4) for step in steps if step.size)


def _like(
    half: Reconstruction, whole: Reconstruction, turn: NDArray[np.complex64]
) -> NDArray[np.complex64]:
    """Return the object of a half without the phase and ramp of the whole; it has the same."""
    if half.object.shape != whole.object.shape:
        raise OptionsError(
            f"{half.name}: object of {half.object.shape} pixels but that of {whole.name} has "
            f"{whole.object.shape}; both halves must be of the same scan"
        )
    return np.asarray(half.object * turn.conj(), np.complex64)


def _fitting(reference: Image | None, shape: tuple[int, ...], box: Box) -> Image | None:
    if reference is None:
        return None
    reference = np.asarray(reference)
    if reference.shape == shape:
        return np.asarray(reference[box])
    part = tuple(side.stop - side.start for side in box)
    if reference.shape == part:
        return reference
    raise OptionsError(
        f"reference: {reference.shape} pixels; need {shape} as the object has, or {part} as its "
        "lit part"
    )
