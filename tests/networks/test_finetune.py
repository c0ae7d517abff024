"""Fine-tuning: slopes against autograd, and what learning without labels reaches."""

import numpy as np
import pytest
import torch

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Geometry, Reconstruction, Scan
from napari_ptycho.networks import FinetuneOptions, TrainOptions, finetune, pairs_of, predict, train
from napari_ptycho.networks.experiment import experiment
from napari_ptycho.networks.forward import counts_of_object, r_factor, shifted
from napari_ptycho.networks.images import TAUGHT, image
from napari_ptycho.networks.network import Network, Preparation
from napari_ptycho.networks.simulated import cut
from napari_ptycho.networks.stitch import LEAST
from napari_ptycho.networks.table import build
from napari_ptycho.networks.tuning import DARK, Tuning, held_out
from napari_ptycho.physics.simulation import simulate

SIZE = 32


def wave(shape, seed=0):
    """Blurred noise: smooth, and no two alike."""
    random = np.random.default_rng(seed)
    field = torch.from_numpy(random.normal(size=(1, 2, *shape)))
    soft = torch.nn.functional.avg_pool2d(field, 5, 1, 2, count_include_pad=False)
    first, second = soft[0].numpy() * 5
    return ((0.8 + 0.1 * np.tanh(first)) * np.exp(0.5j * np.tanh(second))).astype(np.complex64)


def light(size=SIZE):
    y, x = np.indices((size, size)) - (size - 1) / 2
    square = (y**2 + x**2) / (size / 6) ** 2
    return np.exp(-square / 2 + 0.8j * square).astype(np.complex64)


def raster(side, step):
    return np.indices((side, side)).reshape(2, -1).T * float(step)


@pytest.fixture(scope="module")
def scan():
    away = np.random.default_rng(5).uniform(0, 0.9, (25, 2))
    return simulate(wave((64, 64)), light(), raster(5, 6) + away, photons=1e5)


def untaught(name="ptynet-s", size=SIZE):
    state = build(name, seed=2).state_dict()
    weights = {key: value.numpy() for key, value in state.items()}
    return Network(name, weights, Preparation("standardised", (size, size)), name)


def begun(scan, **options):
    given = FinetuneOptions(**{"held_out": 0.0, **options})
    return Tuning(untaught(), experiment(scan, untaught(), None, "cpu"), given)


def slopes(going):
    """Drive a first step of rate 0 and return the slopes that it leaves."""
    states = going.states()
    while going.done < 1:
        next(states)
    return [weight.grad.clone() for weight in going.module.parameters()]


@pytest.mark.parametrize("loss", ["amplitude", "intensity"])
def test_slopes_of_the_overlap_loop(scan, loss):
    kept = begun(scan, loss=loss, rate=0.0, epochs=1)
    assert kept.experiment.roomy
    anew = begun(scan, loss=loss, rate=0.0, epochs=1, batch=7)
    anew.experiment.roomy = False
    one, other, naive = slopes(kept), slopes(anew), autograd(begun(scan, loss=loss), loss)
    size = max(float(slope.abs().max()) for slope in naive)
    for a, b, c in zip(one, other, naive, strict=True):
        assert (a - b).abs().max() < 1e-4 * size
        assert (a - c).abs().max() < 1e-4 * size


def autograd(going, loss):
    """Return the slopes of the same loss in one graph, written down as it is defined."""
    there = going.experiment
    going._look(going.kept)
    going._scale()
    every = torch.arange(len(there))
    patches = there.patches(going.module, every)
    top = torch.zeros(there.start.object.shape, dtype=torch.complex64)
    below = torch.zeros(there.start.object.shape)
    h, w = there.shape
    for patch, corner in zip(patches, there.corners, strict=True):
        y, x = (int(n) for n in corner)
        down, right = (float(n) for n in corner - corner.floor())
        for dy, part in ((0, 1 - down), (1, down)):
            for dx, share in ((0, 1 - right), (1, right)):
                sides = (x + dx, top.shape[1] - w - x - dx, y + dy, top.shape[0] - h - y - dy)
                weight = there.weight * (part * share)
                top = top + torch.nn.functional.pad(patch * weight, sides)
                below = below + torch.nn.functional.pad(weight, sides)
    known = below >= LEAST * below.max()
    image = torch.where(known, top / below.clamp_min(1e-30), 1)
    model = counts_of_object(image, going.probe, there.corners, there.beam)
    if loss == "amplitude":
        cost = ((model + DARK).sqrt() - there.root).abs().sum() / there.root.sum()
    else:
        cost = (model - there.root**2).abs().sum() / there.root.square().sum()
    return torch.autograd.grad(cost, list(going.module.parameters()))


