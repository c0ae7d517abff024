"""Denoising a reconstruction: where its scan is known, two halves of it tell when to stop."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from napari_ptycho.denoise import DenoiseOptions, dip
from napari_ptycho.denoise.result import Denoised, Image
from napari_ptycho.denoise.subject import Subject, applied, subject_of
from napari_ptycho.engines.halves import reconstruct_halves
from napari_ptycho.errors import ScanError
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan

Halves = tuple[Reconstruction, Reconstruction]
HALF_B = 1009  # added to the seed of a half B


@dataclass(frozen=True, eq=False)
class Restored:
    """What a denoising has reached so far."""

    subject: Subject | None
    """What is denoised; None while half-count reconstructions are being made."""
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
    resume: Denoised | None = None,
    halves: Halves | None = None,
) -> Iterator[Update[Restored]]:
    """Denoise an image: `denoise.dip` with the subject beside its results."""
    job = dip(
        subject.image,
        seeded(options, subject.of),
        subject.reference,
        second=subject.copies,
        weight=subject.weight,
        device=device,
        resume=resume,
    )
    for update in job:
        result = Restored(subject, update.result, halves)
        notes = (*subject.notes, *update.notes)
        yield Update(update.done, update.total, update.history, result, notes)


def denoise_reconstruction(
    reconstruction: Reconstruction,
    channel: str,
    options: DenoiseOptions,
    scan: Scan | None = None,
    reference: Image | None = None,
    device: str = "auto",
) -> Iterator[Update[Restored]]:
    """Denoise a channel of a reconstruction: a job.

    Args:
        reconstruction: The reconstruction.
        channel: "phase", "amplitude" or "complex".
        options: The network, and when to stop.
        scan: Its scan. Where the rule is "second-copy" or "auto", two half-count reconstructions
            are made of it (counts thinned, or where they are not Poisson's, odd and even
            positions): a second network learns one, the other one judges it and tells when to
            stop; what is kept has learnt all photons.
        reference: (H, W) truth of the channel.
        device: As in `engines.reconstruct`.

    Yields:
        Updates; those before the first iteration have no result yet and say what is made.

    Raises:
        PtychoError: As `denoise.dip`, `subject_of` and `reconstruct_halves`.
    """
    halves: Halves | None = None
    if scan is not None and options.stop in ("auto", "second-copy"):
        for update in any_halves(scan, reconstruction, options.seed, device):
            halves = update.result
            nothing = Restored(None, None)
            yield Update(0.0, float(options.iterations), {}, nothing, update.notes)
    subject = subject_of(reconstruction, channel, halves, reference)
    yield from denoise_subject(subject, options, device, halves=halves)


def seeded(options: DenoiseOptions, of: Reconstruction | None) -> DenoiseOptions:
    """Return the options with a seed of its own for a half B.

    Halves denoised with the same seed share their inventions, and an FRC takes them for signal.
    """
    half = {} if of is None else of.provenance.get("half", {})
    if half.get("half") != "B":
        return options
    return replace(options, seed=(options.seed + HALF_B) % 2**31)


def any_halves(
    scan: Scan, reconstruction: Reconstruction, seed: int = 0, device: str = "auto"
) -> Iterator[Update[Halves]]:
    """Make two independent reconstructions: of half the photons, or of every other position.

    Counts that are not Poisson's cannot be thinned: then positions are taken, and a note says why.
    The last note tells how far it is.

    Raises:
        PtychoError: As `reconstruct_halves`.
    """
    job = reconstruct_halves(scan, reconstruction, seed=seed, device=device)
    try:
        first = next(job)
    except ScanError as error:
        job = reconstruct_halves(scan, reconstruction, seed=seed, device=device, by="positions")
        why = f"halves are odd and even positions: {error}"
        for update in job:
            yield _telling(update, why)
        return
    yield _telling(first)
    for update in job:
        yield _telling(update)


def _telling(update: Update[Halves], *first: str) -> Update[Halves]:
    """Return an update that says how far the halves are."""
    share = f"making half-count reconstructions: {update.done / update.total:.0%}"
    return replace(update, notes=(*first, *update.notes, share))
