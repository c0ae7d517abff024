"""Everything runs on a device that has no double precision, as Apple's has none."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch

from napari_ptycho import device
from napari_ptycho.denoise import DenoiseOptions, dip
from napari_ptycho.engines import ENGINES, RpieOptions, reconstruct
from napari_ptycho.engines.referee import Referee
from napari_ptycho.job import run_to_end
from napari_ptycho.networks import (
    FinetuneOptions,
    PredictOptions,
    SimulationOptions,
    TrainOptions,
    finetune,
    predict,
    simulated_pairs,
    train,
)
from napari_ptycho.phantoms import noisy
from napari_ptycho.physics.simulation import simulate
from tests.single import SINGLE, without_double

TINY = DenoiseOptions(architecture="arch1-bilinear", iterations=6, inputs=1, history_every=3)


@pytest.fixture
def single(monkeypatch):
    """The name of a device without float64; `pick` gives it."""
    monkeypatch.setattr(device, "pick", lambda name="auto": SINGLE)
    with device.threads(1), without_double():
        yield "mps"


def test_the_device_of_these_tests_refuses_double_precision():
    with without_double() as where:
        one = torch.ones(2).to(where)
        assert (one + one).cpu().tolist() == [2, 2]
        with pytest.raises(TypeError, match=r"no torch\.float64"):
            one.double()
        with pytest.raises(TypeError, match=r"no torch\.float64"):
            torch.zeros(2, dtype=torch.float64).to(where)


@pytest.mark.parametrize("rule", ["second-copy", "holdout", "discrepancy", "wmv", "loss", "none"])
def test_a_denoising_needs_no_double_precision(single, rule, monkeypatch):
    monkeypatch.setattr("napari_ptycho.denoise.run.WMV_WINDOW", 3)
    monkeypatch.setattr("napari_ptycho.denoise.stopping.WMV_REFRESH", 5)
    image = noisy("fibres", 128)[0][40:72, 40:72]
    second = noisy("fibres", 128, seed=1)[0][40:72, 40:72] if rule == "second-copy" else None
    result = run_to_end(dip(image, replace(TINY, stop=rule), second=second, device=single))
    assert result.done == 6


@pytest.fixture(scope="module")
def scan():
    """A scan of 16 frames of 16 x 16 pixels."""
    y, x = np.indices((48, 48))
    image = np.exp(0.5j * np.sin(0.3 * y + 0.2 * x))
    r, c = np.indices((16, 16)) - 8
    probe = np.exp(-(r**2 + c**2) / 18 + 0.05j * (r**2 + c**2))
    places = np.indices((4, 4)).reshape(2, -1).T * 5.0 + 2
    return simulate(image, probe, places, photons=1e5)


def on_the_cpu(scan, options):
    with patch.object(device, "pick", lambda name: torch.device(name)):
        return run_to_end(reconstruct(scan, options, device="cpu"))


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_needs_no_double_precision(single, name, scan):
    network = {"pretrain": 3, "steps": 2} if name == "dip" else {}
    options = ENGINES[name](epochs=2, batch=8, **network)
    result = run_to_end(reconstruct(scan, options, device=single))
    near = 0.05 if network else 1e-3  # layers are summed in another order on a CPU
    assert result.errors == pytest.approx(on_the_cpu(scan, options).errors, rel=near)


CORRECTED = RpieOptions(
    epochs=4,
    batch=8,
    modes=2,
    subpixel=True,
    positions="annealing",
    positions_start=1,
    background=True,
    variations=1,
    flux=True,
    total_variation=0.01,
)


@pytest.mark.parametrize("options", [CORRECTED, RpieOptions(epochs=2, resolution="half")])
def test_corrections_need_no_double_precision(single, scan, options):
    result = run_to_end(reconstruct(scan, options, device=single))
    assert result.errors == pytest.approx(on_the_cpu(scan, options).errors, rel=1e-3)
    referee = Referee(scan, result, single)
    assert np.isfinite(referee.costs(result.object)).all()
    assert np.isfinite(referee.slope(result.object).light).all()


@pytest.mark.parametrize("standardise", ["scan", "network"])
def test_networks_need_no_double_precision(single, scan, standardise):
    pairs = simulated_pairs(SimulationOptions(patterns=32, size=16))
    network = run_to_end(train(pairs, TrainOptions(epochs=1, batch=8), device=single)).network
    asked = PredictOptions(standardise=standardise)
    predicted = run_to_end(predict(scan, network, asked, device=single))
    assert np.isfinite(predicted.reconstruction.object).all()
    options = FinetuneOptions(epochs=1)
    tuned = run_to_end(finetune(scan, network, options, device=single))
    assert np.isfinite(tuned.predicted.reconstruction.object).all()