def test_the_forward_model_is_that_of_the_simulation(scan):
    quiet = simulate(wave((64, 64)), light(), scan.in_pixels(), photons=1e5, seed=None)
    there = experiment(quiet, untaught(), None, "cpu")
    corners = torch.from_numpy(quiet.in_pixels())
    probe = torch.from_numpy(np.array(quiet.probe))
    model = counts_of_object(torch.from_numpy(wave((64, 64))), probe, corners, there.beam)
    assert (model.sqrt() - there.root).abs().max() < 1e-2
    assert there.sample(torch.arange(25)).r_factor(
        torch.from_numpy(np.pad(wave((64, 64)), 2, constant_values=1)), probe, there.beam
    ) == pytest.approx(0, abs=1e-3)


def test_a_probe_moves_by_whole_pixels_as_by_fractions():
    probe = torch.from_numpy(light())[None]
    moved = shifted(probe, torch.tensor([[1.0, -2.0], [0.5, 0.0]]))
    assert (moved[0] - probe.roll((1, -2), (1, 2))).abs().max() < 1e-5
    twice = shifted(moved[1], torch.tensor([[0.5, 0.0]]))
    assert (twice[0] - probe.roll(1, 1)).abs().max() < 1e-3


def test_r_factor_finds_the_best_scale(rng):
    model = torch.from_numpy(rng.uniform(0.5, 2, 1000))
    root = 3 * model * (1 + 0.2 * torch.from_numpy(rng.normal(size=1000)))
    tried = [float((root - s * model).abs().sum() / root.sum()) for s in np.linspace(2, 4, 2001)]
    assert r_factor(root, model) == pytest.approx(min(tried), abs=1e-6)
    assert r_factor(3 * model, model) < 1e-7


def test_held_out_patterns_are_not_learnt(scan):
    kept, held = held_out(25, FinetuneOptions(held_out=0.2, seed=3))
    assert held.tolist() == [3, 8, 13, 18, 23]
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(25))
    patterns = np.array(scan.patterns)
    patterns[held.numpy()] = patterns[held.numpy()][:, ::-1, ::-1]
    other = Scan(patterns, positions_px=scan.positions_px, probe=scan.probe)
    network = untaught()
    made = Preparation("sqrt-max", (SIZE, SIZE))  # else they join in through the mean pattern
    network = Network("ptynet-s", network.weights, made, "n", probe=scan.probe)
    options = FinetuneOptions(epochs=3, held_out=0.2, seed=3)
    runs = [list(finetune(s, network, options, device="cpu"))[-1] for s in (scan, other)]
    assert runs[0].history["loss"] == pytest.approx(runs[1].history["loss"], rel=1e-4)
    assert runs[0].history["held_out"] != pytest.approx(runs[1].history["held_out"], rel=1e-3)


def test_the_scale_of_the_counts_is_found(scan):
    wrong = Scan(scan.patterns, positions_px=scan.positions_px, probe=scan.probe * 100)
    one, other = (begun(s) for s in (scan, wrong))
    for going in (one, other):
        next(going.states())
    assert other.scale == pytest.approx(one.scale, rel=1e-4)  # the first guess takes the counts'
    image = one.stitcher.result().object.to(torch.complex64)
    model = counts_of_object(image, one.probe, one.experiment.corners, one.experiment.beam)
    sums = model.sum(dim=(1, 2)).median(), one.experiment.root.square().sum(dim=(1, 2)).median()
    assert float(sums[0] / sums[1]) == pytest.approx(1, rel=1e-3)


def test_a_refined_probe_moves_and_a_fixed_one_does_not(scan):
    for rate, loop in ((0.0, "overlap"), (0.01, "overlap"), (0.01, "pattern")):
        options = FinetuneOptions(epochs=6, probe_rate=rate, loop=loop, held_out=0.0)
        result = run_to_end(finetune(scan, untaught(), options, device="cpu"))
        one, other = (probe / np.linalg.norm(probe) for probe in (result.network.probe, scan.probe))
        assert (np.abs(one - other).max() > 1e-4 * np.abs(other).max()) == (rate > 0)


@pytest.mark.parametrize("name", ["ptychonn2-bn", "ptychonn-package"])
def test_batch_norm_is_frozen(scan, name):
    network = untaught(name)
    options = FinetuneOptions(epochs=2, held_out=0.0, loop="pattern", batch=5)
    tuned = run_to_end(finetune(scan, network, options, device="cpu")).network
    means = [key for key in network.weights if "running" in key]
    assert means
    assert all(np.array_equal(tuned.weights[key], network.weights[key]) for key in means)
    assert any(not np.array_equal(tuned.weights[k], network.weights[k]) for k in network.weights)
    assert np.isfinite(tuned.preparation.mean).all()


