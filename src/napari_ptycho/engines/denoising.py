"""Denoising a reconstruction: where its scan is known, two halves of it tell when to stop."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from napari_ptycho.denoise import DenoiseOptions, dip
from napari_ptycho.denoise.result import Denoised, Image
from napari_ptycho.denoise.subject import Subject, applied, subject_of
from napari_ptycho.engines.halves import Halves, Saved, known_of, reconstruct_halves
from napari_ptycho.engines.resuming import as_tree, of_tree
from napari_ptycho.errors import ScanError
from napari_ptycho.io.autosave import Autosave, Checkpoint
from napari_ptycho.io.resuming import Nest, digest, outer
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan

__all__ = [
    "Halves",
    "Restored",
    "any_halves",
    "denoise_reconstruction",
    "denoise_subject",
    "made",
    "seeded",
]

HALF_B = 1009  # added to the seed of a half B


@dataclass(frozen=True, eq=False)
class Restored:
    """What a denoising has reached so far."""

    subject: Subject | None
    """What is denoised; None while half reconstructions are being made."""
    denoised: Denoised | None
    halves: Halves | None = None

    @property
    def reconstruction(self) -> Reconstruction | None:
        """The reconstruction with its object denoised, if it is one."""
        if self.subject is None or self.denoised is None or self.subject.of is None:
            return None
        return applied(self.subject, self.denoised)


def denoise_subject(
    subject: Subject,
    options: DenoiseOptions,
    device: str = "auto",
    resume: Denoised | Checkpoint | None = None,
    halves: Halves | None = None,
    *,
    autosave: Autosave | None = None,
) -> Iterator[Update[Restored]]:
    """Denoise an image: `denoise.dip` with the subject beside its results.

    Args:
        subject: The image.
        options: The network, and when to stop.
        device: As in `engines.reconstruct`.
        resume: As in `denoise.dip`, and so is `autosave`.
        halves: The half reconstructions that the subject was made with.
        autosave: See above.
    """
    job = dip(
        subject.image,
        seeded(options, subject.of),
        subject.reference,
        second=subject.copies,
        weight=subject.weight,
        device=device,
        autosave=autosave,
        resume=resume,
    )
    for update in job:
        result = Restored(subject, update.result, halves)
        notes = (*subject.notes, *update.notes)
        yield Update(update.done, update.total, update.history, result, notes)


def denoise_reconstruction(  # noqa: PLR0913 - what is known beside it, and how it runs
    reconstruction: Reconstruction,
    channel: str,
    options: DenoiseOptions,
    scan: Scan | None = None,
    reference: Image | None = None,
    device: str = "auto",
    *,
    autosave: Autosave | None = None,
    resume: Checkpoint | None = None,
) -> Iterator[Update[Restored]]:
    """Denoise a channel of a reconstruction: a job.

    Args:
        reconstruction: The reconstruction.
        channel: "phase", "amplitude" or "complex".
        options: The network, and when to stop.
        scan: Its scan. Where the rule is "second-copy" or "auto", two half reconstructions
            are made of it (counts thinned, or where they are not Poisson's, odd and even
            positions): a second network learns one, the other one judges it and tells when to
            stop; what is kept has learnt all photons.
        reference: (H, W) truth of the channel.
        device: As in `engines.reconstruct`.
        autosave: As in `denoise.dip`.
        resume: A checkpoint of this very job, whose process died: it goes on to its end. Halves
            that were made are not made again.

    Yields:
        Updates; those before the first iteration have no result yet and say what is made.

    Raises:
        PtychoError: As `denoise.dip`, `subject_of` and `reconstruct_halves`.
    """
    if scan is None or options.stop not in ("auto", "second-copy"):
        subject = subject_of(reconstruction, channel, None, reference)
        yield from denoise_subject(subject, options, device, resume, autosave=autosave)
        return
    key = digest("denoising", known_of(scan, reconstruction), reference, channel, options)
    nest = Nest("denoising", key, float(options.iterations), autosave)
    tree = nest.opened(resume)
    halves: Halves | None = None
    if "halves" in tree:
        halves = of_tree(tree["halves"][0]), of_tree(tree["halves"][1])
    else:
        part = nest.around("making", {}, lambda _: 0.0)
        saved = part, outer(tree["making"]) if tree else None
        for update in any_halves(scan, reconstruction, options.seed, device, saved):
            halves = update.result
            yield Update(0.0, nest.total, {}, Restored(None, None), (*nest.notes, *update.notes))
        nest.keep({"halves": made(halves)})
    part = nest.around("denoising", {"halves": made(halves)}, float)
    going = outer(tree["denoising"]) if "denoising" in tree else None
    subject = subject_of(reconstruction, channel, halves, reference)
    yield from denoise_subject(subject, options, device, going, halves, autosave=part)


def made(halves: Halves | None) -> list[dict[str, Any]]:
    """Return two halves as trees (see `io.autosave.flat`)."""
    return [as_tree(half) for half in halves or ()]


def seeded(options: DenoiseOptions, of: Reconstruction | None) -> DenoiseOptions:
    """Return the options with a seed of its own for a half B.

    Halves denoised with the same seed share their inventions, and an FRC takes them for signal.
    """
    half = {} if of is None else of.provenance.get("half", {})
    if half.get("half") != "B":
        return options
    return replace(options, seed=(options.seed + HALF_B) % 2**31)


def any_halves(
    scan: Scan,
    reconstruction: Reconstruction,
    seed: int = 0,
    device: str = "auto",
    saved: Saved = (None, None),
) -> Iterator[Update[Halves]]:
    """Make two independent reconstructions: of half the photons, or of every other position.

    Counts that are not Poisson's cannot be thinned: then positions are taken, and a note says why.
    The last note tells how far it is. `saved`: as in `reconstruct_halves`.

    Raises:
        PtychoError: As `reconstruct_halves`.
    """
    job = reconstruct_halves(scan, reconstruction, seed=seed, device=device, saved=saved)
    try:
        first = next(job)
    except ScanError as error:
        job = reconstruct_halves(
            scan, reconstruction, seed=seed, device=device, by="positions", saved=saved
        )
        why = f"halves are odd and even positions: {error}"
        for update in job:
            yield _telling(update, why)
        return
    yield _telling(first)
    for update in job:
        yield _telling(update)


def _telling(update: Update[Halves], *first: str) -> Update[Halves]:
    """Return an update that says how far the halves are."""
    share = f"making half reconstructions: {update.done / update.total:.0%}"
    return replace(update, notes=(*first, *update.notes, share))
