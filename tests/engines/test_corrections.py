"""Perturb and restore: what spoils real data is put in, and each correction must take it out."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.engines import ENGINES, EpieOptions, LbfgsOptions, RpieOptions, reconstruct
from napari_ptycho.engines.illumination import path
from napari_ptycho.job import run_to_end

from .conftest import phase_error

SOME = ["rpie", "raar", "lsqml", "lbfgs"]  # one of each family


def moved(scan, truth, moves):
    """Return the scan with wrong positions."""
    return replace(scan, positions_px=truth.positions_px + moves, positions_m=None)


def strays(result, truth):
    """Return how far each position is from the true one, apart from a common move: (N,)."""
    off = result.positions_px - truth.positions_px
    return np.hypot(*(off - np.median(off, axis=0)).T)


def patterns_of(truth, probes, rng):
    """Return counts (N, h, w) with a probe of its own for each frame, (N, M, h, w)."""
    h, w = probes.shape[-2:]
    corners = np.rint(truth.positions_px).astype(int)
    windows = np.stack([truth.object[y : y + h, x : x + w] for y, x in corners])[:, None]
    waves = np.fft.fft2(probes * windows, norm="ortho")
    return rng.poisson(np.fft.fftshift((np.abs(waves) ** 2).sum(axis=1), axes=(1, 2)))


@pytest.mark.parametrize("name", ["rpie", "epie", "mpie", "dm", "raar", "lsqml", "adam", "lbfgs"])
def test_shifted_positions_come_back(name, make, rng):
    scan, truth = make(photons=1e7, fraction=0.5)
    bad = moved(scan, truth, rng.normal(size=truth.positions_px.shape))
    options = ENGINES[name](epochs=100, positions="gradient", positions_reach_px=3.0)
    result = run_to_end(reconstruct(bad, options))
    assert np.median(strays(bad_start(bad, truth), truth)) > 0.8
    assert np.median(strays(result, truth)) < 0.2
    given = run_to_end(reconstruct(bad, ENGINES[name](epochs=30, subpixel=True)))
    assert result.errors[-1] < 0.1 * given.errors[-1]
    assert phase_error(truth, result) < 0.09


def bad_start(scan, truth):
    return replace(truth, positions_px=np.maximum(scan.positions_px, 0))


def test_one_shifted_position_moves_the_right_way(make):
    scan, truth = make(photons=1e8)
    moves = np.zeros_like(truth.positions_px)
    moves[40] = [1.0, -0.7]
    start = replace(truth, positions_px=truth.positions_px + moves)
    options = RpieOptions(
        epochs=30, positions="gradient", positions_start=0, object_step=0.0, probe_step=0.0
    )
    result = run_to_end(reconstruct(moved(scan, truth, moves), options, start))
    found = result.extras["position_moves_px"]
    np.testing.assert_allclose(found[40] - found.mean(axis=0), -moves[40], atol=0.05)
    assert np.abs(np.delete(found, 40, axis=0)).max() < 0.1


def test_positions_more_than_two_pixels_off_come_back_by_annealing(make, rng):
    scan, truth = make(photons=1e7, fraction=0.5)
    bad = moved(scan, truth, rng.uniform(-3, 3, truth.positions_px.shape))
    search = RpieOptions(epochs=80, anneal=0.0, positions="annealing", positions_reach_px=3.5)
    slope = RpieOptions(epochs=40, positions="gradient", positions_start=0)
    found = run_to_end(reconstruct(bad, (search, slope)))
    assert np.median(strays(found, truth)) < 0.3
    assert np.median(strays(bad_start(bad, truth), truth)) > 1.8


@pytest.mark.parametrize("positions", ["gradient", "annealing"])
def test_a_rotated_and_scaled_scan_comes_back(positions, make):
    scan, truth = make(photons=1e7, fraction=0.5)
    turn = np.deg2rad(4)
    affine = 1.06 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centred = truth.positions_px - truth.positions_px.mean(axis=0)
    bad = moved(scan, truth, centred @ affine.T - centred)
    options = LbfgsOptions(
        epochs=120, positions=positions, positions_affine=True, positions_start=2
    )
    result = run_to_end(reconstruct(bad, options))
    assert strays(bad_start(bad, truth), truth).max() > 1.8
    assert strays(result, truth).max() < 0.25


@pytest.mark.parametrize("name", SOME)
def test_a_saturated_core_is_censored(name, make):
    scan, truth = make()
    level = float(np.median(scan.patterns.max(axis=(1, 2))) * 0.3)
    bad = replace(scan, patterns=np.minimum(scan.patterns, level))
    assert 1 - bad.patterns.sum() / scan.patterns.sum() > 0.3  # of the counts are gone
    known, unknown = (
        phase_error(truth, run_to_end(reconstruct(bad, ENGINES[name](epochs=60, saturation=s))))
        for s in (level, 0.0)
    )
    assert known < 0.06
    assert known < 0.6 * unknown


@pytest.mark.parametrize("name", SOME)
def test_a_background_is_found(name, make, rng):
    scan, truth = make()
    y, x = np.indices(scan.frame_shape) - 16
    background = 20 * np.exp(-(y**2 + x**2) / 200) + 5
    bad = replace(scan, patterns=scan.patterns + rng.poisson(background, scan.patterns.shape))
    found, ignored = (
        run_to_end(reconstruct(bad, ENGINES[name](epochs=60, background=switch)))
        for switch in (True, False)
    )
    assert found.errors[-1] < 0.4 * ignored.errors[-1]
    assert phase_error(truth, found) < phase_error(truth, ignored)
    dark = np.hypot(y, x) > 8  # where the beam does not outshine it
    off = (found.extras["background"] - background)[dark]
    assert np.sqrt((off**2).mean()) < 0.3 * background[dark].mean()


@pytest.mark.parametrize("name", SOME)
def test_the_flux_of_every_frame_is_found(name, make, rng):
    scan, truth = make()
    flux = np.exp(rng.normal(0, 0.3, len(scan)))
    flux /= flux.mean()
    bad = replace(scan, patterns=rng.poisson(scan.patterns * flux[:, None, None]))
    found, ignored = (
        run_to_end(reconstruct(bad, ENGINES[name](epochs=60, flux=switch)))
        for switch in (True, False)
    )
    assert np.corrcoef(found.extras["flux"], flux)[0, 1] > 0.96
    assert found.errors[-1] < 0.05 * ignored.errors[-1]
    assert phase_error(truth, found) < 0.9 * phase_error(truth, ignored)


@pytest.mark.parametrize("name", SOME)
def test_a_probe_that_varies_is_followed(name, make, rng):
    scan, truth = make()
    y, x = np.indices(scan.frame_shape) - 16
    first = truth.probe[0]
    shapes = 0.15 * np.stack([first * ((y / 6) ** 2 - 1), first * 1j * x * y / 36])
    mixed = np.einsum("nk,kyx->nyx", rng.normal(size=(len(scan), 2)), shapes)
    bad = replace(scan, patterns=patterns_of(truth, (first + mixed)[:, None], rng))
    found, ignored = (
        run_to_end(reconstruct(bad, ENGINES[name](epochs=100, variations=kinds)))
        for kinds in (2, 0)
    )
    assert found.errors[-1] < 0.1 * ignored.errors[-1]
    assert phase_error(truth, found) < 0.6 * phase_error(truth, ignored)


def a_fly_scan(scan, truth, rng):
    """Return the scan with every exposure spread over the way to the next frame."""
    moves = path(truth.positions_px, 16, 1.0)[..., None, None]
    k = np.fft.fftfreq(32)
    ramps = np.exp(-2j * np.pi * (k[:, None] * moves[:, :, 0] + k * moves[:, :, 1]))
    probes = np.fft.ifft2(np.fft.fft2(truth.probe[0]) * ramps) / 4
    return replace(scan, patterns=patterns_of(truth, probes, rng))


@pytest.mark.parametrize("name", SOME)
def test_the_blur_of_a_fly_scan_is_taken_out(name, make, rng):
    scan, truth = make()
    bad = a_fly_scan(scan, truth, rng)
    sharp, blurred = (
        run_to_end(reconstruct(bad, ENGINES[name](epochs=60, fly_points=points)))
        for points in (4, 1)
    )
    assert sharp.errors[-1] < 0.3 * blurred.errors[-1]
    assert phase_error(truth, sharp) < 0.7 * phase_error(truth, blurred)


def test_a_fly_scan_with_wrong_positions_comes_back(make, rng):
    scan, truth = make(photons=1e7)
    bad = a_fly_scan(scan, truth, rng)
    bad = moved(bad, truth, rng.normal(scale=0.7, size=truth.positions_px.shape))
    options = RpieOptions(epochs=80, fly_points=3, positions="gradient")
    result = run_to_end(reconstruct(bad, options))
    assert np.median(strays(bad_start(bad, truth), truth)) > 0.5
    assert np.median(strays(result, truth)) < 0.15


def test_the_path_of_a_fly_scan_does_not_jump_between_lines():
    line = np.stack([np.zeros(5), np.arange(5) * 2.0], axis=1)
    positions = np.concatenate([line, line + np.array([30.0, 0.0])])
    moves = path(positions, 2, 1.0)
    np.testing.assert_allclose(moves[..., 0], 0.0)
    np.testing.assert_allclose(moves[:, 0, 1], -0.5)
    np.testing.assert_allclose(moves[:, 1, 1], 0.5)


def test_a_probe_that_lies_off_centre_is_brought_back(make):
    scan, truth = make()
    away = replace(truth, probe=np.roll(truth.probe, (3, -4), (-2, -1)))
    away = replace(away, positions_px=truth.positions_px)
    options = RpieOptions(epochs=30, probe_centre=True, probe_start=0)
    result = run_to_end(reconstruct(scan, options, away))
    light = (np.abs(result.probe) ** 2).sum(axis=0)
    for axis, size in ((0, 32), (1, 32)):
        profile = light.sum(axis=1 - axis)
        assert abs((profile * np.arange(size)).sum() / profile.sum() - size // 2) < 0.75


def test_supports_hold(make):
    scan, _ = make()
    options = EpieOptions(epochs=3, probe_support=0.5, probe_cutoff=0.0)
    probe = run_to_end(reconstruct(scan, options)).probe[0]
    y, x = np.indices(probe.shape) - 16
    assert np.abs(probe[np.hypot(y, x) > 9.6]).max() == 0
    options = EpieOptions(epochs=3, probe_cutoff=0.5)
    wave = run_to_end(reconstruct(scan, options)).probe[0]
    spectrum = np.abs(np.fft.fftshift(np.fft.fft2(wave)))
    assert spectrum[np.hypot(y, x) > 9.6].max() < 1e-4 * spectrum.max()


def test_the_amplitude_stays_below_its_limit(make):
    scan, _ = make()
    result = run_to_end(reconstruct(scan, EpieOptions(epochs=3, amplitude_limit=0.9)))
    # The scale is fixed after the limit, by the drift of one epoch at most.
    assert np.abs(result.object).max() < 0.9 * 1.05
