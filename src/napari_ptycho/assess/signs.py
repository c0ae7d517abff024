"""Each test of the hallucination check in words: what it found, and whether that is an alarm."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy

from napari_ptycho.assess.case import Case, Pair
from napari_ptycho.assess.lattices import Lattice
from napari_ptycho.assess.photons import ScoreMap, Support
from napari_ptycho.assess.rectangle import smallest_rectangle
from napari_ptycho.assess.residual import (
    BLOB_ALARM_Z,
    LOCAL_ALARM,
    WHITE_ALARM_Z,
    Noise,
    blobs,
    local_grid,
    whiteness,
)
from napari_ptycho.assess.verdict import IN_ORIGINAL, Check, Evidence, Place
from napari_ptycho.denoise.grid import alarm_db, alarms, grid_db, lattice_bins
from napari_ptycho.model import Scan
from napari_ptycho.model.arrays import Floats
from napari_ptycho.prepare import find_raster

PERIODS = (2, 4, 8, 16)
LARGEST_STEP = 64  # pixels; a longer scan step is no lattice in an image
SPREAD_ALARM = 3.0  # times the median spread
NOTHING = 1e-3  # of the noise: what rounding takes away
SEEN = 0.01  # share of the area that an alarm of a map needs


def looked_at(found: Check, case: Case, halves: Pair | None) -> Check:
    """Make the tests that need no photons."""
    evidence, maps = list(found.evidence), dict(found.maps)
    residual = case.residual
    if residual is not None:
        evidence.append(of_grid(residual, case))
        maps["local grid"] = local_grid(residual, case.area)
        evidence.append(of_local_grid(maps["local grid"]))
        noise = noise_of(case, halves)
        evidence.append(of_whiteness(residual, noise, case))
        maps["blobs"] = blobs(residual, noise, case.area)
        evidence.append(of_blobs(maps["blobs"]))
    if case.spread is not None:
        maps["spread"] = np.where(case.area, case.spread, np.nan)
        evidence.append(of_spread(case.spread, case))
    return replace(found, evidence=tuple(evidence), maps=maps)


def noise_of(case: Case, halves: Pair | None) -> Noise:
    """Return the noise of the original: from two halves, or as if it were white."""
    if halves is not None:
        first, second = (case.shown(half.object) for half in halves)
        return Noise.of_halves(first, second, case.area)
    assert case.before is not None  # asked before
    return Noise.white(case.before, case.area)


def periods_of(scan: Scan, case: Case) -> list[float | tuple[float, float]]:
    """Return the periods of lattices to look for: 2, 4, 8, 16, and the steps of a raster."""
    found: list[float | tuple[float, float]] = [*map(float, PERIODS)]
    raster = find_raster(scan)
    if raster is None or raster.rows < 2 or raster.columns < 2:
        return found
    span = np.ptp(case.of.positions_px, axis=0)
    lines = (raster.rows, raster.columns)
    y, x = span / (np.array(lines if raster.fast_axis == "x" else lines[::-1]) - 1)
    if min(y, x) > 2 and max(y, x) < LARGEST_STEP and (y, x) not in [(p, p) for p in PERIODS]:
        found.append((float(y), float(x)))
    return found


def of_support(found: Support) -> Evidence:
    """Put the preference of the photons into words."""
    seen = "that neither image has seen" if found.held_out else "that both were made from"
    likelier, than = ("likelier" if found.mean < 0 else "less likely"), "than"
    if abs(found.t) < 0.05:
        likelier, than = "as likely", "as"
    sentence = (
        f"The photons {seen} are {likelier} with this image {than} with the original: "
        f"t = {found.t:+.1f} over {len(found.per_frame)} patterns ({found.verdict})."
    )
    if not found.held_out and found.t > 0:
        sentence += " Photons that were seen reject most denoisers, so this decides nothing."
    numbers = {"t": found.t, "nats_per_frame": found.mean, "held_out": found.held_out}
    return Evidence("photons", sentence, found.verdict == "contradicted", numbers)


def places_of(scores: ScoreMap, before: ScoreMap, case: Case, sigma: float) -> tuple[Place, ...]:
    """Tell what the image did at each place that the photons object to."""
    assert case.before is not None  # asked before
    now, then = (_detail(values, sigma) for values in (case.values, case.before))
    found = []
    for spot in scores.spots:
        kind = "added" if abs(now[spot.y, spot.x]) > abs(then[spot.y, spot.x]) else "removed"
        near = before.map[max(0, spot.y - 2) : spot.y + 3, max(0, spot.x - 2) : spot.x + 3]
        if np.nanmax(np.abs(near)) > abs(spot.score) / 2:
            kind = IN_ORIGINAL
        found.append(Place(spot.y, spot.x, spot.score, spot.wanted, kind))
    return tuple(found)


def _detail(values: Floats, sigma: float) -> Floats:
    return np.asarray(
        scipy.ndimage.gaussian_filter(values, sigma)
        - scipy.ndimage.gaussian_filter(values, 2 * sigma)
    )


def of_places(places: Sequence[Place], scores: ScoreMap, channel: str) -> Evidence:
    """Put the places that the photons object to into words."""
    unit = "rad" if channel == "phase" else "of the amplitude"
    wrong = [one for one in places if one.kind != IN_ORIGINAL]
    old = len(places) - len(wrong)
    numbers = {"largest_score": scores.largest, "places": len(wrong), "in_the_original": old}
    rest = f" {old} more were in the original already." if old else ""
    if not wrong:
        sentence = f"No new place stands out (largest |S| {scores.largest:.1f}, alarm at 5).{rest}"
        return Evidence("places", sentence, False, numbers)
    worst = wrong[0]
    plural = "place is" if len(wrong) == 1 else "places are"
    sentence = (
        f"{len(wrong)} {plural} contradicted, first of all (row {worst.y}, column {worst.x}): "
        f"the image {worst.kind} about {abs(worst.wanted):.2g} {unit} there "
        f"(S = {worst.score:+.1f}).{rest}"
    )
    return Evidence("places", sentence, True, numbers)


def of_lattices(found: Sequence[Lattice], channel: str) -> Evidence:
    """Put the lattices that the photons object to into words."""
    unit = "rad" if channel == "phase" else "of the amplitude"
    wrong = [one for one in found if one.contradicted]
    old = sum(one.wrong and one.in_original for one in found)
    rest = f" {old} more were in the original already." if old else ""
    worst = found[0] if found else None
    numbers = {
        "in_the_original": old,
        "largest_t": None if worst is None else worst.t,
        "contradicted": [
            {"period_px": one.period_px, "orders": one.orders, "rms": one.rms, "t": one.t}
            for one in wrong
        ],
    }
    if not wrong:
        size = "" if worst is None else f" (largest t {worst.t:.1f}, alarm at 4)"
        sentence = f"No new lattice is contradicted{size}.{rest}"
        return Evidence("lattice", sentence, False, numbers)
    one = wrong[0]
    y, x = one.period_px
    period = f"{y:.3g}" if y == x else f"{y:.3g} x {x:.3g}"
    sentence = (
        f"A lattice of period {period} pixels and {one.rms:.2g} {unit} rms is not in the sample: "
        f"without it the patterns are likelier (t = {one.t:.1f}).{rest}"
    )
    return Evidence("lattice", sentence, True, numbers)


def of_grid(residual: Floats, case: Case) -> Evidence:
    """Score lattices in what was taken away, and tell which of the two images has them."""
    box = smallest_rectangle(case.area)
    taken, left = (
        np.where(case.area, image - image[case.area].mean(), 0)[box]
        for image in (residual, case.values)
    )
    scores = grid_db(taken, PERIODS)
    wrong = alarms(scores)
    own = [period for period in wrong if _is_own(taken, left, period)]
    numbers = {
        "residual_db": {str(period): score for period, score in scores.items()},
        "output_db": {str(period): score for period, score in grid_db(left, PERIODS).items()},
        "added": own,
    }
    told = ", ".join(f"period {p}: {scores[p]:.1f} dB (alarm at {alarm_db(p):g})" for p in wrong)
    if not wrong:
        return Evidence("grid", "No grid in what was taken away.", False, numbers)
    if not own:
        sentence = f"A grid of the original was taken away: {told}."
        return Evidence("grid", sentence, False, numbers)
    return Evidence(
        "grid", f"The image has a grid that the original has not: {told}.", True, numbers
    )


def _is_own(taken: Floats, left: Floats, period: int) -> bool:
    """Whether a lattice in the residual d = original - image is the image's own.

    Then d = -lattice there, and runs against the image: -Re(d X*) > |d|^2 / 2.
    """
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in taken.shape))
    d, x = (np.fft.fft2(image * window) for image in (taken, left))
    at = lattice_bins(period, *taken.shape)
    against = -sum(float((d[place] * x[place].conj()).real) for place in at)
    return against > sum(float(abs(d[place]) ** 2) for place in at) / 2


def of_local_grid(found: Floats) -> Evidence:
    """Tell where a grid is, of the local map."""
    largest = float(np.nanmax(found))
    area = float(np.nansum(found > LOCAL_ALARM) / np.isfinite(found).sum())
    numbers = {"largest": largest, "share_of_area": area}
    if largest <= LOCAL_ALARM:
        sentence = f"No part has a grid of its own (largest {largest:.0f}, alarm at 30)."
        return Evidence("local grid", sentence, False, numbers)
    sentence = f"{area:.0%} of the area has a grid of period 2 or 4 (largest {largest:.0f})."
    return Evidence("local grid", sentence, True, numbers)


def of_whiteness(residual: Floats, noise: Noise, case: Case) -> Evidence:
    """Tell whether what was taken away is noise."""
    against = "white noise" if noise.sample is None else "the noise of the halves"
    if not np.std(residual[case.area]) > NOTHING * np.median(noise.sigma[case.area]):
        return Evidence("whiteness", "Nothing was taken away.")
    z = whiteness(residual, noise, case.area)
    numbers = {"z": z, "against_white_noise": noise.sample is None}
    if z <= WHITE_ALARM_Z:
        sentence = f"What was taken away is like {against} (z {z:.1f}, alarm at 10)."
        return Evidence("whiteness", sentence, False, numbers)
    sentence = f"What was taken away is not like {against} (z {z:.0f}): it holds structure."
    return Evidence("whiteness", sentence, True, numbers)


def of_blobs(found: Floats) -> Evidence:
    """Tell whether blobs were added or taken away."""
    size = np.abs(np.nan_to_num(found))
    y, x = np.unravel_index(int(size.argmax()), size.shape)
    largest = float(size[y, x])
    numbers = {"largest_z": largest, "y": int(y), "x": int(x)}
    if largest <= BLOB_ALARM_Z:
        sentence = f"No blob in what was taken away (largest |z| {largest:.1f}, alarm at 6)."
        return Evidence("blobs", sentence, False, numbers)
    way = "removed" if found[y, x] > 0 else "added"
    sentence = f"A blob was {way} at (row {y}, column {x}): |z| {largest:.1f}."
    return Evidence("blobs", sentence, True, numbers)


def of_spread(spread: Floats, case: Case) -> Evidence:
    """Tell where the networks of an ensemble disagree."""
    inside = spread[case.area]
    limit = SPREAD_ALARM * float(np.median(inside))
    share = float((inside > limit).mean())
    numbers = {"median": float(np.median(inside)), "share_of_area": share}
    sentence = (
        f"The networks disagree more than three times as much as usual over {share:.1%} of the "
        "area. (Their spread is less than the true error, and blind to what all of them invent.)"
    )
    return Evidence("spread", sentence, share > SEEN, numbers)
