"""Prediction of a whole scan, with networks whose answer is known."""

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import torch
from torch import nn

from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.errors import JobError, OptionsError, ScanError
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.networks import PredictOptions, predict, table
from napari_ptycho.networks.central import central
from napari_ptycho.networks.ground import checksum_of
from napari_ptycho.networks.network import Network, Preparation
from napari_ptycho.networks.patches import PatchStack, complex_patches
from napari_ptycho.networks.quick import quick
from napari_ptycho.physics.simulation import simulate

SIZE, STEP = 32, 4.0


def truth(shape=(80, 84)):
    """Smooth, and different in every direction."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    phase = 0.7 * np.sin(0.12 * y + 0.04 * x) + 0.4 * np.cos(0.15 * x - 0.05 * y)
    return ((0.8 + 0.15 * np.sin(0.1 * x)) * np.exp(1j * phase)).astype(np.complex64)


def light(size=SIZE):
    y, x = np.indices((size, size)) - (size - 1) / 2
    square = (y**2 + x**2) / (size / 6) ** 2
    return np.exp(-square / 2 + 0.8j * square).astype(np.complex64)


@pytest.fixture
def scan(rng):
    raster = np.indices((9, 9)).reshape(2, -1).T * STEP + 2
    return simulate(truth(), light(), np.rint(raster + rng.uniform(0, 3, raster.shape)))


class Oracle(nn.Module):
    """Knows the true patch under each pattern, by the counts that it is given."""

    def __init__(self, scan, image, channels=2):
        super().__init__()
        h, w = scan.frame_shape
        root = np.sqrt(np.asarray(scan.patterns, np.float32)).reshape(len(scan), -1)
        self.known = torch.from_numpy(root)
        corners = np.rint(scan.in_pixels()).astype(int)
        patches = np.stack([image[y : y + h, x : x + w] for y, x in corners])
        both = np.stack([np.abs(patches), np.angle(patches)], axis=1)
        self.answers = torch.from_numpy(both)[:, -channels:]

    def forward(self, given):
        _, _, height, width = given.shape
        h, w = self.answers.shape[-2:]
        top, left = (height - h) // 2, (width - w) // 2
        inner = given[..., top : top + h, left : left + w]
        which = torch.cdist(inner.float().flatten(1), self.known).argmin(dim=1)
        answer = self.answers[which].to(given.dtype)
        sides = (left, width - w - left, top, height - h - top)
        return nn.functional.pad(answer, sides)


@pytest.fixture
def oracle(monkeypatch):
    """Return a network that knows the truth of a scan."""

    def make(scan, image=None, channels=2, **more):
        knows = Oracle(scan, truth() if image is None else image, channels)
        monkeypatch.setattr(table, "build", lambda name: knows)
        made = Preparation("standardised", scan.frame_shape, np.zeros(scan.frame_shape), 1.0)
        return Network("ptynet-s", {}, made, "oracle", **more)

    return make


PLAIN = PredictOptions(standardise="network")  # the oracle reads the square roots themselves


def difference(result, scan, image, least=0.05):
    """Return the object less the truth, where patches say something."""
    found, (h, w) = result.reconstruction, result.reconstruction.object.shape
    move = np.rint(scan.in_pixels()[0] - found.positions_px[0]).astype(int)
    y, x = np.mgrid[:h, :w] + move[:, None, None]
    inside = (y >= 0) & (x >= 0) & (y < image.shape[0]) & (x < image.shape[1])
    well = inside & (result.coverage > least)
    return found.object[well] - image[y[well], x[well]]


@pytest.mark.parametrize("stitching", ["probe", "centre", "uniform"])
def test_true_patches_make_the_true_object(scan, oracle, stitching):
    options = PredictOptions(standardise="network", stitching=stitching)
    updates = list(predict(scan, oracle(scan), options, device="cpu"))
    result = updates[-1].result
    assert updates[-1].done == updates[-1].total == len(scan)
    assert updates[-1].notes == ()
    assert np.abs(difference(result, scan, truth())).max() < 1e-5
    assert result.spread.max() < 1e-3
    if stitching != "centre":  # which leaves the borders blank that the last windows see
        assert result.r_factor < 0.05  # Poisson noise
        assert result.r_factor < result.r_flat / 4
    assert (result.reconstruction.object[result.coverage < 1e-3] == 1).all()


def test_the_result_says_where_it_came_from(scan, oracle):
    network = oracle(scan, about={"data": "none"})
    result = run_to_end(predict(scan, network, PLAIN, device="cpu"))
    made = result.reconstruction.provenance
    assert made["scan"] == scan.name
    assert made["predicted"]["network"] == "oracle"
    assert made["predicted"]["architecture"] == "ptynet-s"
    assert made["predicted"]["options"]["standardise"] == "network"
    assert made["predicted"]["about"] == {"data": "none"}
    assert result.reconstruction.errors == ()
    assert np.array_equal(result.reconstruction.extras["spread"], result.spread)
    power = (np.abs(result.reconstruction.probe) ** 2).sum()
    assert power == pytest.approx(scan.patterns.sum(axis=(1, 2)).mean(), rel=1e-3)


@pytest.mark.parametrize("every", [1, 7])
def test_the_checksum_is_that_of_an_engine(scan, oracle, every):
    options = PredictOptions(standardise="network", every=every)
    made = run_to_end(predict(scan, oracle(scan), options, device="cpu")).reconstruction.provenance
    engine = run_to_end(reconstruct(scan, RpieOptions(epochs=1), device="cpu")).provenance
    assert made["scan_checksum"] == engine["scan_checksum"] == checksum_of(scan)
    counts = np.array(scan.patterns)
    counts[0, 0, 0] += 1
    assert checksum_of(replace(scan, patterns=counts)) != made["scan_checksum"]


def test_every_fifth_pattern(scan, oracle):
    options = PredictOptions(standardise="network", every=5)
    result = run_to_end(predict(scan, oracle(scan), options, device="cpu"))
    assert result.frames.tolist() == list(range(0, 81, 5))
    assert len(result.reconstruction.positions_px) == 81
    assert np.abs(difference(result, scan, truth())).max() < 1e-5


def test_a_lazy_scan_gives_the_same(scan, oracle):
    kept = {"positions_px": scan.positions_px, "probe": scan.probe, "name": scan.name}
    lazy = Scan(da.from_array(np.array(scan.patterns), chunks=(7, -1, -1)), **kept)
    network = oracle(scan)
    one, other = (run_to_end(predict(s, network, PLAIN, device="cpu")) for s in (scan, lazy))
    assert np.abs(one.reconstruction.object - other.reconstruction.object).max() < 1e-6
    assert one.r_factor == pytest.approx(other.r_factor, abs=1e-6)


def test_closing_keeps_what_is_reached(scan, oracle):
    job = predict(scan, oracle(scan), PredictOptions(standardise="network", batch=9), device="cpu")
    update = next(job)
    threads, grad = torch.get_num_threads(), torch.is_inference_mode_enabled()
    job.close()
    assert (torch.get_num_threads(), torch.is_inference_mode_enabled()) == (threads, grad)
    assert not grad
    assert update.done == 9
    assert np.isnan(update.result.r_factor)
    assert 0.1 < (update.result.coverage > 1e-3).mean() < 0.8
    assert np.abs(difference(update.result, scan, truth())).max() < 1e-5


def test_odd_sizes_are_padded_with_a_word(oracle):
    raster = np.indices((5, 5)).reshape(2, -1).T * 6.0
    scan = simulate(truth((90, 90)), light(60), raster)
    updates = list(predict(scan, oracle(scan, truth((90, 90))), PLAIN, device="cpu"))
    assert "padded with zeros from 60 x 60 to 64 x 64" in updates[-1].notes[0]
    assert np.abs(difference(updates[-1].result, scan, truth((90, 90)))).max() < 1e-5


def test_fractional_positions(oracle, rng):
    raster = np.indices((9, 9)).reshape(2, -1).T * STEP + rng.uniform(0.3, 3, (81, 2))
    scan = simulate(truth(), light(), raster)
    h, w = scan.frame_shape
    network = oracle(scan)
    network.module().answers = torch.stack([_at(y, x, h, w) for y, x in scan.in_pixels()])
    result = run_to_end(predict(scan, network, PLAIN, device="cpu"))
    found = result.reconstruction
    start = scan.in_pixels()[0] - found.positions_px[0]
    y, x = np.mgrid[: found.object.shape[0], : found.object.shape[1]]
    image = _wave(y + start[0], x + start[1])
    well = result.coverage > 0.2
    assert np.abs(found.object - image)[well].max() < 0.01
    assert result.r_factor < result.r_flat / 3


def _wave(y, x):
    phase = 0.7 * np.sin(0.12 * y + 0.04 * x) + 0.4 * np.cos(0.15 * x - 0.05 * y)
    return (0.8 + 0.15 * np.sin(0.1 * x)) * np.exp(1j * phase)


def _at(y, x, h, w):
    wave = _wave(*np.meshgrid(y + np.arange(h), x + np.arange(w), indexing="ij"))
    return torch.from_numpy(np.stack([np.abs(wave), np.angle(wave)]).astype(np.float32))


def test_dead_pixels_and_exposures(scan, oracle):
    exposure = np.where(np.arange(81) % 2, 1.0, 0.5)
    patterns = (np.asarray(scan.patterns) * exposure[:, None, None]).astype(">f4")
    valid = np.ones((81, SIZE, SIZE), bool)
    valid[:, 3, 5] = False
    patterns[:, 3, 5] = 1e9
    kept = {"positions_px": scan.positions_px, "probe": scan.probe}
    broken = Scan(patterns, valid=valid, exposure=exposure, **kept)
    result = run_to_end(predict(broken, oracle(scan), PLAIN, device="cpu"))
    assert np.abs(difference(result, scan, truth())).max() < 1e-5
    assert result.r_factor < result.r_flat / 3


def test_amplitude_scale_and_phase_only(scan, oracle):
    half = run_to_end(predict(scan, oracle(scan, amplitude_scale=0.5), PLAIN, device="cpu"))
    assert np.abs(difference(half, scan, 0.5 * truth())).max() < 1e-5
    phase = run_to_end(predict(scan, oracle(scan, channels=1), PLAIN, device="cpu"))
    assert np.abs(difference(phase, scan, np.exp(1j * np.angle(truth())))).max() < 1e-5


def test_a_prediction_that_explains_nothing_says_so(scan, oracle):
    mirrored = np.conj(truth())[:, ::-1].copy()
    updates = list(predict(scan, oracle(scan, mirrored), PLAIN, device="cpu"))
    result = updates[-1].result
    assert result.r_factor > 0.9 * result.r_flat
    assert "does not explain the patterns" in updates[-1].notes[-1]
    assert f"(R {result.r_factor:.2f}, a flat object {result.r_flat:.2f})" in updates[-1].notes[-1]


def test_global_phases_are_synchronised(scan, oracle, rng):
    network = oracle(scan)
    knows = network.module()
    turns = torch.from_numpy(rng.uniform(-3, 3, 81)).float()[:, None, None]
    knows.answers[:, 1] += turns
    asked = [PLAIN, PredictOptions(standardise="network", synchronise=True)]
    plain, turned = (run_to_end(predict(scan, network, o, device="cpu")) for o in asked)
    assert turned.r_factor < 0.05
    assert plain.r_factor > 3 * turned.r_factor
    assert turned.spread.max() < 0.1 * plain.spread.max()


def test_where_the_probe_comes_from(scan, oracle):
    def weighed(source, network, probe=None):
        return run_to_end(predict(source, network, PLAIN, probe, "cpu")).reconstruction.probe[0]

    def alike(one, other):
        one, other = np.abs(one), np.abs(other)
        return float((one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other))

    bare = Scan(scan.patterns, positions_px=scan.positions_px)
    narrow, wide = light()[None] ** 3, np.sqrt(np.abs(light()[None])).astype(np.complex64)
    network = oracle(scan, probe=narrow)
    assert alike(weighed(scan, network, wide[0]), wide) > 0.999  # given
    assert alike(weighed(scan, network), scan.probe) > 0.999  # the scan's own
    assert alike(weighed(bare, network), narrow) > 0.999  # of the training
    unknown = weighed(bare, oracle(scan))  # the mean pattern's
    assert all(alike(unknown, probe) < 0.99 for probe in (narrow, wide))
    with pytest.raises(OptionsError, match=r"probe has shape \(5, 5\); need \(M, 32, 32\)"):
        next(predict(scan, network, PLAIN, np.ones((5, 5), complex), "cpu"))


def test_sentences(scan, oracle):
    network = oracle(scan)
    other = Network("ptynet-s", {}, Preparation("standardised", (64, 64)), "other")
    with pytest.raises(OptionsError, match="32 x 32 pixels, but this network was taught with 64"):
        next(predict(scan, other, PLAIN, device="cpu"))
    nowhere = Scan(scan.patterns, positions_m=scan.positions_px * 1e-9, geometry=Geometry())
    with pytest.raises(ScanError, match="object pixel size is unknown"):
        next(predict(nowhere, network, PLAIN, device="cpu"))
    network.module().answers[5] = float("nan")
    with pytest.raises(JobError, match="not finite"):
        run_to_end(predict(scan, network, PLAIN, device="cpu"))


def test_compiling_that_fails_is_said(scan, oracle, monkeypatch):
    def broken(module, **_):
        def call(given):
            raise RuntimeError("no compiler\nat all")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    options = PredictOptions(standardise="network", compile=True)
    updates = list(predict(scan, oracle(scan), options, device="cpu"))
    assert updates[-1].notes == ("the network runs as it is, as compiling failed: no compiler",)
    assert np.abs(difference(updates[-1].result, scan, truth())).max() < 1e-5


def test_a_compiled_network_sees_one_size(scan, oracle, monkeypatch):
    sizes = set()

    def noting(module):
        def call(given):
            sizes.add(len(given))
            return module(given)

        return call

    monkeypatch.setattr(torch, "compile", noting)
    options = PredictOptions(standardise="network", compile=True, batch=20)
    *_, last = predict(scan, oracle(scan), options, device="cpu")
    assert sizes == {20}  # of 81 patterns
    assert last.notes == ()
    assert np.abs(difference(last.result, scan, truth())).max() < 1e-5


def test_single_shots_as_a_stack(scan, oracle):
    h, w = scan.frame_shape
    made = Preparation("sqrt-max", (h, w))  # needs no mean: the oracle looks at ratios
    network = oracle(scan)
    knows = network.module()
    knows.known = knows.known / knows.known.amax(dim=1, keepdim=True)
    network = Network("ptynet-s", {}, made, "oracle")
    for channel, of in (("phase", np.angle), ("amplitude", np.abs)):
        stack = PatchStack(scan, network, channel)
        assert (stack.shape, stack.ndim, stack.dtype, len(stack)) == ((81, h, w), 3, np.float32, 81)
        y, x = np.rint(scan.in_pixels()[7]).astype(int)
        want = of(truth()[y : y + h, x : x + w])
        assert np.abs(stack[7] - want).max() < 1e-5
        assert np.abs(stack[7, 3:5, ::2] - want[3:5, ::2]).max() < 1e-5
        assert np.abs(stack[-74] - want).max() < 1e-5
        assert np.abs(stack[np.array([7, 8])][0] - want).max() < 1e-5
        assert stack[5:9, 0].shape == (4, w)
        assert stack[9:5].shape == (0, h, w)
    with pytest.raises(IndexError):
        stack[81]
    knows.answers[3] = float("nan")
    with pytest.raises(JobError, match=r"pattern 3: .* not finite; choose float32"):
        PatchStack(scan, network, "phase")[3]


def test_negative_amplitudes_are_no_half_turns():
    output = torch.tensor([[-0.5, 0.5], [0.3, 0.3]])[None, :, :, None]
    patches = complex_patches(output, 2.0)
    assert patches[0, 0] == 0
    assert torch.allclose(patches[0, 1], torch.polar(torch.tensor(1.0), torch.tensor(0.3)))


def test_folded_batch_norm_changes_nothing():
    torch_random = torch.Generator().manual_seed(3)
    module = table.build("ptychonn2-bn", seed=1)
    given = torch.randn(4, 1, 32, 32, generator=torch_random)
    with torch.no_grad():
        for _ in range(3):
            module.train()(given)  # so that running means are not 0 and 1
        before = module.eval()(given)
        after = quick(module)(given)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in module.modules())
    assert (before - after).abs().max() < 1e-4


@pytest.mark.parametrize(("groups", "bias"), [(1, True), (2, True), (2, False)])
def test_rewritten_layers_compute_the_same(groups, bias):
    random = torch.Generator().manual_seed(4)
    up = nn.ConvTranspose2d(6, 4, 4, 2, 1, groups=groups, bias=bias)
    thin = nn.Conv2d(4, 2, 3, padding=1, groups=groups, bias=bias)
    with torch.no_grad():
        for weight in (*up.parameters(), *thin.parameters()):
            weight.normal_(generator=random)
    module = nn.Sequential(up, thin)
    given = torch.randn(3, 6, 5, 8, generator=random)
    with torch.no_grad():
        before = module(given)
        after = quick(module)(given)
    kinds = [type(part) for part in module.modules()]
    assert nn.ConvTranspose2d not in kinds
    assert module[1].groups == 1
    assert before.shape == after.shape
    assert (before - after).abs().max() < 1e-4 * before.abs().max()


def test_larger_patterns_are_looked_at_in_their_middle(scan, monkeypatch):
    """A network of half the size answers in pixels of twice the size, at the right place."""
    wide, k = truth(), 2
    positions = scan.in_pixels()
    fine = simulate(wide, light(), positions, photons=1e6)
    part = central(fine, k)
    assert part.frame_shape == (SIZE // k, SIZE // k)
    rows = np.arange(SIZE // k)
    oracle = Oracle.__new__(Oracle)
    nn.Module.__init__(oracle)
    root = np.sqrt(np.asarray(part.patterns, np.float32)).reshape(len(part), -1)
    oracle.known = torch.from_numpy(root)
    corners = np.rint(positions).astype(int)
    seen = np.stack([wide[y + k * rows[:, None], x + k * rows] for y, x in corners])
    oracle.answers = torch.from_numpy(np.stack([np.abs(seen), np.angle(seen)], axis=1))
    monkeypatch.setattr(table, "build", lambda name, seed=0: oracle)
    raw = Preparation("sqrt-max", (SIZE // k, SIZE // k))
    monkeypatch.setattr("napari_ptycho.networks.inputs.scaled", lambda counts, _: counts.sqrt())
    *_, last = predict(fine, Network("ptynet-s", {}, raw), device="cpu")
    found = last.result.reconstruction
    assert "central part of the detector" in " ".join(last.notes)
    assert found.provenance["scan_checksum"] == checksum_of(fine)  # of all of the detector
    assert found.object.shape == last.result.spread.shape == last.result.coverage.shape
    np.testing.assert_array_equal(found.probe.shape, fine.probe.shape)
    low = np.rint(found.positions_px[0] - positions[0]).astype(int)
    meant = np.ones(found.object.shape, complex)
    h, w = wide.shape
    clip = [min(n, m - at) for n, m, at in zip((h, w), meant.shape, low, strict=True)]
    meant[low[0] : low[0] + clip[0], low[1] : low[1] + clip[1]] = wide[: clip[0], : clip[1]]
    sure = last.result.coverage > 0.2
    assert sure.mean() > 0.2
    off = np.abs(found.object - meant)[sure].mean()
    assert off < 0.025
    for axis in (0, 1):
        for shift in (-1, 1):
            assert np.abs(np.roll(found.object, shift, axis) - meant)[sure].mean() > 1.5 * off
