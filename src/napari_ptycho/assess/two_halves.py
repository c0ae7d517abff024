"""The honest route: what two independent halves agree on, before and after they were denoised.

A network invents the same things twice if it begins with the same numbers. So both halves are
denoised with different seeds, and one of them once more with the seed of the other: what only
the pair with the same seed agrees on was invented.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import numpy as np

from napari_ptycho.assess.correlation import Frc, frc
from napari_ptycho.assess.frc_options import FrcOptions, HonestOptions
from napari_ptycho.assess.plane import Plane, plane_of, regularised
from napari_ptycho.assess.registration import AlignOptions
from napari_ptycho.denoise import DenoiseOptions, dip
from napari_ptycho.denoise.subject import CHANNELS, Subject, subject_of
from napari_ptycho.engines.denoising import HALF_B, Halves, any_halves
from napari_ptycho.engines.halves import reconstruct_halves
from napari_ptycho.errors import OptionsError
from napari_ptycho.job import Update
from napari_ptycho.model import Curve, Reconstruction, Scan

__all__ = ["Honest", "HonestOptions", "honest", "honest_images"]
PART = 100.0
"""What a part counts in `done` and `total`."""
SEEDS = 2**31
MAKING = "making half reconstructions"
IN_PLACE = AlignOptions(shift=False)
"""Halves have the same probe and positions, so the same pixels."""
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Honest:
    """What has been found so far; what is not known yet is None."""

    halves: Halves | None = None
    raw: Frc | None = None
    """Of the halves before they were denoised."""
    different: Frc | None = None
    """Of the halves denoised with different seeds."""
    same: Frc | None = None
    """Of the halves denoised with the same seed."""
    invention: Curve | None = None
    """The invention spectrum: FRC(same seed) - FRC(different seeds)."""
    denoised: tuple[Plane, ...] = ()
    """Half A, half B with another seed, half B with the seed of A."""
    doing: str = ""
    """What is under way, and how far it is."""

    @property
    def honest(self) -> Frc | None:
        """The curve that tells the resolution: of the denoised halves if there are any."""
        return self.different or self.raw

    @property
    def invented(self) -> float | None:
        """Mean of the invention spectrum beyond the honest crossing; None where that is unknown."""
        place = None if self.different is None else self.different.crossing().first
        if self.invention is None or place is None:
            return None
        beyond = self.invention.x > place
        return float(self.invention.y[beyond].mean()) if beyond.any() else None

    def sentences(self) -> tuple[str, ...]:
        """Return what each curve means."""
        said = []
        if self.raw is not None:
            said.append(f"Raw halves: {_falls(self.raw)}. This is what the data alone say.")
        if self.different is not None:
            said.append(
                f"Denoised, different seeds: {_falls(self.different)}. Detail beyond that is not "
                "in the data."
            )
        if self.same is not None:
            said.append(
                f"Denoised, same seed: {_falls(self.same)}. What it shows above the curve of "
                "different seeds was invented by the network."
            )
        if self.invention is not None:
            said.append(_invention(self.invented))
        return tuple(said)

    def curves(self) -> tuple[Curve, ...]:
        """Return all curves there are, labelled."""
        named = {
            "raw halves": self.raw,
            "denoised, different seeds": self.different,
            "denoised, same seed": self.same,
        }
        found = [replace(one.curve, label=name) for name, one in named.items() if one is not None]
        return (*found, *([] if self.invention is None else [self.invention]))


def _falls(found: Frc) -> str:
    resolution = found.resolution()
    if resolution.value is None:
        return found.crossing().words
    return f"{found.crossing().words} ({resolution.name} {resolution.text()})"


def _invention(mean: float | None) -> str:
    if mean is None:
        return "Invention spectrum: no honest crossing, so nothing can be said of what lies beyond."
    return f"Invention spectrum: beyond the honest crossing {mean:.2f} on average (0: nothing)."


def honest(
    scan: Scan,
    reconstruction: Reconstruction,
    options: HonestOptions | None = None,
    frc_options: FrcOptions | None = None,
    denoise: DenoiseOptions | None = None,
    device: str = "auto",
    halves: Halves | None = None,
) -> Iterator[Update[Honest]]:
    """Measure the resolution by two independent halves: a job.

    Args:
        scan: The scan of the reconstruction.
        reconstruction: Its probe and positions are held fixed in both halves.
        options: How the halves are made, and the channel.
        frc_options: How they are correlated.
        denoise: How they are denoised; None leaves it at the raw halves.
        device: As in `engines.reconstruct`.
        halves: Half-count reconstructions that were made before; none are made then.

    Yields:
        Updates whose result grows; `PART` of `total` for each half reconstruction and
        denoising.

    Raises:
        PtychoError: As `engines.reconstruct_halves`, `denoise.dip` and `frc`.
    """
    options = options or HonestOptions()
    parts = (0 if halves else 1) + (3 if denoise else 0)
    total, done, told = max(PART * parts, 1.0), 0.0, _unlike(reconstruction)
    notes = told
    if halves is None:
        with closing(_as_generator(_made(scan, reconstruction, options, device))) as making:
            for made in making:
                halves = made.result
                notes = [*told, *(n for n in made.notes if not n.startswith(MAKING))]
                done = PART * made.done / max(made.total, 1)
                found = Honest(halves, doing=f"{MAKING}: {done / PART:.0%}")
                yield Update(done, total, made.history, found, tuple(notes))
    if halves is None:
        return
    pair = plane_of(halves[0], options.channel), plane_of(halves[1], options.channel)
    for update in honest_images(*pair, frc_options, denoise, device):
        shown = total if denoise is None else total - 3 * PART + update.done
        result = replace(update.result, halves=halves)
        yield Update(shown, total, update.history, result, (*notes, *update.notes))


def _unlike(reconstruction: Reconstruction) -> list[str]:
    """Say so if the halves are made in another way than the image."""
    priors = ", ".join(regularised(reconstruction.provenance))
    if not priors:
        return []
    return [
        f"'{reconstruction.name}' was regularised ({priors}), its halves are not: this FRC is that "
        "of plain rPIE. For the image itself give engines.reconstruct_halves its options"
    ]


def _made(
    scan: Scan, reconstruction: Reconstruction, options: HonestOptions, device: str
) -> Iterator[Update[Halves]]:
    if options.by == "photons":
        return any_halves(scan, reconstruction, options.seed, device)
    return reconstruct_halves(
        scan, reconstruction, seed=options.seed, device=device, by="positions"
    )


def honest_images(
    a: Plane,
    b: Plane,
    options: FrcOptions | None = None,
    denoise: DenoiseOptions | None = None,
    device: str = "auto",
) -> Iterator[Update[Honest]]:
    """Compare two independent images of the same thing, raw and denoised: a job.

    Neither image tells when the network of the other stops: where the rule is to look at a second
    copy, pixels are held out instead.

    Args:
        a: An image, or a channel of a half reconstruction.
        b: The other one, on the same pixels.
        options: How they are correlated.
        denoise: How they are denoised; None leaves it at that.
        device: As in `denoise.dip`.

    Raises:
        PtychoError: As `denoise.dip` and `frc`.
    """
    if a.shape != b.shape:
        raise OptionsError(
            f"{a.name} has {a.shape} pixels and {b.name} {b.shape}; need two of one shape"
        )
    found = Honest(raw=frc(a, b, options, IN_PLACE))
    total = 3 * PART if denoise else 1.0
    yield Update(0.0 if denoise else total, total, {}, found)
    if denoise is None:
        return
    rule = "auto" if denoise.stop == "second-copy" else denoise.stop
    first = replace(denoise, stop=rule)
    other = replace(first, seed=(first.seed + HALF_B) % SEEDS)
    runs = (a, first, "A"), (b, other, "B"), (b, first, "B, same seed")
    for number, (plane, settings, name) in enumerate(runs):
        done = number * PART
        reached = plane
        with closing(_as_generator(_denoised(plane, settings, device))) as job:
            for update in job:
                share = min(update.done / max(update.total, 1), 1.0)
                reached = update.result
                doing = replace(found, doing=f"denoising half {name}: {share:.0%}")
                yield Update(done + PART * share, total, update.history, doing, update.notes)
        found = _with(replace(found, denoised=(*found.denoised, reached)), options)
        yield Update(done + PART, total, {}, found)


def _with(found: Honest, options: FrcOptions | None) -> Honest:
    """Return what was found, with what the newest denoised image tells."""
    if len(found.denoised) == 2:
        return replace(found, different=_silent(frc(*found.denoised, options, IN_PLACE)))
    if len(found.denoised) < 3 or found.different is None:
        return found
    same = frc(found.denoised[0], found.denoised[2], options, IN_PLACE)
    same = replace(same, warnings=())  # the curve is there to show what it must not be
    one, two = same.curve, found.different.curve
    spectrum = Curve(one.x, one.y - two.y, one.x_unit, "FRC", "invention spectrum")
    return replace(found, same=same, invention=spectrum)


def _silent(found: Frc) -> Frc:
    """Return a correlation without the warning that both are denoised: here that is the point."""
    kept = tuple(text for text in found.warnings if not text.startswith("Both images"))
    return replace(found, warnings=kept)


def _denoised(plane: Plane, options: DenoiseOptions, device: str) -> Iterator[Update[Plane]]:
    subject = _subject(plane)
    processed = f"denoised ({options.architecture})"
    job = dip(subject.image, options, weight=subject.weight, device=device)
    with closing(_as_generator(job)) as updates:
        for update in updates:
            data = subject.whole(update.result.image)
            image = replace(plane, data=data, processed=processed)
            yield Update(update.done, update.total, update.history, image, update.notes)


def _subject(plane: Plane) -> Subject:
    if plane.of is not None and plane.channel in CHANNELS:
        return subject_of(plane.of, plane.channel)
    weight = None if plane.area.all() else plane.area.astype(np.float64)
    return Subject(image=plane.data, weight=weight)


def _as_generator(job: Iterator[Update[Result]]) -> Generator[Update[Result]]:
    """Jobs are generators: closing one stops what it runs."""
    return cast("Generator[Update[Result]]", job)
