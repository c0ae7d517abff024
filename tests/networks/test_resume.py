"""Trainings that were killed and went on: N + M epochs are N, kill, resume, M, bit by bit."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho import device, networks
from napari_ptycho.errors import JobError
from napari_ptycho.job import run_to_end
from napari_ptycho.networks import FinetuneOptions, SimulationOptions, TrainOptions
from napari_ptycho.networks.network import Network, Preparation
from napari_ptycho.networks.table import build
from napari_ptycho.networks.training import values_of
from napari_ptycho.phantoms import phantom
from napari_ptycho.physics.simulation import simulate

TINY = TrainOptions(epochs=3, batch=16, warm_up=3)
SIMULATED = SimulationOptions(patterns=48, size=16, jitter_px=1.0)


@pytest.fixture(autouse=True)
def _one_thread():
    with device.threads(1):
        yield


@pytest.fixture(scope="module")
def pairs():
    return networks.simulated_pairs(SIMULATED)


def same_network(one, other):
    for name, weight in one.weights.items():
        np.testing.assert_array_equal(weight, other.weights[name])
    assert one.about == other.about
    assert one.name == other.name


def same(one, other):
    """Compare two last updates of a training."""
    same_network(one.result.network, other.result.network)
    np.testing.assert_array_equal(one.result.predicted, other.result.predicted)
    for name in ("epoch", "baseline", "scores"):
        assert getattr(one.result, name) == getattr(other.result, name)
    assert (one.done, one.total, one.history, one.notes) == (
        *(other.done, other.total, other.history, other.notes),
    )


def last_of(job):
    *_, last = job
    return last


def goes_on(kept, pairs, options, at, start=None):
    """Train with checkpoints, and go on from each of them; return the last update."""
    autosave = kept(*at)
    whole = last_of(networks.train(pairs, options, start, "cpu", autosave=autosave))
    assert len(autosave.all) == len(at)
    for checkpoint in autosave.all:
        same(last_of(networks.train(pairs, options, start, "cpu", resume=checkpoint)), whole)
    return whole


# -- training


@pytest.mark.parametrize("schedule", ["cosine", "plateau", "cyclic", "constant"])
def test_every_schedule_goes_on_within_and_between_epochs(kept, pairs, schedule, monkeypatch):
    monkeypatch.setattr("napari_ptycho.networks.learning.PLATEAU", 1)
    monkeypatch.setattr("napari_ptycho.networks.training.EVERY", 2)
    options = replace(TINY, schedule=schedule, flips=True, rate=0.01)
    whole = goes_on(kept, pairs, options, (1.2, 2))
    same(last_of(networks.train(pairs, options, device="cpu")), whole)  # saving changes nothing


@pytest.mark.parametrize("name", ["w3net", "ptychonn-uq"])
def test_batch_statistics_and_dropout_go_on(kept, name):
    pairs = networks.simulated_pairs(SimulationOptions(patterns=24, size=16, jitter_px=1.0))
    goes_on(kept, pairs, TrainOptions.of(name, epochs=2, batch=8, warm_up=2), (0.5,))


def test_patience_goes_on(kept, pairs):
    options = replace(TINY, epochs=40, patience=2, rate=0.05, schedule="constant", batch=48)
    whole = goes_on(kept, pairs, options, (2, 3))
    assert whole.done < 40
    assert "stopped at epoch" in whole.notes[-1]


def test_what_went_on_in_its_session_goes_on_from_a_checkpoint(kept, pairs):
    first = run_to_end(networks.train(pairs, replace(TINY, epochs=1), device="cpu"))
    more, autosave = replace(TINY, epochs=2, loss="mae"), kept(0.5)
    whole = last_of(networks.train(pairs, more, first, "cpu", autosave=autosave))
    again = networks.train(pairs, more, device="cpu", resume=autosave.all[0])
    same(last_of(again), whole)
    assert whole.history["epoch"] == (1, 2, 3)


def test_the_checkpoint_of_another_training_is_refused(kept, pairs):
    autosave = kept(1)
    options = replace(TINY, epochs=1)
    start = run_to_end(networks.train(pairs, options, device="cpu", autosave=autosave)).network
    checkpoint = autosave.all[0]
    others = networks.simulated_pairs(replace(SIMULATED, seed=1))
    for wrong in ((others, options), (pairs, TINY), (pairs, options, start)):
        with pytest.raises(JobError, match="of another training: data, options or start differ"):
            next(networks.train(*wrong, device="cpu", resume=checkpoint))
    with pytest.raises(JobError, match="of a denoising, this job is a training"):
        next(networks.train(pairs, options, resume=replace(checkpoint, kind="denoising")))


KILLED_TRAINING = f"""
from napari_ptycho import networks
from napari_ptycho.networks import SimulationOptions, TrainOptions