def test_an_exploding_loss_stops_and_keeps_the_last_good(scan):
    for loop in ("overlap", "pattern"):
        broken = begun(scan, epochs=30, rate=1e-4, loop=loop, held_out=0.2)
        states = broken.states()
        while broken.done < 2:
            next(states)
        with torch.no_grad():
            next(broken.module.parameters()).fill_(float("nan"))
        *_, last = states
        assert "the loss exploded in epoch" in last.notes[0]
        assert "smaller rate than 0.0001" in last.notes[0]
        assert all(bool(v.isfinite().all()) for v in last.best.values())
        assert np.isfinite(last.r_factor)


def test_the_last_update_is_what_the_kept_network_predicts(scan):
    options = FinetuneOptions(epochs=4, rate=1e-3, held_out=0.2)
    *_, last = finetune(scan, untaught(), options, device="cpu")
    again = run_to_end(predict(scan, last.result.network, device="cpu"))
    found, tuned = again.reconstruction, last.result.predicted.reconstruction
    assert np.abs(found.object - tuned.object).max() < 1e-5 * np.abs(tuned.object).max()
    assert len(last.history["held_out"]) == len(last.history["loss"]) == last.done == last.total
    assert last.result.network.about["finetuned"]["epoch"] == last.result.epoch
    assert tuned.provenance["predicted"]["about"]["finetuned"]["options"]["rate"] == 1e-3
    assert tuned.provenance["scan_checksum"] == found.provenance["scan_checksum"]


@pytest.mark.parametrize("loop", ["overlap", "pattern"])
def test_closing_keeps_what_is_reached(scan, loop):
    job = finetune(scan, untaught(), FinetuneOptions(epochs=50, loop=loop), device="cpu")
    for update in job:
        if update.done >= 1:
            break
    job.close()
    assert update.done < 50
    assert np.isfinite(update.result.predicted.reconstruction.object).all()
    assert update.result.predicted.coverage.max() == 1
    assert torch.is_grad_enabled()


def test_sentences(scan):
    bare = Scan(scan.patterns, positions_px=scan.positions_px)
    with pytest.raises(OptionsError, match="needs a probe, and neither the scan nor the network"):
        next(finetune(bare, untaught(), device="cpu"))
    near = Scan(
        scan.patterns,
        positions_px=scan.positions_px,
        probe=scan.probe,
        geometry=Geometry(propagation="near"),
    )
    with pytest.raises(ScanError, match="near-field scan"):
        next(finetune(near, untaught(), device="cpu"))
    with pytest.raises(OptionsError, match="taught with 64 x 64"):
        next(finetune(scan, untaught(size=64), device="cpu"))


SIDE = 76
"""Pixels of an object: half of the recipe's, as all lengths here."""


def transmission(grey):
    """Return an object that is one image in amplitude and phase, as the recipe has it."""
    return ((0.5 + 0.5 * grey) * np.exp(0.75j * np.pi * (grey - 0.45))).astype(np.complex64)


def beam():
    """Return a probe of 5.3 px rms radius."""
    y, x = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    square = (y**2 + x**2) / 5.3**2
    return np.exp(-square / 2 + 1.2j * square).astype(np.complex64)


@pytest.fixture(scope="module")
def taught():
    """A network that has learnt other images under this probe."""
    known = []
    for number in range(24):
        random = np.random.default_rng(number)
        truth = transmission(cut(image(TAUGHT[number % len(TAUGHT)]), SIDE, random))
        places = np.rint(random.uniform(0, SIDE - SIZE, (100, 2)))
        scan = simulate(truth, beam(), places, seed=number)
        known.append((scan, Reconstruction(truth, scan.probe, places)))
    pairs = pairs_of(known, validation=0.1)
    options = TrainOptions.of("ptynet-s", epochs=7, batch=8)
    return run_to_end(train(pairs, options, device="cpu")).network


@pytest.fixture(scope="module")
def unseen():
    """A scan of a cat that nobody has seen, and the truth."""
    truth = transmission(cut(image("chelsea"), SIDE, np.random.default_rng(1)))
    return simulate(truth, beam(), raster(12, 4), seed=1), truth


def scores(predicted, truth):
    """Return correlation of the phase, and complex error, where all neighbours light."""
    y, x = np.rint(predicted.reconstruction.positions_px[0]).astype(int)
    found = predicted.reconstruction.object[y : y + SIDE, x : x + SIDE][16:-16, 16:-16]
    true = truth[16:-16, 16:-16]
    found = found * (np.vdot(found, true) / np.vdot(found, found))
    error = float(np.linalg.norm(found - true) / np.linalg.norm(true))
    return float(np.corrcoef(np.angle(found).ravel(), np.angle(true).ravel())[0, 1]), error


def test_the_overlap_loop_beats_its_start(taught, unseen):
    scan, truth = unseen
    correlation, error = scores(run_to_end(predict(scan, taught, device="cpu")), truth)
    options = FinetuneOptions(epochs=60, rate=1e-3)
    *_, last = finetune(scan, taught, options, device="cpu")
    better, less = scores(last.result.predicted, truth)
    assert better > correlation + 0.05
    assert less < 0.6 * error
