"""A reconstruction whose scan is known: halves of it tell when to stop."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.denoise import DenoiseOptions
from napari_ptycho.denoise.subject import subject_of
from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.engines.denoising import any_halves, denoise_reconstruction
from napari_ptycho.job import run_to_end

from .conftest import phase_error
from .low_dose import low_dose


@pytest.fixture(scope="module")
def scene():
    scan, truth = low_dose(photons=3e3)
    return scan, truth, run_to_end(reconstruct(scan, RpieOptions(epochs=30), truth, "cpu"))


def test_halves_stop_it_near_the_best_iteration_and_the_phase_gets_better(scene):
    scan, truth, found = scene
    reference = subject_of(truth, "phase").shown
    options = DenoiseOptions.of("arch1-bilinear", iterations=500, patience=100, inputs=8)
    updates = list(denoise_reconstruction(found, "phase", options, scan, reference, "cpu"))
    first, last = updates[0], updates[-1]
    assert first.result.denoised is None
    assert "making half reconstructions" in first.notes[-1]
    result = last.result.denoised
    assert result.rule == "second-copy"
    better = last.result.reconstruction
    assert phase_error(truth, better) < phase_error(truth, found)
    lost = max(result.curves["psnr_db"]) - result.score("psnr_db")
    assert lost <= 0.3
    assert result.iteration > np.argmax(result.curves["held_out_db"])
    assert better.name == f"{found.name} · denoised"


def test_without_the_scan_pixels_are_held_out(scene):
    options = DenoiseOptions.of("arch1-bilinear", iterations=3)
    last = run_to_end(denoise_reconstruction(scene[2], "amplitude", options, device="cpu"))
    assert last.denoised.rule == "holdout"
    assert last.halves is None


def test_counts_that_are_not_photons_are_halved_by_positions(scene):
    scan, _, found = scene
    odd = replace(scan, patterns=np.asarray(scan.patterns, np.float32) * 0.7)
    job = any_halves(odd, found, device="cpu")
    first = next(job)
    assert "halves are odd and even positions" in first.notes[0]
    assert len(first.result[0].positions_px) < len(odd)


def test_a_denoised_layer_is_a_start_for_any_engine(scene):
    scan, _, found = scene
    options = DenoiseOptions.of("arch1-bilinear", iterations=3, stop="none")
    start = run_to_end(denoise_reconstruction(found, "phase", options, device="cpu")).reconstruction
    after = run_to_end(reconstruct(scan, RpieOptions(epochs=2), start, "cpu"))
    assert len(after.errors) == len(found.errors) + 2
