import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptycho import device
from napari_ptycho.errors import JobError, OptionsError
from napari_ptycho.job import run_to_end
from napari_ptycho.networks import SimulationOptions, TrainOptions, simulated_pairs, train
from napari_ptycho.networks.inputs import Inputs
from napari_ptycho.networks.learning import HALF_CYCLE, LEAST, PLATEAU, SWING, Schedule, turned
from napari_ptycho.networks.pairs import Pairs
from napari_ptycho.networks.scores import Validation
from napari_ptycho.networks.source import Source
from napari_ptycho.networks.training import Training
from napari_ptycho.physics.simulation import simulate

QUICK = TrainOptions(epochs=2, batch=16, warm_up=5)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _one_thread():
    with device.threads(1):
        yield


@pytest.fixture(scope="module")
def small():
    """64 pairs of 16 x 16 pixels."""
    return simulated_pairs(SimulationOptions(patterns=64, size=16, jitter_px=1.0, phase_rad=2.0))


def of_a_kind(count: int, size: int = 16) -> Pairs:
    """Pairs that a network learns soon: a quarter of a disc is ahead or behind in phase."""
    random = np.random.default_rng(0)
    y, x = np.indices((size, size)) - size // 2
    probe = (np.hypot(y, x) < size / 4) * np.exp(0.05j * (y**2 + x**2))
    sources = []
    for number in range(count):
        image = np.ones((size, size), complex)
        image[size // 2 :, size // 2 :] *= np.exp(1j * random.uniform(-1, 1))
        scan = simulate(image, probe, np.zeros((1, 2)), photons=1e6, seed=number)
        assert scan.probe is not None
        sources.append(Source(scan.patterns, image, np.zeros((1, 2)), scan.probe))
    split = round(0.8 * count)
    return Pairs(tuple(sources), np.arange(split), np.arange(split, count), scan.probe)


def weights_of(trained):
    return trained.network.weights


def same(one, other) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


# -- what it learns


@pytest.mark.parametrize(("name", "epochs"), [("ptynet-s", 20), ("w3net", 8)])
def test_a_network_learns_what_lies_under_a_pattern(name, epochs):
    pairs = of_a_kind(160)
    options = TrainOptions.of(name, epochs=epochs, batch=16, warm_up=10, rate=3e-3)
    trained = run_to_end(train(pairs, options, device="cpu"))
    assert trained.scores["phase_mse"] < 0.75 * trained.baseline["phase_mse"]
    assert trained.scores["correlation"] > 0.5
    assert not np.array_equal(trained.predicted, trained.truth)


def test_the_kept_network_reaches_its_scores_when_it_is_used():
    """As prediction does it: from weights and preparation alone."""
    pairs = of_a_kind(120)
    trained = run_to_end(train(pairs, replace(QUICK, epochs=8, rate=3e-3), device="cpu"))
    network = trained.network
    counts, labels = pairs.batch(pairs.validation)
    inputs = Inputs(network.preparation, network.kind.multiple)
    with torch.inference_mode():
        output = inputs.crop(network.module()(inputs(torch.from_numpy(counts)))).numpy()
    phase, meant = output[:, 1][:, pairs.lit], labels[:, 1][:, pairs.lit]
    assert np.square(phase - meant).mean() == pytest.approx(trained.scores["phase_mse"], rel=0.02)
    correlation = np.corrcoef(phase.ravel(), meant.ravel())[0, 1]
    assert correlation == pytest.approx(trained.scores["correlation"], abs=0.01)


@pytest.mark.parametrize("name", ["ptychonn2-bn", "ptychonn", "w3net"])
def test_other_architectures_train_too_padded_where_they_must(name):
    pairs = simulated_pairs(SimulationOptions(patterns=32, size=24, jitter_px=0.5))
    trained = run_to_end(train(pairs, TrainOptions.of(name, epochs=1, batch=8), device="cpu"))
    assert trained.predicted.shape[1:] == (2, 24, 24)
    assert np.isfinite(trained.predicted).all()
    assert trained.network.module() is not None


# -- the job


def test_updates_tell_all(small):
    updates = list(train(small, replace(QUICK, epochs=3), device="cpu"))
    last = updates[-1]
    assert (last.done, last.total) == (3, 3)
    assert set(last.history) == {
        *("epoch", "loss", "validation", "psnr_db", "correlation", "rate"),
    }
    assert last.history["epoch"] == (1, 2, 3)
    assert all(len(values) == 3 for values in last.history.values())
    for update in updates:
        shown = update.result
        assert shown.truth.shape == shown.predicted.shape == (4, 2, 16, 16)
        assert shown.network.architecture == "ptynet-s"
    truth = small.batch(small.validation)[1]
    assert all((truth == one).all(axis=(1, 2, 3)).any() for one in last.result.truth)


def test_a_long_epoch_validates_within_it(monkeypatch, small):
    monkeypatch.setattr("napari_ptycho.networks.training.EVERY", 2)
    updates = list(train(small, replace(QUICK, epochs=1, batch=8), device="cpu"))
    steps = -(-len(small.training) // 8)
    np.testing.assert_allclose(
        updates[-1].history["epoch"], [min(k, steps) / steps for k in range(2, steps + 2, 2)]
    )


def test_the_best_is_kept_not_the_last(small):
    job = train(small, replace(QUICK, epochs=12, rate=3e-3, schedule="constant"), device="cpu")
    *_, last = job
    values = last.history["validation"]
    best = int(np.argmin(values))
    assert last.result.scores["validation"] == pytest.approx(min(values))
    assert last.result.epoch == last.history["epoch"][best]


def test_closing_the_job_keeps_what_was_reached(small):
    job = train(small, replace(QUICK, epochs=500), device="cpu")
    updates = list(itertools.islice(job, 3))
    job.close()
    assert 0 < updates[-1].done < 500
    before = {name: value.copy() for name, value in weights_of(updates[-1].result).items()}
    for _ in itertools.islice(train(small, QUICK, updates[-1].result, "cpu"), 2):
        pass
    assert same(before, weights_of(updates[-1].result))  # going on changes no earlier result


def test_the_seed_says_it_all(small):
    options = replace(QUICK, flips=True)
    one, other = (run_to_end(train(small, options, device="cpu")) for _ in range(2))
    assert same(weights_of(one), weights_of(other))
    third = run_to_end(train(small, replace(options, seed=1), device="cpu"))
    assert not same(weights_of(one), weights_of(third))


def test_going_on_is_as_if_it_had_not_stopped(small):
    options = replace(QUICK, schedule="constant", warm_up=6)
    whole = run_to_end(train(small, replace(options, epochs=5), device="cpu"))
    first = run_to_end(train(small, replace(options, epochs=2), device="cpu"))
    *_, last = train(small, replace(options, epochs=3), first, "cpu")
    assert same(whole.run.module.state_dict(), last.result.run.module.state_dict())
    assert same(weights_of(whole), weights_of(last.result))
    assert last.history["epoch"] == (1, 2, 3, 4, 5)
    assert last.done == 3


def test_a_network_is_a_start(small):
    first = run_to_end(train(small, replace(QUICK, epochs=4), device="cpu")).network
    scaled = replace(first, amplitude_scale=2 * first.amplitude_scale)
    options = TrainOptions.of("w3net", epochs=1, rate=0.0, scaling="sqrt-max")
    again = run_to_end(train(small, options, scaled, "cpu"))
    assert again.network.architecture == "ptynet-s"
    assert again.network.preparation.scaling == "standardised"
    assert again.network.amplitude_scale == 2 * first.amplitude_scale
    np.testing.assert_allclose(2 * again.truth[:, 0].mean(), small_truth(small), rtol=1e-5)
    assert same(first.weights, again.network.weights)
    assert again.network.about["start"] == first.name


def small_truth(pairs) -> float:
    shown = Validation(pairs, "mse", False, CPU).truth
    return float(shown[:, 0].mean())


def test_a_network_of_another_size_is_refused(small):
    network = run_to_end(train(small, replace(QUICK, epochs=1), device="cpu")).network
    other = simulated_pairs(SimulationOptions(patterns=32, size=24, jitter_px=0.5))
    with pytest.raises(OptionsError, match="16 x 16 pixels, but these are 24 x 24"):
        next(train(other, QUICK, network, "cpu"))


def test_what_it_was_taught_with_is_known(small):
    network = run_to_end(train(small, QUICK, device="cpu")).network
    assert network.name == "PtyNet-S of simulated objects"
    assert network.about["options"]["batch"] == 16
    assert network.about["data"]["patterns"]["training"] == len(small.training)
    assert network.about["versions"]["torch"] == torch.__version__
    assert network.about["metrics"]["validation"] > 0


# -- what goes wrong


def test_not_a_number_stops_and_keeps_the_last_good(small, monkeypatch):
    good = run_to_end(train(small, replace(QUICK, epochs=1), device="cpu"))
    seen = itertools.count()
    batch = Pairs.batch

    def spoilt(self, numbers):
        counts, labels = batch(self, numbers)
        if next(seen) == 9:  # one for the validation, four for the first epoch
            counts[0, 3, 3] = np.nan
        return counts, labels

    monkeypatch.setattr(Pairs, "batch", spoilt)
    *_, last = train(small, replace(QUICK, epochs=9, schedule="constant"), device="cpu")
    assert last.done < 9
    assert "not a number" in last.notes[-1]
    assert "is kept" in last.notes[-1]
    assert all(np.isfinite(value).all() for value in weights_of(last.result).values())
    assert np.isfinite(last.result.scores["validation"])
    assert good.scores["validation"] > 0
    *_, after = train(small, replace(QUICK, epochs=1), last.result, "cpu")
    assert after.done == 1
    assert all(np.isfinite(values).all() for values in after.history.values())


def test_too_little_memory_is_told_in_a_sentence(small, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Training, "_step", full)
    with pytest.raises(JobError, match="smaller batch"):
        run_to_end(train(small, QUICK, device="cpu"))


def test_it_stops_when_validation_does_not_get_better(small):
    options = replace(QUICK, epochs=50, rate=0.0, patience=3)
    *_, last = train(small, options, device="cpu")
    assert last.done == 3
    assert "3 validations were not better" in last.notes[-1]


# -- the learning rate


def schedule(name: str, begun: int = 0, warm_up: int = 10) -> Schedule:
    options = TrainOptions(schedule=name, warm_up=warm_up)
    return Schedule(options, epoch_steps=5, begun=begun, total=100)


def test_the_rate_warms_up_and_falls_as_a_cosine():
    factors = [schedule("cosine").factor(step) for step in range(101)]
    assert factors[:10] == pytest.approx([(k + 1) / 11 for k in range(10)])
    assert factors[10] == pytest.approx(1)
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0)
    assert schedule("cosine", begun=200).factor(200) == pytest.approx(1)  # anew when it goes on


def test_the_cyclic_rate_swings_and_halves():
    cyclic, half = schedule("cyclic", warm_up=0), 5 * HALF_CYCLE
    factors = [cyclic.factor(step) for step in range(4 * half + 1)]
    assert factors[0] == pytest.approx(SWING)
    assert factors[half] == pytest.approx(1)
    assert factors[2 * half] == pytest.approx(SWING)
    assert factors[3 * half] == pytest.approx(SWING + (1 - SWING) / 2)


def test_the_rate_halves_on_a_plateau_only():
    plateau = schedule("plateau", warm_up=0)
    for better in [True] * 20 + [False] * (PLATEAU - 1) + [True]:
        plateau.validated(better)
    assert plateau.factor(50) == 1
    for _ in range(2 * PLATEAU):
        plateau.validated(False)
    assert plateau.factor(50) == pytest.approx(1 / 4)
    for _ in range(50 * PLATEAU):
        plateau.validated(False)
    assert plateau.factor(50) == LEAST
    assert schedule("constant", warm_up=0).factor(10**6) == 1


# -- half turns and scores


def test_a_turned_pair_is_a_pair(rng):
    """The pattern of the turned object under a symmetric probe is the turned pattern."""
    y, x = np.indices((16, 16)) - 8
    probe = np.exp(-(y**2 + x**2) / 12)
    objects = np.exp(1j * rng.uniform(-1, 1, (2, 16, 16)))
    counts = np.abs(np.fft.fftshift(np.fft.fft2(objects * probe), axes=(1, 2))) ** 2
    labels = np.stack([np.abs(objects), np.angle(objects)], axis=1)
    which = torch.tensor([True, False])
    turned_counts, turned_labels = turned(torch.tensor(counts), torch.tensor(labels), which)
    waves = turned_labels[:, 0] * torch.exp(1j * turned_labels[:, 1]) * probe
    made = np.abs(np.fft.fftshift(np.fft.fft2(waves.numpy()), axes=(1, 2))) ** 2
    np.testing.assert_allclose(made, turned_counts.numpy(), rtol=1e-6)
    assert np.abs(made[0] - counts[0]).max() > 1
    np.testing.assert_array_equal(turned_counts[1], counts[1])


@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_scores_are_those_of_the_definitions(small, loss, rng):
    validation = Validation(small, loss, False, CPU)
    labels = small.batch(small.validation)[1]
    made = labels + rng.normal(0, 0.1, labels.shape).astype(np.float32)
    scores = validation.scores(lambda counts: torch.from_numpy(made))
    lit = small.lit
    off, meant, found = (made - labels)[..., lit], labels[:, 1][:, lit], made[:, 1][:, lit]
    mean = np.square(off) if loss == "mse" else np.abs(off)
    assert scores["validation"] == pytest.approx(mean[:, 0].mean() + mean[:, 1].mean(), rel=1e-4)
    assert scores["phase_mse"] == pytest.approx(np.square(off[:, 1]).mean(), rel=1e-4)
    psnr = 10 * np.log10(np.ptp(meant) ** 2 / np.square(off[:, 1]).mean())
    assert scores["psnr_db"] == pytest.approx(psnr, rel=1e-4)
    wanted = np.corrcoef(found.ravel(), meant.ravel())[0, 1]
    assert scores["correlation"] == pytest.approx(wanted, abs=1e-5)
    middle = meant.mean() if loss == "mse" else np.median(meant)
    baseline = validation.baseline()
    assert baseline["phase_mse"] == pytest.approx(meant.var(), rel=1e-4)
    apart = np.square(meant - middle) if loss == "mse" else np.abs(meant - middle)
    assert baseline["validation"] > 0.99 * apart.mean()


def test_a_phase_network_is_not_judged_by_amplitudes(small):
    labels = small.batch(small.validation)[1]
    wrong = torch.from_numpy(labels + np.array([5, 0], np.float32)[:, None, None])
    validation = Validation(small, "mse", True, CPU)
    assert validation.scores(lambda counts: wrong)["validation"] == pytest.approx(0)
