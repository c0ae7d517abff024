"""The hallucination check: which details of a denoised image do the measured photons support?

The referee is the likelihood of the counts. Support is asked of photons that neither image has
seen: the scan is thinned into two halves, half A is reconstructed and denoised again as the whole
was, and the photons of half B say which of the two they prefer. Places and lattices are asked of
all photons. What needs no photons (lattices in the residual, its whiteness, blobs, the spread of an
ensemble) points at what to look at, and decides nothing.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, cast

import numpy as np

from napari_ptycho.assess import signs
from napari_ptycho.assess.again import denoised_half, recipe_options
from napari_ptycho.assess.case import Case, Pair, case_of
from napari_ptycho.assess.check_options import CheckOptions
from napari_ptycho.assess.lattices import beside, lattice_map, lattices
from napari_ptycho.assess.photons import score_map, support
from napari_ptycho.assess.plane import Plane, regularised
from napari_ptycho.assess.verdict import Check, Evidence, Place
from napari_ptycho.engines.referee import Referee
from napari_ptycho.errors import OptionsError
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan

PARTS = {"halves": 45.0, "half A denoised": 35.0, "photons": 20.0}
"""What each part counts in `done`."""
TOTAL = sum(PARTS.values())


def check(
    denoised: Reconstruction | Plane,
    original: Reconstruction | None = None,
    scan: Scan | None = None,
    options: CheckOptions | None = None,
    *,
    halves: Pair | None = None,
    device: str = "auto",
) -> Iterator[Update[Check]]:
    """Check a denoised or predicted image for hallucinations: a job.

    Args:
        denoised: A reconstruction whose object was denoised, or an image of a channel of
            `original`.
        original: The reconstruction before; None takes the mean of two half ones.
        scan: The very frames that it was made from (binned, if they were). Without it, only the
            tests that need no photons are made.
        options: What is looked for.
        halves: Half-count reconstructions that were made before (`engines.any_halves`).
        device: As in `engines.reconstruct`.

    Yields:
        Updates whose result grows; the last one is the whole check.

    Raises:
        OptionsError: The image is none, or does not fit the original.
        ScanError: The scan is not the one of the reconstruction.
        JobError: The device is not there, or has too little memory.
    """
    options, case = options or CheckOptions(), case_of(denoised, original)
    pixel = case.of.pixel_size_m
    found = Check(case.name, case.channel, case.area, case.values, pixel, notes=case.notes)
    if scan is None and case.original is None:
        raise OptionsError(
            f"{case.name}: neither the scan nor the original is known; need one of them to check "
            "against"
        )
    done = 0.0
    if scan is not None and (options.held_out or case.original is None):
        for update in _halves(scan, case, halves, (options.seed, device)):
            halves = update.result
            yield _told(found, update.done, update.notes[-1] if update.notes else "")
        assert halves is not None  # just made
        case = case.with_halves(halves)
        found = replace(found, halves=halves, notes=case.notes)
    done += PARTS["halves"]
    half: Reconstruction | None = None
    if scan is not None and options.held_out and halves is not None:
        for again in _half(case, halves, device):
            half = again.result
            yield _told(found, done + again.done, "denoising half of the photons again")
    done += PARTS["half A denoised"]
    found = signs.looked_at(found, case, halves)
    if scan is not None:
        yield _told(found, done, "asking the photons")
        for asked in _photons(found, case, scan, (halves, half), (options, device)):
            found, done = asked, done + 5
            yield _told(found, done, "asking the photons")
    yield Update(TOTAL, TOTAL, {}, found, found.notes)


def _told(found: Check, done: float, doing: str) -> Update[Check]:
    return Update(done, TOTAL, {}, replace(found, doing=doing), found.notes)


def _halves(
    scan: Scan, case: Case, halves: Pair | None, how: tuple[int, str]
) -> Iterator[Update[Pair]]:
    from napari_ptycho.engines.denoising import any_halves

    if halves is not None:
        yield Update(PARTS["halves"], TOTAL, {}, halves)
        return
    job = any_halves(scan, case.of, *how)
    with closing(cast("Generator[Update[Pair]]", job)):
        for update in job:
            yield replace(update, done=PARTS["halves"] * update.done / update.total)


def _half(case: Case, halves: Pair, device: str) -> Iterator[Update[Reconstruction | None]]:
    """Denoise half A as the whole was, if that is known."""
    options = None if case.recipe is None else recipe_options(case.recipe)
    if options is None:
        return
    channel = str((case.recipe or {}).get("channel", case.channel))
    job = denoised_half(halves[0], channel, options, device)
    with closing(cast("Generator[Update[Any]]", job)):
        for update in job:
            share = min(1.0, update.done / update.total)
            yield replace(update, done=PARTS["half A denoised"] * share)


def _photons(
    found: Check,
    case: Case,
    scan: Scan,
    made: tuple[Pair | None, Reconstruction | None],
    how: tuple[CheckOptions, str],
) -> Iterator[Check]:
    """Ask the photons: for the whole image, for places, for lattices."""
    every = Referee(scan, case.of, how[1])
    found = _of_support(found, case, (scan, every), made, how)
    yield found
    found = _of_places(found, case, every, how[0])
    yield found
    yield _of_lattices(found, case, every, signs.periods_of(scan, case))


def _of_support(
    found: Check,
    case: Case,
    asked: tuple[Scan, Referee],
    made: tuple[Pair | None, Reconstruction | None],
    how: tuple[CheckOptions, str],
) -> Check:
    """Ask for the whole image: held-out photons where half of them could be denoised again."""
    (scan, every), (halves, half), (options, device) = asked, made, how
    assert case.original is not None  # given, or the mean of two halves
    notes = [*found.notes, *every.notes]
    used = case.of.provenance.get("scan_checksum")
    if used and used != every.checksum:
        notes.append(
            f"{scan.name}: its counts are not those that the reconstruction was made from; the "
            "photons of another exposure, or another binning, were asked"
        )
    if half is not None and halves is not None:
        split = halves[1].provenance["half"]
        judge = Referee(scan, case.of, device, half=1, by=split["by"], seed=split["seed"])
        said = support(judge, half.object, halves[0].object, held_out=True)
        where = judge.positions_px
    else:
        said = support(every, case.image, case.original, held_out=False)
        where = every.positions_px
        if options.held_out:
            notes.append(_seen(case))
    centres = where + np.array(case.of.probe.shape[1:]) / 2
    found = replace(found, support=said, centres_px=centres, notes=tuple(notes))
    return _with(found, signs.of_support(said))


def _of_places(found: Check, case: Case, every: Referee, options: CheckOptions) -> Check:
    """Ask where the photons want another value, and whether the original is wrong there too."""
    assert case.original is not None  # asked before
    size, channel, seed = options.sigma_px, case.channel, options.seed
    scores = score_map(every, case.image, case.area, size, channel, seed)
    places: tuple[Place, ...] = ()
    if scores.spots:
        before = score_map(every, case.original, case.area, size, channel, seed)
        places = signs.places_of(scores, before, case, size)
    found = replace(found, scores=scores, places=places, maps={"score": scores.map, **found.maps})
    return _with(found, signs.of_places(places, scores, channel))


def _of_lattices(
    found: Check, case: Case, every: Referee, periods: Sequence[float | tuple[float, float]]
) -> Check:
    """Ask for lattices, whether the original has those that are wrong, and where they are."""
    assert case.original is not None  # asked before
    channel, maps = case.channel, dict(found.maps)
    grids = lattices(every, case.image, case.area, periods, channel)
    if any(one.wrong for one in grids):
        grids = beside(grids, lattices(every, case.original, case.area, periods, channel))
    if wrong := [one for one in grids if one.contradicted]:
        where = lattice_map(every, case.image, case.area, wrong, channel)
        maps = {"lattice": where, **maps}
    return _with(replace(found, lattices=grids, maps=maps), signs.of_lattices(grids, channel))


def _seen(case: Case) -> str:
    """Say why photons were asked that the image was made from."""
    if case.of.provenance.get("predicted"):
        return (
            "a network predicted it from these very photons, which did not teach it: they were "
            "asked, beside an original that has fitted their noise"
        )
    if case.recipe is None and (priors := regularised(case.of.provenance)):
        return (
            f"an engine made it ({', '.join(priors)}), and is not run again on half of the "
            "photons: those that it has seen were asked, which rejects most denoisers"
        )
    return (
        "how the image was made is not known, so it could not be made again from half of the "
        "photons: those that it has seen were asked, which rejects most denoisers"
    )


def _with(found: Check, evidence: Evidence) -> Check:
    """Put evidence of the photons first."""
    photons = [one for one in found.evidence if one.test in ("photons", "places", "lattice")]
    others = [one for one in found.evidence if one not in photons]
    return replace(found, evidence=(*photons, evidence, *others))
