"""The whole check on a simulated scan: what is contradicted, by which photons, and what is said."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho import assess
from napari_ptycho.assess.check_options import CheckOptions
from napari_ptycho.assess.hallucination import TOTAL, check
from napari_ptycho.assess.plane import Plane, plane_of
from napari_ptycho.denoise import ClassicalOptions, DenoiseOptions, classical, dip
from napari_ptycho.denoise.subject import applied, subject_of
from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.job import run_to_end
from napari_ptycho.physics import simulate

from .scenes import blob, last, lattice, reconstructed

QUICK = CheckOptions(held_out=False)
SEEN = ("photons", "places", "lattice")
NETWORK = DenoiseOptions.of("arch1-bilinear", iterations=12, stop="none", inputs=1)


@pytest.fixture(scope="module")
def bright():
    """Scan, truth, and a reconstruction of many photons."""
    return reconstructed()


@pytest.fixture(scope="module")
def dim():
    """Scan and reconstruction of so few photons that denoising helps."""
    scan, _, raw = reconstructed(photons=1e3, epochs=30)
    return scan, raw


def planted(truth, phase):
    image = (truth.object * np.exp(1j * phase)).astype(np.complex64)
    return replace(truth, object=image, name="planted")


def checked(*args, options=QUICK, **more):
    update = last(check(*args, options, device="cpu", **more))
    assert update.done == update.total == TOTAL
    assert update.result.doing == ""
    assert update.notes == update.result.notes
    return update.result


def alarms(found):
    return {one.test for one in found.alarms}


def test_of_the_truth_nothing_is_contradicted(bright):
    scan, truth, raw = bright
    found = checked(truth, raw, scan)
    assert found.verdict == "neutral"  # photons that were seen support nothing
    assert not alarms(found) & {*SEEN, "grid"}
    assert found.places == ()
    assert [one.test for one in found.evidence[:3]] == list(SEEN)
    assert found.support.t < -3
    assert not found.support.held_out
    assert set(found.maps) == {"score", "local grid", "blobs"}
    assert all(one.shape == truth.object.shape for one in found.maps.values())
    corners = truth.positions_px + 32
    np.testing.assert_allclose(found.centres_px, corners)
    assert found.notes == ()


def test_a_grid_is_contradicted_and_its_period_named(bright):
    scan, truth, raw = bright
    found = checked(planted(truth, lattice(truth.object.shape, 4, 0.02)), raw, scan)
    assert found.verdict == "contradicted"
    assert "a lattice of period 4" in found.sentence()
    worst = found.lattices[0]
    assert worst.period_px == (4, 4)
    assert worst.rms == pytest.approx(0.02 / 2, rel=0.4)
    assert {"lattice", "grid"} <= alarms(found)
    assert "places" not in alarms(found)
    lit = np.isfinite(found.maps["lattice"])
    assert np.median(found.maps["lattice"][lit]) == pytest.approx(0.02 / 2, rel=0.3)


def test_a_grid_in_a_part_is_mapped_where_it_is(bright):
    scan, truth, raw = bright
    grid = lattice(truth.object.shape, 4, 0.06)
    grid[:, grid.shape[1] // 2 :] = 0
    found = checked(planted(truth, grid), raw, scan)
    assert found.lattices[0].contradicted
    left, right = np.array_split(found.maps["lattice"], 2, axis=1)
    assert np.nanmedian(left) == pytest.approx(0.06 / 2, rel=0.3)
    assert np.nanmedian(right) < np.nanmedian(left) / 5


@pytest.mark.parametrize(("size", "wanted"), [(0.25, -0.25), (-0.25, 0.25)])
def test_a_blob_is_contradicted_at_its_place(bright, size, wanted):
    scan, truth, raw = bright
    found = checked(planted(truth, blob(truth.object.shape, (104, 90), size)), raw, scan)
    assert found.verdict == "contradicted"
    [place] = found.invented
    assert np.hypot(place.y - 104, place.x - 90) < 3
    assert place.wanted == pytest.approx(wanted, rel=0.4)
    assert f"row {place.y}, column {place.x}" in found.evidence[1].sentence
    assert found.sentence() == "Contradicted: the measured photons reject 1 place in it."


def test_what_was_wrong_before_is_not_held_against_the_image(bright):
    scan, truth, _ = bright
    shape = truth.object.shape
    spoilt = planted(truth, blob(shape, (104, 90), 0.25) + lattice(shape, 4, 0.02))
    found = checked(replace(spoilt, name="denoised"), spoilt, scan)
    assert found.verdict == "neutral"
    assert [one.kind for one in found.places] == ["already in the original"]
    assert any(one.wrong for one in found.lattices)
    assert not any(one.contradicted for one in found.lattices)
    # nothing was taken away, and no test makes something of it
    assert alarms(found) == set()
    assert found.support.t == 0


@pytest.mark.parametrize("how", ["nlm", "network"])
def test_photons_that_were_held_out_judge_a_recipe_of_ours(dim, how):
    """Of 500 photons NLM makes a better image; 12 iterations of a network do not."""
    scan, raw = dim
    subject = subject_of(raw, "phase")
    if how == "nlm":
        made = classical(subject.image, ClassicalOptions(method="nlm"), weight=subject.weight)
    else:
        made = run_to_end(dip(subject.image, NETWORK, weight=subject.weight, device="cpu"))
    denoised = applied(subject, made)
    updates = list(check(denoised, raw, scan, CheckOptions(seed=5), device="cpu"))
    found = updates[-1].result
    assert found.support.held_out
    assert found.verdict == ("supported" if how == "nlm" else "contradicted")
    assert found.as_dict()["held_out"] is True
    assert [half.provenance["half"]["seed"] for half in found.halves] == [5, 5]
    assert [half.provenance["half"]["by"] for half in found.halves] == ["photons"] * 2
    assert not any("not known" in note for note in found.notes)
    done = [update.done for update in updates]
    assert done == sorted(done)
    doing = [update.result.doing for update in updates]
    assert doing[0].startswith("making half reconstructions")
    assert "denoising half of the photons again" in doing
    assert doing[-2:] == ["asking the photons", ""]
    # a second time with the same halves: nothing is made again, and the same is said
    again = list(check(denoised, raw, scan, CheckOptions(), halves=found.halves, device="cpu"))
    assert not any(update.result.doing.startswith("making") for update in again)
    assert again[-1].result.support.t == pytest.approx(found.support.t)
    assert again[-1].result.halves is found.halves


def test_the_seed_and_the_size_matter(bright):
    scan, truth, raw = bright
    image = planted(truth, blob(truth.object.shape, (104, 90), 0.06, sigma=8))
    one, other, large = (
        checked(image, raw, scan, options=replace(QUICK, **values))
        for values in ({}, {"seed": 1}, {"sigma_px": 8.0})
    )
    assert one.scores.noise != other.scores.noise
    assert large.scores.largest > 1.2 * one.scores.largest


def test_without_a_scan_only_signs_are_read(bright):
    _, truth, raw = bright
    found = checked(planted(truth, lattice(truth.object.shape, 2, 0.05)), raw, None)
    assert found.verdict == "not tested"
    assert "without the scan the photons cannot be asked" in found.sentence()
    assert {one.test for one in found.evidence} == {"grid", "local grid", "whiteness", "blobs"}
    assert {"grid", "local grid"} <= alarms(found)
    assert (found.support, found.scores, found.lattices) == (None, None, ())
    with pytest.raises(OptionsError, match="planted: neither the scan nor the original is known"):
        next(check(planted(truth, 0)))


def test_an_unknown_recipe_asks_photons_that_were_seen_and_says_so(bright):
    scan, truth, raw = bright
    halves = truth_halves(truth)
    found = checked(truth, raw, scan, options=CheckOptions(), halves=halves)
    assert not found.support.held_out
    assert found.verdict == "neutral"
    assert "how the image was made is not known" in found.notes[-1]
    assert "that both were made from" in found.evidence[0].sentence
    assert found.halves is halves


def test_an_image_that_an_engine_smoothed_is_checked_and_named_so(bright):
    scan, truth, _ = bright
    runs = [{"engine": "rPIE", "options": {"denoiser": "dip"}}]
    smooth = replace(truth, provenance={**truth.provenance, "runs": runs})
    found = checked(
        plane_of(smooth), None, scan, options=CheckOptions(), halves=truth_halves(truth)
    )
    assert found.notes[0].startswith("the original is the mean of two half")
    assert "an engine made it (denoiser = dip), and is not run again" in found.notes[-1]


def truth_halves(truth):
    """As if they had been made before, with noise of their own."""
    made = []
    for number, name in enumerate("AB"):
        noise = np.random.default_rng(number).normal(scale=0.1, size=truth.object.shape)
        half = {"half": name, "by": "photons", "seed": 0}
        image = (truth.object * np.exp(1j * noise)).astype(np.complex64)
        made.append(replace(truth, object=image, provenance={"half": half}))
    return made[0], made[1]


def test_without_an_original_halves_are_made_for_one(bright):
    scan, truth, _ = bright
    found = checked(replace(truth, name="predicted"), None, scan)
    assert found.halves is not None
    assert found.notes[0].startswith("the original is the mean of two half")
    assert found.verdict == "neutral"
    assert not any("not known" in note for note in found.notes)  # held-out was not asked for


def test_a_plain_image_is_checked_beside_its_original(bright):
    scan, truth, raw = bright
    phase = plane_of(raw).data + blob(truth.object.shape, (104, 90), 0.3) + 0.4
    found = checked(Plane(phase, name="a.tif"), raw, scan)
    assert found.verdict == "contradicted"
    assert np.hypot(found.invented[0].y - 104, found.invented[0].x - 90) < 3
    assert "an offset of" in found.notes[0]
    with pytest.raises(OptionsError, match=r"a\.tif: a plain image"):
        next(check(Plane(phase, name="a.tif"), None, scan))


@pytest.mark.parametrize("options", [QUICK, CheckOptions()])
def test_another_scan_is_refused(bright, options):
    scan, truth, raw = bright
    few = simulate(truth.object, truth.probe, truth.positions_px[:9])
    for other in (few, replace(scan, name="other")):
        with pytest.raises(ScanError, match="need a reconstruction of this scan"):
            last(check(raw, raw, other, options, device="cpu"))


def test_other_counts_are_noticed(bright):
    scan, _, raw = bright
    assert checked(raw, raw, scan).notes == ()
    patterns = scan.patterns.copy()
    patterns[0, 0, 0] += 1
    [note] = checked(raw, raw, replace(scan, patterns=patterns)).notes
    assert "its counts are not those that the reconstruction was made from" in note


def test_counts_that_are_no_photons_are_split_by_positions(bright):
    scan, _, raw = bright
    gain = replace(scan, patterns=scan.patterns * 3)
    subject = subject_of(raw, "phase")
    made = classical(subject.image, ClassicalOptions(method="tv"), weight=subject.weight)
    found = checked(applied(subject, made), raw, gain, options=CheckOptions())
    assert [half.provenance["half"]["by"] for half in found.halves] == ["positions"] * 2
    assert found.support.held_out
    assert len(found.support.per_frame) == len(found.centres_px) in (144, 145)


def test_closing_it_early_leaves_nothing_behind(bright):
    scan, _, raw = bright
    for steps in (1, 3):
        job = check(applied_tv(raw), raw, scan, CheckOptions(), device="cpu")
        for _ in range(steps):
            update = next(job)
        assert update.done < TOTAL
        assert update.result.verdict == "not tested"
        job.close()
        assert next(job, None) is None


def applied_tv(raw):
    subject = subject_of(raw, "phase")
    return applied(subject, classical(subject.image, weight=subject.weight))


def test_the_package_offers_it():
    assert assess.check is check
    assert assess.CheckOptions is CheckOptions
