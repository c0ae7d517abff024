"""Chains, coarse grids, presets, and what is known beforehand."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.engines import (
    PRESETS,
    DmOptions,
    LsqmlOptions,
    MpieOptions,
    RpieOptions,
    reconstruct,
)
from napari_ptycho.engines.coarse import Level, outside_of, why_not
from napari_ptycho.engines.suggest import saturation, suggest, warnings
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Reconstruction
from napari_ptycho.prepare.start import mean_pattern

from .conftest import NEAR, phase_error

COARSE = MpieOptions(epochs=6, resolution="half", anneal=0.0)


def test_a_chain_is_the_runs_one_after_the_other(make):
    scan, _ = make(lines=5)
    stages = (DmOptions(epochs=3), LsqmlOptions(epochs=2, batch=8))
    together = run_to_end(reconstruct(scan, stages, device="cpu"))
    apart = run_to_end(reconstruct(scan, stages[0], device="cpu"))
    apart = run_to_end(reconstruct(scan, stages[1], apart, device="cpu"))
    np.testing.assert_array_equal(together.object, apart.object)
    assert together.errors == apart.errors
    assert together.provenance["runs"] == apart.provenance["runs"]


def test_a_chain_counts_epochs_over_all_stages(make):
    scan, _ = make(lines=5)
    updates = list(reconstruct(scan, (RpieOptions(epochs=3), DmOptions(epochs=2))))
    assert [update.total for update in updates] == [5] * len(updates)
    done = [update.done for update in updates]
    assert done == sorted(done)
    assert done[-1] == 5


def smooth(make):
    """Return a scan whose light lies in the central half of the detector, and its truth."""
    scan, truth = make(photons=1e7)
    counts = mean_pattern(scan)
    assert outside_of(counts, 2) < 0.1
    return scan, truth


def test_coarse_to_fine_ends_where_the_fine_grid_alone_ends(make):
    scan, truth = smooth(make)
    fine = RpieOptions(epochs=30)
    result = run_to_end(reconstruct(scan, (COARSE, fine), device="cpu"))
    alone = run_to_end(reconstruct(scan, replace(fine, epochs=36), device="cpu"))
    assert result.object.shape == alone.object.shape
    assert result.errors[-1] < alone.errors[-1]
    assert phase_error(truth, result) < phase_error(truth, alone)
    np.testing.assert_allclose(result.positions_px, alone.positions_px)


def test_a_coarse_result_is_already_a_picture_on_the_full_grid(make):
    scan, truth = smooth(make)
    result = run_to_end(reconstruct(scan, replace(COARSE, epochs=20), device="cpu"))
    assert result.probe.shape[1:] == scan.frame_shape
    assert phase_error(truth, result) < 0.06


def test_the_way_to_the_coarse_grid_and_back_changes_nothing(rng):
    wave = np.fft.fft2(rng.normal(size=(38, 41)) + 1j * rng.normal(size=(38, 41)))
    image = (np.fft.ifft2(wave) / 10 + 1).astype(np.complex64)
    probe = (rng.normal(size=(2, 16, 16)) + 1j).astype(np.complex64)
    positions = rng.uniform(3, 18, (7, 2))
    start = Reconstruction(image, probe, positions, extras={"flux": np.ones(7)})
    level = Level(start, 2)
    small = level.coarse(photons=100.0)
    assert (np.abs(small.probe) ** 2).sum() == pytest.approx(100, rel=1e-4)
    grown = replace(small, object=np.pad(small.object, ((3, 1), (2, 4))))
    grown = replace(grown, positions_px=small.positions_px + np.array([3, 2]))
    back = level.fine(grown, np.array([3, 2]))
    np.testing.assert_allclose(back.object, image, atol=1e-5)
    np.testing.assert_allclose(back.positions_px, positions)
    power = [(np.abs(waves) ** 2).sum() for waves in (back.probe, probe)]
    assert power[0] == pytest.approx(power[1], rel=1e-5)
    assert set(back.extras) == {"flux"}


def test_a_coarse_grid_that_says_too_little_is_not_used(make):
    scan, _ = make(lines=4)
    flat = replace(scan, patterns=scan.patterns * 0 + 100)
    *_, last = reconstruct(flat, COARSE, device="cpu")
    assert any("75% of the counts lie outside" in note for note in last.notes)
    near, _ = make(lines=4, geometry=NEAR)
    *_, last = reconstruct(near, COARSE, device="cpu")
    assert any("field of view" in note for note in last.notes)
    odd = replace(scan, patterns=scan.patterns[:, :30, :30], probe=None, valid=None)
    assert "cannot be divided by 4" in why_not(odd, 2, 0.0)


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "low-dose"])
def test_every_preset_finds_the_phase(name, make):
    scan, truth = make(photons=1e7)
    stages = [replace(stage, epochs=min(stage.epochs, 30)) for stage in PRESETS[name].stages]
    assert phase_error(truth, run_to_end(reconstruct(scan, stages, device="cpu"))) < 0.08


def test_the_suggestion_follows_the_scan(make, rng):
    scan, truth = make(photons=1e7)
    plain = suggest(scan)
    assert plain.stages[0].resolution == "half"
    assert all(stage.saturation == 0 and not stage.flux for stage in plain.stages)
    level = float(np.median(scan.patterns.max(axis=(1, 2))) * 0.3)
    cut = suggest(replace(scan, patterns=np.minimum(scan.patterns, np.floor(level))))
    assert {stage.saturation for stage in cut.stages} == {np.floor(level)}
    assert any("saturation at" in reason for reason in cut.reasons)
    drift = np.linspace(0.5, 1.5, len(scan))[:, None, None]
    drifting = suggest(replace(scan, patterns=scan.patterns * drift))
    assert all(stage.flux for stage in drifting.stages)
    fractional = suggest(replace(scan, positions_px=truth.positions_px + 0.4))
    assert fractional.stages[-1].subpixel
    assert len(suggest(replace(scan, probe=None)).stages) == 2
    assert run_to_end(reconstruct(scan, [replace(s, epochs=3) for s in plain.stages])).errors


def test_the_suggestion_for_a_flat_probe_starts_with_epie(make):
    scan, _ = make()
    flat = suggest(replace(scan, probe=np.abs(scan.probe)))
    assert flat.stages[0].object_alpha == 1.0
    assert any("curvature" in reason for reason in flat.reasons)


def test_counts_that_merely_peak_are_not_saturated(rng):
    patterns = rng.poisson(np.exp(-(np.linspace(-3, 3, 64) ** 2)) * 1000, (20, 8, 64))
    assert saturation(patterns) == 0
    assert saturation(np.minimum(patterns, 700)) == 700


def test_a_regular_raster_is_told_and_a_jittered_one_is_not(make, rng):
    scan, _ = make()
    grid = np.stack(np.meshgrid(*[np.arange(9) * 4.0] * 2, indexing="ij"), -1).reshape(-1, 2)
    regular = replace(scan, positions_px=grid, positions_m=None)
    assert any("regular raster" in warning for warning in warnings(regular))
    assert any("regular raster" in warning for warning in suggest(regular).warnings)
    jittered = replace(regular, positions_px=grid + rng.uniform(-1, 1, grid.shape))
    assert not warnings(jittered)


def test_a_flat_probe_ends_in_a_sensible_object_or_says_why(make):
    """A start without curvature, with which small weights are known to collapse."""
    scan, _ = make(photons=1e6)
    flat = replace(scan, probe=np.abs(scan.probe).astype(np.complex64))
    result = run_to_end(reconstruct(flat, suggest(flat).stages, device="cpu"))
    assert np.isfinite(result.object).all()
    assert result.errors[-1] < 0.25 * result.errors[0]
