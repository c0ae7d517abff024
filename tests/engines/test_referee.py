"""The photons as referee: costs and slopes of an object, for all photons and for half of them."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.engines.halves import split
from napari_ptycho.engines.referee import DARK, Referee
from napari_ptycho.errors import ScanError
from napari_ptycho.physics import simulate
from napari_ptycho.prepare import thin
from napari_ptycho.samples import small_scan


@pytest.fixture(scope="module")
def scene():
    scan, truth = small_scan("star", 2e3)
    return scan, truth, Referee(scan, truth, "cpu")


def intensities(scan, truth):
    """The model in plain numpy, zero frequency in the middle."""
    corners = np.rint(truth.positions_px).astype(int)
    probe = truth.probe[0].astype(np.complex128)
    waves = [probe * truth.object[y : y + 64, x : x + 64] for y, x in corners]
    return np.fft.fftshift(np.abs(np.fft.fft2(waves, norm="ortho")) ** 2, axes=(1, 2)) + DARK


def test_costs_are_half_the_deviance_of_the_textbook(scene):
    scan, truth, referee = scene
    model, counts = intensities(scan, truth), scan.patterns.astype(float)
    log = np.where(counts > 0, counts * np.log(np.maximum(counts, 1) / model), 0)
    expected = (log - counts + model).sum(axis=(1, 2))
    np.testing.assert_allclose(referee.costs(truth.object), expected, rtol=2e-3)
    assert len(referee) == 289


def test_the_true_model_fits_as_well_as_poisson_noise_lets_it(scene):
    """Section 4.3: mean z within .3, spread .8 to 1.2; the deviance is that of drawn counts."""
    scan, truth, referee = scene
    model, random = intensities(scan, truth), np.random.default_rng(1)
    costs = []
    for _ in range(12):
        drawn = random.poisson(model - DARK).astype(float)
        log = np.where(drawn > 0, drawn * np.log(np.maximum(drawn, 1) / model), 0)
        costs.append((log - drawn + model).sum(axis=(1, 2)))
    z = (referee.costs(truth.object) - np.mean(costs, axis=0)) / np.std(costs)
    z *= np.std(costs) / np.std(costs - np.mean(costs, axis=0)) * np.sqrt(11 / 13)
    assert abs(z.mean()) < 0.3
    assert 0.8 < z.std() < 1.2


@pytest.mark.parametrize("channel", ["phase", "amplitude"])
def test_the_slope_is_that_of_the_costs(scene, channel):
    _, truth, referee = scene
    image = truth.object.astype(np.complex128)
    y, x = np.indices(image.shape)
    change = 1e-3 * np.exp(-((y - 90) ** 2 + (x - 100) ** 2) / 50)
    turn = np.exp(1j * change) if channel == "phase" else np.exp(change)
    back = np.exp(-1j * change) if channel == "phase" else np.exp(-change)
    difference = (referee.costs(image * turn) - referee.costs(image * back)).sum() / 2
    slope = referee.slope(image)
    score, information = (slope.by_phase if channel == "phase" else slope.by_amplitude)(image)
    assert -(score * change).sum() == pytest.approx(difference, rel=0.02)
    assert information[96, 96] > 0
    assert information[0, 0] == pytest.approx(0, abs=1e-6 * information.max())


def test_drawn_counts_have_a_score_of_noise_alone(scene):
    _, truth, referee = scene
    scores = [referee.slope(truth.object, draw=seed).by_phase(truth.object) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(scores[0][0], scores[1][0])
    assert not np.array_equal(scores[0][0], scores[2][0])
    lit = scores[0][1] > 0.3 * scores[0][1].max()
    z = scores[0][0][lit] / np.sqrt(scores[0][1][lit])
    assert abs(z.mean()) < 0.1
    assert 0.5 < z.std() < 1.1


def test_half_of_the_photons_are_those_of_the_split(scene):
    scan, truth, _ = scene
    half = Referee(scan, truth, "cpu", half=1, seed=5)
    other = thin(scan, seed=5)[1]
    start = split(scan, truth, "photons", 5)[1].start
    direct = Referee(other, replace(start, provenance={}), "cpu")
    np.testing.assert_allclose(half.costs(truth.object), direct.costs(truth.object), rtol=1e-5)
    odd = Referee(scan, truth, "cpu", half=1, by="positions")
    assert len(odd) in (144, 145)
    assert len(odd.positions_px) == len(odd)


def test_masked_and_saturated_pixels_say_nothing(scene):
    scan, truth, _ = scene
    valid = np.ones(scan.frame_shape, bool)
    valid[:, :40] = False
    some = Referee(replace(scan, valid=valid), truth, "cpu")
    model, counts = intensities(scan, truth), scan.patterns.astype(float)
    log = np.where(counts > 0, counts * np.log(np.maximum(counts, 1) / model), 0)
    expected = ((log - counts + model) * valid).sum(axis=(1, 2))
    np.testing.assert_allclose(some.costs(truth.object), expected, rtol=2e-3)


def test_what_does_not_belong_is_refused(scene):
    _, truth, referee = scene
    with pytest.raises(ScanError, match=r"an object of .* pixels; need"):
        referee.costs(truth.object[1:])
    with pytest.raises(ScanError, match="need a reconstruction of this scan"):
        Referee(simulate(truth.object, truth.probe, truth.positions_px[:9]), truth, "cpu")
