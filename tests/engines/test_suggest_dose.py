"""The suggested chain follows the photons per lit pixel; compared with the simulated truth."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.engines.presets import COARSE
from napari_ptycho.engines.suggest import photons_per_pixel, suggest
from napari_ptycho.job import run_to_end
from napari_ptycho.prepare.start import mean_pattern
from napari_ptycho.samples import SampleOptions, simulated, small_scan

from .conftest import NEAR, phase_error

FULL_STEPS = (COARSE, RpieOptions(epochs=30))
"""What is suggested for a plain scan of many photons."""


def dose(scan):
    return photons_per_pixel(scan, mean_pattern(scan))


def error(scan, truth, stages):
    return phase_error(truth, run_to_end(reconstruct(scan, stages, device="cpu")))


@pytest.mark.parametrize("name", ["star", "fibres"])
def test_few_photons_are_reconstructed_better_by_the_suggested_chain_than_by_full_steps(name):
    scan, truth = small_scan(name, photons=100)
    assert error(scan, truth, suggest(scan).stages) < 0.85 * error(scan, truth, FULL_STEPS)


def test_a_dense_fly_scan_of_few_photons_is_found_where_full_steps_fail():
    options = SampleOptions(lines=9, columns=9, step_nm=60.0, photons=1500.0)
    scan, truth = simulated("siemens-star", options)
    full = tuple(replace(stage, subpixel=True) for stage in FULL_STEPS[1:])
    assert error(scan, truth, suggest(scan).stages) < 0.7 * error(
        scan, truth, FULL_STEPS[:1] + full
    )


def test_the_reason_tells_the_photons_of_a_lit_pixel():
    scan, _ = small_scan("star", photons=100)
    told = suggest(scan).reasons
    assert any(f"{dose(scan):.2g} photons per object pixel" in reason for reason in told)
    assert any("no coarse stage: with so few photons" in reason for reason in told)


@pytest.mark.parametrize(("photons", "step"), [(300, 0.1), (1000, 0.3)])
def test_steps_grow_with_the_photons(photons, step):
    assert suggest(small_scan("star", photons=photons)[0]).stages == (
        RpieOptions(epochs=30, object_step=step, probe_step=step),
    )


@pytest.mark.parametrize("name", ["star", "fibres"])
def test_many_photons_keep_the_full_steps_and_the_coarse_stage(name):
    assert suggest(small_scan(name, photons=3000)[0]).stages == FULL_STEPS


def test_a_flat_probe_and_few_photons_begin_with_epie_in_small_steps(make):
    scan, _ = make(photons=30)
    flat = suggest(replace(scan, probe=np.abs(scan.probe)))
    assert [(stage.object_alpha, stage.object_step) for stage in flat.stages] == [
        (1.0, 0.1),
        (0.5, 0.1),
    ]


def test_the_dose_is_the_photons_over_the_pixels_that_the_probe_lights(make):
    scan, _ = make()
    beam = np.zeros_like(scan.probe)
    beam[:, 8:16, 8:24] = 3j  # 128 pixels
    lit = replace(scan, probe=beam, patterns=np.full(scan.patterns.shape, 1))
    assert dose(lit) == pytest.approx(32 * 32 / 128)


def test_the_dose_is_not_told_where_it_is_not_known(make):
    scan, _ = make(photons=30)
    assert dose(scan) < 1
    assert dose(replace(scan, probe=None)) is None
    assert dose(replace(scan, patterns=scan.patterns * 0.37)) is None
    near, _ = make(geometry=NEAR)
    assert dose(near) is None
    hole = np.ones(scan.frame_shape, bool)
    hole[3, 4] = False
    dead = np.where(hole, scan.patterns, 0.5)
    assert dose(replace(scan, patterns=dead, valid=hole)) < 1
    every = np.broadcast_to(hole, dead.shape)
    assert dose(replace(scan, patterns=dead, valid=every)) < 1
