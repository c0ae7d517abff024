"""What photons say: reference values of section 4.3, and that truth is not contradicted."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.assess.lattices import Lattice, beside, lattices
from napari_ptycho.assess.photons import Support, paired_t, score_map, support
from napari_ptycho.engines.referee import Referee
from napari_ptycho.physics.align import illuminated

from .scenes import blob, lattice, reconstructed

PERIODS = (2.0, 4.0, 8.0, 16.0)


@pytest.fixture(scope="module")
def scene():
    scan, truth, raw = reconstructed()
    return truth, raw, Referee(scan, truth, "cpu"), illuminated(truth)


def planted(truth, phase):
    return truth.object * np.exp(1j * phase)


@pytest.mark.parametrize(("period", "size", "least"), [(2, 0.01, 20), (4, 0.01, 5), (8, 0.01, 5)])
def test_photons_reject_a_grid_of_a_hundredth_rad(scene, period, size, least):
    """The page measured t = 24, 7, 9 on its own fibres."""
    truth, _, referee, area = scene
    image = planted(truth, lattice(truth.object.shape, period, size))
    asked = support(referee, image, truth.object, held_out=True)
    assert asked.t > least
    assert asked.verdict == "contradicted"
    worst = lattices(referee, image, area, PERIODS)[0]
    assert (worst.period_px, worst.orders) == ((period, period), (1, 1))
    assert worst.contradicted
    assert worst.rms == pytest.approx(size / (1 if period == 2 else 2), rel=0.4)


def test_of_the_truth_nothing_is_contradicted(scene):
    truth, raw, referee, area = scene
    found = score_map(referee, truth.object, area)
    assert found.largest < 5
    assert found.spots == ()
    assert np.nanstd(found.map) == pytest.approx(1, abs=0.3)
    assert np.isnan(found.map[~area]).all()
    assert not any(one.contradicted for one in lattices(referee, truth.object, area, PERIODS))
    asked = support(referee, truth.object, raw.object, held_out=True)
    assert asked.per_frame.shape == (289,)


@pytest.mark.parametrize("size", [0.1, -0.2])
def test_a_blob_is_found_where_it_is_and_what_it_should_be(scene, size):
    truth, _, referee, area = scene
    image = planted(truth, blob(truth.object.shape, (104, 90), size))
    found = score_map(referee, image, area)
    spot = found.spots[0]
    assert np.hypot(spot.y - 104, spot.x - 90) < 3
    assert abs(spot.score) > 6
    assert spot.wanted == pytest.approx(-size, rel=0.4)


def test_a_blob_in_the_amplitude_is_found_by_the_amplitude(scene):
    truth, _, referee, area = scene
    image = truth.object * (1 + blob(truth.object.shape, (104, 90), 0.15))
    spot = score_map(referee, image, area, channel="amplitude").spots[0]
    assert np.hypot(spot.y - 104, spot.x - 90) < 3
    wave = truth.object * np.exp(lattice(truth.object.shape, 4, 0.03))
    worst = lattices(referee, wave, area, (4.0,), channel="amplitude")[0]
    assert worst.contradicted


def test_the_size_that_is_looked_for_matters(scene):
    truth, _, referee, area = scene
    image = planted(truth, blob(truth.object.shape, (104, 90), 0.05, sigma=8))
    fine, coarse = (score_map(referee, image, area, sigma_px=size).largest for size in (2, 8))
    assert coarse > 1.3 * fine


def test_the_steps_of_a_scan_are_lattices_too(scene):
    truth, _, referee, area = scene
    y = np.arange(truth.object.shape[0])[:, None]
    wave = 0.03 * np.cos(2 * np.pi * y / 9.3)
    worst = lattices(referee, planted(truth, wave), area, ((9.3, 7.1),))[0]
    assert worst.orders == (1, 0)
    assert worst.contradicted


def test_verdicts():
    frames = np.array([1.0, 2.0, 3.0])
    assert paired_t(frames) == pytest.approx((2 / (1 / np.sqrt(3)), 2))
    assert paired_t(np.zeros(3)) == (0.0, 0.0)
    words = [Support(t, 0.0, frames, True).verdict for t in (-3.1, -2.9, 2.9, 3.1)]
    assert words == ["supported", "neutral", "neutral", "contradicted"]
    assert Support(9.0, 0.0, frames, False).verdict == "neutral"
    assert Support(-9.0, 0.0, frames, False).verdict == "supported"


def test_lattices_of_the_original_are_not_held_against_the_image():
    new = Lattice((4.0, 4.0), (1, 1), 0.01, 9.0, 12.0)
    old = replace(new, orders=(1, 0))
    before = [replace(old, t=5.0), replace(new, t=4.0)]
    found = beside([new, old], before)
    assert [one.contradicted for one in found] == [True, False]
    assert all(one.wrong for one in found)
    assert not replace(new, db=2.0).wrong  # everything of that wavelength is wrong: no lattice