def job(autosave):
    pairs = networks.simulated_pairs(SimulationOptions.from_dict({SIMULATED.as_dict()}))
    options = TrainOptions.from_dict({TINY.as_dict()})
    return networks.train(pairs, options, device="cpu", autosave=autosave)
"""


def test_a_training_that_was_killed_goes_on_to_the_same_bits(killed, pairs):
    checkpoint = killed(KILLED_TRAINING, 1.3, 2)
    whole = last_of(networks.train(pairs, TINY, device="cpu"))
    same(last_of(networks.train(pairs, TINY, device="cpu", resume=checkpoint)), whole)


# -- fine-tuning


def scene():
    """A scan of 16 x 16 pixels, and a network that was taught nothing."""
    truth = np.exp(-1j * phantom("fibres", 48))
    y, x = np.indices((16, 16)) - 8
    probe = np.exp(-(y**2 + x**2) / 18 + 0.03j * (y**2 + x**2))
    places = np.stack(np.mgrid[0:33:8, 0:33:8], axis=-1).reshape(-1, 2).astype(float)
    scan = simulate(truth, probe, places, photons=1e6, seed=0)
    preparation = Preparation("standardised", (16, 16), np.zeros((16, 16), np.float32), 1.0)
    return scan, Network("ptynet-s", values_of(build("ptynet-s", 0)), preparation)


def same_tuned(one, other):
    same_network(one.result.network, other.result.network)
    found, again = one.result.predicted, other.result.predicted
    np.testing.assert_array_equal(found.reconstruction.object, again.reconstruction.object)
    np.testing.assert_array_equal(found.reconstruction.probe, again.reconstruction.probe)
    assert (found.r_factor, found.r_flat) == (again.r_factor, again.r_flat)
    assert (one.result.epoch, one.result.scale) == (other.result.epoch, other.result.scale)
    assert (one.done, one.history, one.notes) == (other.done, other.history, other.notes)


@pytest.mark.parametrize(
    "options",
    [
        FinetuneOptions(epochs=5, held_out=0.2, probe_rate=0.01),
        FinetuneOptions(epochs=7, held_out=0.2, loop="pattern", loss="intensity"),
        FinetuneOptions(epochs=30, held_out=0.2, patience=2, rate=0.05),
    ],
    ids=["overlap", "pattern", "patience"],
)
def test_a_fine_tuning_goes_on_between_its_epochs(kept, options):
    (scan, network), autosave = scene(), kept(1, 3)
    whole = last_of(networks.finetune(scan, network, options, device="cpu", autosave=autosave))
    assert len(autosave.all) == 2
    for checkpoint in autosave.all:
        assert checkpoint.done == int(checkpoint.done)
        again = networks.finetune(scan, network, options, device="cpu", resume=checkpoint)
        same_tuned(last_of(again), whole)
    other = replace(scan, exposure=np.linspace(1, 2, len(scan)))
    with pytest.raises(JobError, match="of another finetuning"):
        next(networks.finetune(other, network, options, device="cpu", resume=checkpoint))


KILLED_TUNING = """
from napari_ptycho import io, networks
from napari_ptycho.networks import FinetuneOptions

def job(autosave):
    scan, network = io.read_scan("SCAN"), networks.load("NETWORK")
    options = FinetuneOptions(epochs=6, probe_rate=0.01)
    return networks.finetune(scan, network, options, device="cpu", autosave=autosave)
"""


def test_a_fine_tuning_that_was_killed_goes_on_to_the_same_bits(killed, tmp_path):
    from napari_ptycho import io

    files = tmp_path / "scan.h5", tmp_path / "network.safetensors"
    io.write_scan(scene()[0], files[0])
    networks.save(scene()[1], files[1])
    script = KILLED_TUNING.replace("SCAN", str(files[0])).replace("NETWORK", str(files[1]))
    checkpoint = killed(script, 2, 4)
    scan, network = io.read_scan(files[0]), networks.load(files[1])
    options = FinetuneOptions(epochs=6, probe_rate=0.01)
    whole = last_of(networks.finetune(scan, network, options, device="cpu"))
    again = networks.finetune(scan, network, options, device="cpu", resume=checkpoint)
    same_tuned(last_of(again), whole)
