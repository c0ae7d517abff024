"""What the Denoise dock runs in its thread: images in, results ready to show out.

The numerics are imported here when a job starts, so that opening the dock imports none of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ptycho.denoise import ClassicalOptions, DenoiseOptions, classical
from napari_ptycho.errors import OptionsError
from napari_ptycho.gui.denoise_views import DenoiseView, viewed
from napari_ptycho.gui.offer_kept import Kept
from napari_ptycho.gui.views import Image
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.physics.align import flatten

if TYPE_CHECKING:
    from napari_ptycho.denoise.subject import Subject
    from napari_ptycho.engines.denoising import Halves, Restored

PLAIN = "image"
"""The channel of a layer that shows no reconstruction."""
SHORT = {"tv": "TV", "nlm": "NLM", "wavelet": "wavelet"}


@dataclass(frozen=True, eq=False)
class Request:
    """What was asked for in the window."""

    name: str
    """Of what is denoised."""
    image: Any
    """(H, W) what the layer shows."""
    reconstruction: Reconstruction | None
    """What the layer shows it of; None for a plain image."""
    channel: str
    options: DenoiseOptions | ClassicalOptions
    device: str
    reference: Any = None
    second: Any = None
    """A chosen second copy: an image, or the other half reconstruction."""
    scan: Scan | None = None
    """To make half reconstructions of, where the second copy is automatic."""
    halves: "Halves | None" = None
    """The same, made before."""
    resume: DenoiseView | None = None
    kept: Kept | None = None
    """Where its checkpoints are written."""

    @property
    def makes_halves(self) -> bool:
        """Whether half reconstructions are made first."""
        return self.scan is not None and self.halves is None and self.resume is None

    @property
    def label(self) -> str:
        """What the layer's name says of the method."""
        if isinstance(self.options, ClassicalOptions):
            return SHORT[self.options.method]
        return f"DIP {self.options.architecture}"


def wants_second(options: DenoiseOptions | ClassicalOptions) -> bool:
    """Whether a second copy would be used."""
    rule = options.stop if isinstance(options, DenoiseOptions) else options.calibrate
    return rule in ("auto", "second-copy")


def belongs(scan: Scan | None, reconstruction: Reconstruction | None) -> bool:
    """Whether a reconstruction is one of this scan, so that halves of it can be made."""
    if scan is None or reconstruction is None:
        return False
    n, shape = len(reconstruction.positions_px), reconstruction.probe.shape[1:]
    made = reconstruction.provenance.get("scan", scan.name)
    return (n, shape, made) == (len(scan), scan.frame_shape, scan.name)


def make_job(request: Request) -> Iterator[Update[Any]]:
    """Return the job that the thread runs; until there is an image its results are None."""
    resume = request.resume
    return viewed(_restored(request), 0.0 if resume is None else resume.seconds)


def run_whole(request: Request) -> Update[Any]:
    """Run a job that has one result, as a plain function; return its update."""
    *_, last = make_job(request)
    return last


def _restored(request: Request) -> "Iterator[Update[Restored]]":
    from napari_ptycho.engines.denoising import denoise_reconstruction, denoise_subject

    options, resume, halves = request.options, request.resume, request.halves
    if isinstance(options, ClassicalOptions):
        yield from _classical(request, options)
        return
    kept, device = request.kept, request.device
    left = None if kept is None else kept.left()
    if request.makes_halves and request.reconstruction is not None:
        yield from denoise_reconstruction(
            request.reconstruction,
            request.channel,
            options,
            request.scan,
            _reference(request),
            device,
            autosave=kept,
            resume=left,
        )
        return
    if resume is not None:
        yield from denoise_subject(
            resume.subject, options, device, resume.denoised, resume.halves, autosave=kept
        )
        return
    subject = _subject(request, halves)
    yield from denoise_subject(subject, options, device, left, halves, autosave=kept)


def _classical(request: Request, options: ClassicalOptions) -> "Iterator[Update[Restored]]":
    from napari_ptycho.engines.denoising import Restored, any_halves

    halves = request.halves
    if request.makes_halves and request.scan is not None and request.reconstruction is not None:
        for update in any_halves(request.scan, request.reconstruction, device=request.device):
            halves = update.result
            yield Update(0.0, 1.0, {}, Restored(None, None), update.notes)
    subject = _subject(request, halves)
    found = classical(
        subject.image,
        options,
        subject.reference,
        second=subject.copies,
        weight=subject.weight,
    )
    notes = (*subject.notes, *found.notes)
    yield Update(1.0, 1.0, found.curves, Restored(subject, found, halves), notes)


def _subject(request: Request, halves: "Halves | None") -> "Subject":
    """Return the image to denoise.

    Raises:
        OptionsError: The images do not fit together.
    """
    from napari_ptycho.denoise.subject import Subject, subject_of

    of, second = request.reconstruction, request.second
    if of is None:
        image = np.asarray(request.image)
        reference = _plain(_reference(request))
        return Subject(image=image, second=_plain(second), reference=reference)
    if isinstance(second, Reconstruction):
        check_halves(of, second)
        pair = subject_of(of, request.channel, (of, second), _reference(request))
        return replace(pair, half=None)  # the image itself
    subject = subject_of(of, request.channel, halves, _reference(request))
    if second is None:
        return subject
    copy = np.asarray(second)
    return replace(subject, second=copy[subject.box] if copy.shape == of.object.shape else copy)


def check_halves(one: Reconstruction, other: Reconstruction) -> None:
    """Refuse a second copy that has seen photons of the first.

    Raises:
        OptionsError: One is a half of the other, or both are the same half.
    """
    a, b = (thing.provenance.get("half") for thing in (one, other))
    if one is other or (a and b and a.get("half") == b.get("half")):
        raise OptionsError(
            f"second copy: '{other.name}' is the layer itself; choose the other half"
        )
    if (b and b.get("of") == one.name and not a) or (a and a.get("of") == other.name and not b):
        raise OptionsError(
            f"second copy: '{one.name}' and '{other.name}' share photons, so their noise is not "
            "independent; choose half A as the layer and half B as second copy, or 'automatic'"
        )


def _reference(request: Request) -> Any:
    """Return the reference as an image of the channel."""
    reference = request.reference
    if not isinstance(reference, Reconstruction):
        return _plain(reference)
    flat = flatten(reference)
    if request.channel == "complex":
        return flat
    return np.abs(flat) if request.channel == "amplitude" else np.angle(flat)


def _plain(image: Any) -> Any:
    return None if image is None else np.asarray(image)


@dataclass(frozen=True, eq=False)
class HalvesView:
    """Both half reconstructions of a reconstruction; pictures once they are done."""

    of: Reconstruction
    halves: "Halves"
    pictures: tuple[Image, ...] = ()
    """(H, W) phases."""


def halves_viewed(scan: Scan, of: Reconstruction, device: str) -> Iterator[Update[HalvesView]]:
    """Return the job that makes both halves, and at the end their phases ready to show."""
    from napari_ptycho.engines.denoising import any_halves

    update = None
    for update in any_halves(scan, of, device=device):
        view = HalvesView(of, update.result)
        yield Update(update.done, update.total, {}, view, update.notes)
    if update is not None:
        phases = tuple(np.angle(flatten(half)).astype(np.float32) for half in update.result)
        whole = HalvesView(of, update.result, phases)
        yield Update(update.total, update.total, {}, whole, update.notes[:-1])
