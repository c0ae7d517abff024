from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptycho.engines import LsqmlOptions, RpieOptions, reconstruct, regularise
from napari_ptycho.engines.frames import load
from napari_ptycho.engines.regularise import light_of_scan
from napari_ptycho.engines.state import begin
from napari_ptycho.job import run_to_end
from napari_ptycho.physics.align import illumination

from .conftest import phase_error
from .low_dose import low_dose

CPU = torch.device("cpu")
BEFORE = RpieOptions(epochs=30, anneal=0.0)
LIKELY = LsqmlOptions(epochs=60, likelihood="poisson")


@pytest.fixture(scope="module")
def scene():
    return low_dose()


@pytest.fixture(scope="module")
def plain(scene):
    """The error without any regulariser."""
    return error_of(scene, LIKELY)


def error_of(scene, options):
    scan, truth = scene
    return phase_error(truth, run_to_end(reconstruct(scan, (BEFORE, options), device="cpu")))


def test_total_variation_lowers_the_error_at_low_dose(scene, plain):
    assert error_of(scene, replace(LIKELY, total_variation=0.01)) < 0.9 * plain


def test_a_network_between_epochs_lowers_the_error_at_low_dose(scene, plain):
    assert error_of(scene, replace(LIKELY, denoiser="dip", denoise_every=10)) < 0.95 * plain


@pytest.mark.parametrize(
    "change",
    [{"denoiser": "none"}, {"denoise_every": 2}, {"denoise_share": 0.2}, {"seed": 1}],
    ids=str,
)
def test_every_option_of_the_denoiser_matters_and_it_can_be_repeated(change, monkeypatch):
    monkeypatch.setattr(regularise, "FIRST", 5)
    scan, _ = low_dose(lines=4)
    options = RpieOptions(epochs=3, batch=16, denoiser="dip", denoise_every=3)
    one, same, other = (
        run_to_end(reconstruct(scan, one, device="cpu"))
        for one in (options, options, replace(options, **change))
    )
    np.testing.assert_array_equal(one.object, same.object)
    assert np.abs(one.object - other.object).max() > 1e-4


def test_a_hook_may_change_object_and_probe_between_epochs():
    scan, truth = low_dose(lines=4)
    seen = []

    def real(state):
        seen.append(len(state.history["error"]))
        state.object.copy_(state.object.real)
        state.probe[:, :4] = 0

    job = reconstruct(scan, RpieOptions(epochs=3), truth, "cpu", hook=real)
    result = run_to_end(job)
    assert seen == [1, 2, 3]
    assert np.abs(result.object.imag).max() == 0
    assert np.abs(result.probe[:, :4]).max() == 0
    assert np.abs(result.probe).max() > 0


def test_the_light_of_a_scan_is_that_of_all_its_probes():
    scan, truth = low_dose(lines=9)
    with torch.inference_mode():
        state = begin(truth, load(scan, CPU), RpieOptions())
        light = light_of_scan(state).numpy()
    np.testing.assert_allclose(light, illumination(truth), atol=1e-3 * light.max())
