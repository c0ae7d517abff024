"""Each test in words: from which value on it alarms, and what it says."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.assess import signs
from napari_ptycho.assess.case import case_of
from napari_ptycho.assess.lattices import LATTICE_DB, LATTICE_T, Lattice
from napari_ptycho.assess.photons import SPOT_S, ScoreMap, Spot, Support
from napari_ptycho.assess.residual import Noise
from napari_ptycho.assess.verdict import Check
from napari_ptycho.denoise.grid import ALARM_DB
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.samples import small_scan
from tests.prepare.trajectories import raster

from .scenes import blob, lattice

FRAMES = np.zeros(9)


@pytest.fixture(scope="module")
def raw():
    """The truth with white noise of 0.05 rad."""
    truth = small_scan("fibres")[1]
    noise = 0.05 * np.random.default_rng(0).normal(size=truth.object.shape)
    return replace(truth, object=(truth.object * np.exp(1j * noise)).astype(np.complex64))


@pytest.fixture(scope="module")
def clean():
    return small_scan("fibres")[1]


@pytest.fixture(scope="module")
def case(raw, clean):
    return case_of(clean, raw)


def with_change(case, change):
    return replace(case, values=case.values + change)


@pytest.mark.parametrize(
    ("t", "held_out", "alarm", "words"),
    [
        (-3.1, True, False, "that neither image has seen are likelier with this image than"),
        (-3.1, False, False, "that both were made from are likelier"),
        (2.9, True, False, "are less likely with this image"),
        (3.1, True, True, "t = +3.1 over 9 patterns (contradicted)"),
        (3.1, False, False, "reject most denoisers, so this decides nothing"),
        (0.0, True, False, "are as likely with this image as with the original"),
    ],
)
def test_the_preference_of_the_photons(t, held_out, alarm, words):
    found = signs.of_support(Support(t, t / 10, FRAMES, held_out))
    assert found.alarm is alarm
    assert words in found.sentence
    assert found.numbers == {"t": t, "nats_per_frame": t / 10, "held_out": held_out}
    assert ("decides nothing" in found.sentence) == (t > 0 and not held_out)


def score_of(*spots):
    image = np.zeros((40, 40))
    for spot in spots:
        image[spot.y, spot.x] = spot.score
    return ScoreMap(image, tuple(spots), 1.0)


def test_places_are_added_or_removed_or_were_there_before(case):
    shape = case.values.shape
    added, gone = (blob(shape, at, 0.5) for at in ((100, 60), (60, 120)))
    flat = replace(case, values=added, before=gone)
    spots = Spot(100, 60, -9.0, -0.5), Spot(60, 120, 8.0, 0.5), Spot(80, 80, 6.0, 0.1)
    before = np.zeros(shape)
    before[82, 78], before[100, 60] = 3.1, -4.4  # more, and less, than half
    scores = ScoreMap(np.zeros(shape), spots, 1.0)
    places = signs.places_of(scores, ScoreMap(before, (), 1.0), flat, 4.0)
    assert [one.kind for one in places] == ["added", "removed", "already in the original"]
    found = signs.of_places(places, scores, "phase")
    assert found.alarm
    assert found.sentence.startswith(
        "2 places are contradicted, first of all (row 100, column 60): the image added about 0.5 "
        "rad there (S = -9.0). 1 more were in the original already."
    )
    one = signs.of_places(places[1:2], scores, "amplitude")
    assert one.sentence.startswith("1 place is contradicted")
    assert "removed about 0.5 of the amplitude" in one.sentence
    old = signs.of_places(places[2:], scores, "phase")
    assert not old.alarm
    assert old.numbers["in_the_original"] == 1


def test_no_place_is_no_alarm_and_the_level_is_said():
    found = signs.of_places((), score_of(Spot(1, 1, 4.9, 0)), "phase")
    assert (found.alarm, found.sentence) == (
        False,
        "No new place stands out (largest |S| 4.9, alarm at 5).",
    )
    assert SPOT_S == 5


@pytest.mark.parametrize(
    ("t", "db", "old", "alarm"),
    [
        (LATTICE_T - 0.01, 20, False, False),
        (LATTICE_T + 0.01, 20, False, True),
        (LATTICE_T + 0.01, LATTICE_DB - 0.01, False, False),
        (9.0, 20, True, False),
    ],
)
def test_a_lattice_alarms_beyond_4_where_it_stands_out_and_is_new(t, db, old, alarm):
    assert LATTICE_T == 4
    found = signs.of_lattices([Lattice((4.0, 4.0), (1, 1), 0.01, t, db, old)], "phase")
    assert found.alarm is alarm
    assert ("1 more were in the original already" in found.sentence) == old
    assert len(found.numbers["contradicted"]) == alarm
    if alarm:
        assert "A lattice of period 4 pixels and 0.01 rad rms is not in the sample" in (
            found.sentence
        )


def test_lattices_of_a_scan_have_two_periods_and_none_is_fine():
    steps = Lattice((9.3, 7.1), (1, 0), 0.01, 8.0, 9.0)
    assert "period 9.3 x 7.1 pixels and 0.01 of the amplitude" in (
        signs.of_lattices([steps], "amplitude").sentence
    )
    none = signs.of_lattices([], "phase")
    assert (none.alarm, none.sentence) == (False, "No new lattice is contradicted.")


@pytest.mark.parametrize("period", [2, 4, 8, 16])
def test_a_grid_alarms_at_the_level_of_its_period(case, monkeypatch, period):
    assert ALARM_DB == {2: 7.0, 4: 5.0, 8: 2.5, 16: 1.2}
    waves = lattice(case.values.shape, period, 0.05)
    own = with_change(case, waves)
    for above in (-0.01, 0.01):
        scores = dict.fromkeys(ALARM_DB, 0.0) | {period: ALARM_DB[period] + above}
        monkeypatch.setattr(signs, "grid_db", lambda image, periods, scores=scores: scores)
        found = signs.of_grid(own.residual, own)
        assert found.alarm is (above > 0)
        assert found.numbers["added"] == ([period] if above > 0 else [])


@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_grid_is_told_apart_from_one_that_was_taken_away(case, period):
    waves = lattice(case.values.shape, period, 0.05)
    own = with_change(case, waves)
    found = signs.of_grid(own.residual, own)
    assert found.alarm
    assert found.numbers["added"] == [period]
    assert found.sentence.startswith("The image has a grid that the original has not: period")
    freed = replace(case, before=case.before + waves)
    taken = signs.of_grid(freed.residual, freed)
    assert not taken.alarm
    assert taken.sentence.startswith("A grid of the original was taken away")
    none = signs.of_grid(case.residual, case)
    assert (none.alarm, none.sentence) == (False, "No grid in what was taken away.")


@pytest.mark.parametrize(("value", "alarm"), [(30.0, False), (30.1, True)])
def test_a_local_grid_alarms_beyond_30(value, alarm):
    found = np.full((20, 20), np.nan)
    found[5:15, 5:15] = 1
    found[5:10, 5:15] = value
    said = signs.of_local_grid(found)
    assert said.alarm is alarm
    assert said.numbers["share_of_area"] == (0.5 if alarm else 0)
    assert ("50% of the area has a grid" in said.sentence) == alarm


@pytest.mark.parametrize(("z", "alarm"), [(10.0, False), (10.1, True)])
def test_whiteness_alarms_beyond_10(case, monkeypatch, z, alarm):
    monkeypatch.setattr(signs, "whiteness", lambda *_: z)
    white = Noise.white(case.before, case.area)
    said = signs.of_whiteness(case.residual, white, case)
    assert said.alarm is alarm
    assert "white noise" in said.sentence
    halves = Noise(white.sigma, np.zeros(white.sigma.shape))
    assert "the noise of the halves" in signs.of_whiteness(case.residual, halves, case).sentence


def test_noise_is_white_structure_is_not_and_nothing_is_nothing(case):
    white = Noise.white(case.before, case.area)
    assert not signs.of_whiteness(case.residual, white, case).alarm
    rounding = 1e-7 * np.cumsum(np.ones(case.values.shape), axis=0)
    for nothing in (0 * rounding, rounding):
        said = signs.of_whiteness(nothing, white, case)
        assert (said.alarm, said.sentence) == (False, "Nothing was taken away.")
    structure = case.residual + blob(case.values.shape, (90, 90), 0.2)
    assert signs.of_whiteness(structure, white, case).alarm


@pytest.mark.parametrize(("z", "word"), [(6.0, ""), (6.1, "removed"), (-6.1, "added")])
def test_blobs_alarm_beyond_6(case, z, word):
    found = np.full((20, 20), np.nan)
    found[5:15, 5:15] = 0.5
    found[7, 9] = z
    said = signs.of_blobs(found)
    assert said.alarm is bool(word)
    assert (said.numbers["y"], said.numbers["x"]) == (7, 9)
    if word:
        assert said.sentence == f"A blob was {word} at (row 7, column 9): |z| 6.1."


@pytest.mark.parametrize(("share", "alarm"), [(0.005, False), (0.03, True)])
def test_a_spread_alarms_over_a_hundredth_of_the_area(case, share, alarm):
    spread = np.ones(case.values.shape)
    lit = np.argwhere(case.area)
    few = lit[: int(share * len(lit))]
    spread[few[:, 0], few[:, 1]] = 3.01
    said = signs.of_spread(spread, case)
    assert said.alarm is alarm
    assert said.numbers["share_of_area"] == pytest.approx(share, rel=0.01)
    spread[few[:, 0], few[:, 1]] = 2.99
    assert not signs.of_spread(spread, case).alarm


def test_all_signs_are_looked_at_and_those_of_an_original_only_with_one(case, raw):
    spread = np.ones(case.values.shape)
    empty = Check("x", "phase", case.area, case.values)
    found = signs.looked_at(empty, replace(case, spread=spread), None)
    assert [one.test for one in found.evidence] == [
        "grid",
        "local grid",
        "whiteness",
        "blobs",
        "spread",
    ]
    assert np.isnan(found.maps["spread"][~case.area]).all()
    alone = signs.looked_at(empty, case_of(raw), None)
    assert (alone.evidence, dict(alone.maps)) == ((), {})


def test_the_noise_is_that_of_the_halves_where_there_are_some(case, clean):
    halves = []
    for seed in (1, 2):
        noise = 0.05 * np.random.default_rng(seed).normal(size=clean.object.shape)
        halves.append(replace(clean, object=(clean.object * np.exp(1j * noise)).astype("c8")))
    found = signs.noise_of(case, tuple(halves))
    assert found.sample is not None
    inside = found.sigma[case.area]
    assert np.median(inside) == pytest.approx(0.05 / np.sqrt(2), rel=0.1)
    white = signs.noise_of(case, None)
    assert white.sample is None
    assert white.sigma[0, 0] == pytest.approx(0.05, rel=0.2)


@pytest.mark.parametrize(
    ("fast", "step", "more"),
    [
        ("x", (9.0, 7.0), [(9.0, 7.0)]),
        ("y", (9.0, 7.0), [(7.0, 9.0)]),
        ("x", (8.0, 8.0), []),  # looked for anyway
        ("x", (1.5, 7.0), []),  # finer than a lattice can be
        ("x", (70.0, 7.0), []),
    ],
)
def test_the_steps_of_a_raster_are_periods_too(case, fast, step, more):
    positions = raster(5, 6, fast=fast, step=step)
    scan = Scan(np.ones((30, 4, 4), np.uint16), positions_px=positions)
    of = Reconstruction(np.ones((400, 400)), np.ones((1, 4, 4)), positions)
    found = signs.periods_of(scan, replace(case, of=of))
    assert found[:4] == [2, 4, 8, 16]
    assert found[4:] == more


def test_other_paths_have_no_step(case):
    places = np.random.default_rng(0).uniform(0, 90, (30, 2))
    scan = Scan(np.ones((30, 4, 4), np.uint16), positions_px=places)
    of = replace(case.of, positions_px=places, extras={})
    assert signs.periods_of(scan, replace(case, of=of)) == list(signs.PERIODS)
