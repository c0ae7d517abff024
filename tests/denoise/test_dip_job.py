"""The job: what it reaches, when it stops, what it keeps, and how it fails."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptycho import denoise
from napari_ptycho.denoise import DenoiseOptions, dip
from napari_ptycho.denoise.members import Members, Shape
from napari_ptycho.denoise.run import Run
from napari_ptycho.denoise.stopping import FAR, Judge, Variance, held_out
from napari_ptycho.denoise.target import prepare
from napari_ptycho.denoise.tiles import boxes, tile_side
from napari_ptycho.errors import JobError, OptionsError
from napari_ptycho.job import run_to_end
from napari_ptycho.phantoms import noisy

QUICK = DenoiseOptions(
    architecture="arch1-bilinear", iterations=12, stop="none", inputs=1, history_every=3
)


def part(n, seed=0):
    """A part of the noisy fibre phantom, and of the clean one: (n, n) each."""
    return tuple(image[40 : 40 + n, 40 : 40 + n] for image in noisy("fibres", 128, seed=seed))


@pytest.fixture(scope="module")
def picture():
    return part(48)


def done(image, options=QUICK, *args, **kwargs):
    return run_to_end(dip(image, options, *args, device="cpu", **kwargs))


# -- what it reaches


def test_it_denoises_as_the_reference_page_says():
    image, clean = noisy("fibres", 128)
    before = -10 * np.log10(((image - clean) ** 2).mean())
    options = DenoiseOptions.of(
        "arch1-bilinear", iterations=300, stop="none", seed=1, bounded=False, inputs=1
    )
    assert done(image, options, clean).score("psnr_db") - before > 2


def test_the_skip_network_gets_rid_of_most_of_the_noise():
    image, clean = part(64)
    result = done(image, DenoiseOptions(iterations=700, patience=150), clean)
    assert result.rule == "holdout"
    assert result.score("psnr_db") > 16.5 + 3


@pytest.mark.parametrize("name", ["arch1", "arch2-bilinear", "skip"])
def test_the_same_seed_gives_the_same_bits(picture, name):
    options = DenoiseOptions.of(name, iterations=4, stop="none")
    one, two = done(picture[0], options), done(picture[0], options)
    np.testing.assert_array_equal(one.image, two.image)
    assert one.curves == two.curves


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "skip"},
        {"iterations": 13},
        {"rate": 0.02},
        {"averaging": 0.5},
        {"jitter": 0.1},
        {"inputs": 2},
        {"scaling": "0-1"},
        {"bounded": False},
        {"ensemble": 2},
        {"seed": 1},
        {"stop": "holdout"},
    ],
    ids=str,
)
def test_every_option_matters(picture, change):
    one, other = done(picture[0]), done(picture[0], replace(QUICK, **change))
    assert np.abs(one.image - other.image).max() > 1e-6


def test_a_complex_image_is_one_network_with_two_channels(picture):
    image = np.exp(1j * np.asarray(picture[0]))
    result = done(image, replace(QUICK, iterations=60), np.exp(1j * picture[1]))
    assert result.image.dtype == np.complex64
    assert result.members.shape == (1, 48, 48)
    assert result.past.outputs[0].shape == (2, 48, 48)
    assert result.curves["psnr_db"][-1] > result.curves["psnr_db"][0]


def test_pixels_without_weight_stay_as_they_are_and_teach_nothing(picture):
    image = picture[0].astype(np.float32)
    weight = np.ones(image.shape)
    weight[:10] = 0
    spoilt = image.copy()
    spoilt[:10] = 7
    one, two = done(image, weight=weight), done(spoilt, weight=weight)
    np.testing.assert_array_equal(one.image[:10], image[:10])
    np.testing.assert_array_equal(one.image[10:], two.image[10:])


def test_oblong_and_odd_images(picture):
    assert done(picture[0][:33, :41]).image.shape == (33, 41)


# -- when it stops, and what it keeps


@pytest.mark.parametrize("rule", ["second-copy", "holdout", "discrepancy", "wmv", "loss", "none"])
def test_every_rule_keeps_the_output_it_names(picture, rule):
    image, clean = picture
    second = part(48, seed=1)[0] if rule == "second-copy" else None
    options = replace(QUICK, stop=rule, iterations=120, patience=20, history_every=1, rate=0.02)
    result = done(image, options, clean, second=second)
    assert result.rule == rule
    assert 1 <= result.iteration <= result.done <= 120
    kept = result.past.iterations.index(result.iteration)
    again = result.units.image(result.past.outputs[kept])
    np.testing.assert_allclose(result.image, again, atol=2e-3)
    error = ((result.image - clean) ** 2).mean()
    assert result.score("psnr_db") == pytest.approx(-10 * np.log10(error), abs=1e-3)


def test_a_second_copy_stops_near_the_best_iteration():
    image, clean = part(48)
    second = part(48, seed=1)[0]
    options = replace(QUICK, stop="auto", iterations=400, patience=80, rate=0.02)
    result = done(image, options, clean, second=second)
    assert result.stopped
    assert result.rule == "second-copy"
    assert max(result.curves["psnr_db"]) - result.score("psnr_db") <= 0.1


def test_held_out_pixels_stop_near_the_best_iteration():
    image, clean = part(48)
    options = replace(QUICK, stop="auto", iterations=400, patience=80, rate=0.02)
    result = done(image, options, clean)
    assert result.rule == "holdout"
    assert result.stopped
    assert max(result.curves["psnr_db"]) - result.score("psnr_db") <= 0.5


def test_discrepancy_stops_where_the_fit_is_as_good_as_the_noise(picture):
    options = replace(QUICK, stop="discrepancy", sigma=0.15, iterations=600, averaging=0.0)
    result = done(picture[0], options, picture[1])
    assert result.stopped
    assert result.iteration == result.done
    fidelity = result.curves["fidelity_db"]
    assert fidelity[-1] >= result.noise_db > max(fidelity[:-1])


def test_the_judge_waits_for_its_patience():
    judge = Judge("holdout", 3)
    for number in (FAR, 5.0, 4.0, 4.5, 4.2, 4.1):
        judge.add(number, 1.0)
        assert judge.over == (judge.done == 6)
    assert judge.best == 3
    judge.go_on()
    for _ in range(3):
        assert not judge.over
        judge.add(4.5, 1.0)
    assert judge.over
    plateau = Judge("loss", 4)
    for i in range(20):
        plateau.add(0.0, max(0.5, 1 - 0.1 * i))
        if plateau.over:
            break
    assert plateau.done == 10


def test_the_running_variance_is_the_variance(rng):
    window, outputs = 7, rng.normal(size=(460, 1, 6, 5)) + 3
    variance = Variance((1, 6, 5), torch.device("cpu"), window)
    for number, output in enumerate(outputs, 1):
        found = float(variance.add(torch.from_numpy(output).float()))
        if number < window:
            assert found == FAR
            continue
        expected = outputs[number - window : number].astype(np.float32).var(axis=0).mean()
        assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("clump", [1, 3])
def test_as_many_pixels_are_held_out_as_asked_for(clump):
    away = held_out((300, 310), 0.1, clump, torch.Generator().manual_seed(0)).numpy()
    assert away.mean() == pytest.approx(0.1, abs=0.01)
    alone = away[1:-1, 1:-1] & ~(away[:-2, 1:-1] | away[2:, 1:-1])
    assert alone.any() == (clump == 1)


def test_shared_noise_is_held_out_in_clumps_and_it_is_said(picture, rng):
    from scipy.ndimage import gaussian_filter

    shared = gaussian_filter(rng.normal(size=(48, 48)), 0.8)
    image = picture[1] + 0.15 * shared / shared.std()
    assert "clumps" in done(image, replace(QUICK, stop="holdout")).notes[0]
    forced = done(image, replace(QUICK, stop="holdout", clumps="pixels"))
    assert "only if the noise is white" in forced.notes[0]
    assert done(picture[0], replace(QUICK, stop="holdout")).notes == ()


def test_past_outputs_fit_into_their_memory(picture):
    one_mb = 2 * 48 * 48 / 1e6
    result = done(picture[0], replace(QUICK, history_every=1, history_mb=4.5 * one_mb))
    assert result.past.iterations == (9, 10, 11, 12)
    assert result.past.nbytes <= 4.5e6 * one_mb
    assert len(result.curves["grid_db"]) == 4
    np.testing.assert_allclose(result.at(12), result.latest, atol=2e-3)


def test_a_run_goes_on_where_it_stopped(picture):
    whole = done(picture[0], replace(QUICK, iterations=16))
    part = done(picture[0], replace(QUICK, iterations=10))
    rest = done(picture[0], replace(QUICK, iterations=6), resume=part)
    np.testing.assert_array_equal(rest.image, whole.image)
    assert rest.curves["loss"] == whole.curves["loss"]
    with pytest.raises(OptionsError, match="no longer in memory; denoise the image again"):
        done(picture[0], resume=replace(part, run=None))


def test_updates_are_not_changed_by_what_follows(picture):
    job = dip(picture[0], replace(QUICK, iterations=30, rate=0.05), device="cpu")
    first = next(job)
    kept = first.result.image.copy(), first.result.members.copy()
    for _ in job:
        pass
    np.testing.assert_array_equal(first.result.image, kept[0])
    np.testing.assert_array_equal(first.result.members, kept[1])


# -- ensembles


def test_members_of_an_ensemble_differ_and_their_mean_is_kept(picture):
    result = done(picture[0], replace(QUICK, ensemble=3))
    assert result.members.shape == (3, 48, 48)
    np.testing.assert_allclose(result.image, result.members.mean(axis=0), atol=1e-5)
    assert result.spread.min() > 0
    alone = done(picture[0], replace(QUICK, seed=1))
    np.testing.assert_array_equal(result.members[1], alone.image)


def test_an_ensemble_of_architectures(picture):
    options = replace(QUICK, ensemble=2, mix="architectures", iterations=3)
    assert options.members() == ("arch1-bilinear", "skip")
    assert done(picture[0], options).spread.max() > 0


def test_halves_stop_the_whole_and_have_networks_of_their_own(picture):
    half, second = picture[0], part(48, seed=1)[0]
    whole = (half + second) / 2
    options = replace(QUICK, stop="auto", iterations=240, patience=60, rate=0.02)
    result = done(whole, options, picture[1], second=(half, second))
    assert result.rule == "second-copy"
    assert result.members.shape == (1, 48, 48)
    assert result.sigma == pytest.approx(0.15 / np.sqrt(2), rel=0.1)
    held = result.curves["held_out_db"]
    assert result.iteration > np.argmax(held) + 1
    error = ((result.image - picture[1]) ** 2).mean()
    assert result.score("psnr_db") == pytest.approx(-10 * np.log10(error), abs=1e-3)
    members = result.run.members
    assert len(members) == 2
    assert float((members.groups[0].inputs[0] - members.groups[0].inputs[1]).abs().max()) > 0
    with pytest.raises(OptionsError, match="it needs the other half"):
        done(whole, second=(half, None))


def test_halves_that_are_still_learning_when_it_ends_keep_the_newest_output(picture):
    half, second = picture[0], part(48, seed=1)[0]
    options = replace(QUICK, stop="auto", iterations=25, averaging=0.9)
    result = done((half + second) / 2, options, picture[1], second=(half, second))
    assert np.argmax(result.curves["held_out_db"]) == 24
    assert result.iteration == 25
    np.testing.assert_array_equal(result.image, result.latest)


def test_computed_together_they_are_what_they_are_one_by_one(picture, monkeypatch):
    options = replace(QUICK, ensemble=3, iterations=3, averaging=0.0)
    target = prepare(picture[0])
    found = []
    for together in (False, True):
        monkeypatch.setattr(Shape, "batched", together)
        going = Run(target, options, torch.device("cpu"))
        assert any(group.batched for group in going.members.groups) == together
        for state in going.states(3):
            found.append(state.members.output.clone())
    one, other = found[:3], found[3:]
    torch.testing.assert_close(one[0], other[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(one[-1], other[-1], rtol=0.1, atol=0.1)


def test_members_are_all_fitted(picture):
    members = Members(replace(QUICK, ensemble=2), Shape(1, (48, 48), 1, torch.device("cpu")))
    image = torch.from_numpy(prepare(picture[0]).copies)
    losses = [float(members.learn(image, torch.ones(48, 48))) for _ in range(30)]
    assert losses[-1] < 0.9 * losses[0]


# -- tiles


def test_tiles_cover_the_image_and_overlap():
    covered = np.zeros((150, 100), int)
    for box in boxes((150, 100), 64):
        assert covered[box].shape == (64, 64)
        covered[box] += 1
    assert covered.min() == 1
    assert (covered[:, 50] > 1).any()


def test_an_image_in_tiles_is_nearly_the_image_in_one():
    image, clean = noisy("fibres", 128)
    options = replace(QUICK, iterations=150, inputs=3)
    whole = done(image, options, clean)
    parts = done(image, replace(options, tile=80), clean)
    assert "4 overlapping tiles" in parts.notes[0]
    assert parts.image.shape == image.shape
    errors = [((one.image - clean) ** 2).mean() for one in (whole, parts)]
    assert errors[1] < 1.5 * errors[0]
    assert len(parts.curves["loss"]) == parts.done == 600


def test_tiles_are_chosen_from_the_memory():
    options = DenoiseOptions()
    assert tile_side((512, 512), options, 10**10, 1) == 0
    assert tile_side((2048, 2048), options, 10**9, 1) == 704
    assert tile_side((512, 512), replace(options, tile=256), 10**10, 1) == 256
    with pytest.raises(JobError, match=r"a tile of 64 x 64 pixels needs .* MB are free"):
        tile_side((512, 512), options, 10**6, 1)


# -- what goes wrong


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.full((16, 16), np.nan), "256 of 256 pixels are no finite numbers"),
        (np.full((16, 16), 3.0), "all pixels are 3; there is nothing to denoise: choose another"),
        (np.zeros((1, 1)), "1 x 1 pixels; need at least 8 a side: take a larger region"),
        (np.zeros((3, 16, 16)), r"shape \(3, 16, 16\); need numbers of shape \(H, W\)"),
        (np.array([["a"]]), "need numbers"),
    ],
)
def test_what_is_no_image_gets_a_sentence(image, said):
    with pytest.raises(OptionsError, match=said):
        done(image)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"reference": np.eye(9)}, r"\(9, 9\) pixels but the image has \(48, 48\); give one"),
        ({"reference": np.eye(48) * 1j}, "complex but the image is real"),
        ({"second": np.full((48, 48), np.inf)}, "second copy: 2304 of 2304 pixels"),
        ({"weight": np.zeros((48, 48))}, "0 everywhere"),
        ({"weight": np.ones(48)}, "weight: shape"),
    ],
)
def test_what_does_not_fit_the_image_gets_a_sentence(picture, others, said):
    with pytest.raises(OptionsError, match=said):
        done(picture[0], **others)


def test_a_second_copy_that_is_asked_for_must_be_there(picture):
    with pytest.raises(OptionsError, match="needs a second image"):
        done(picture[0], replace(QUICK, stop="second-copy"))


def test_a_loss_that_explodes_stops_and_keeps_the_last_good_output(picture):
    options = replace(QUICK, rate=10.0, iterations=300, bounded=False, averaging=0.0)
    result = done(picture[0], options)
    assert result.stopped
    assert result.done < 300
    assert "exploded at iteration" in result.notes[0]
    assert np.isfinite(result.image).all()
    assert 1 <= result.iteration < result.done


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("x"), RuntimeError("can't allocate memory")]
)
def test_too_little_memory_gets_a_sentence(picture, monkeypatch, error):
    def fails(self):
        raise error

    monkeypatch.setattr(Run, "_iterate", fails)
    with pytest.raises(JobError, match="not enough memory for this image"):
        done(picture[0])


def test_other_errors_of_torch_are_not_hidden(picture, monkeypatch):
    def fails(self):
        raise RuntimeError("strange")

    monkeypatch.setattr(Run, "_iterate", fails)
    with pytest.raises(RuntimeError, match="strange"):
        done(picture[0])


def test_options_are_named_and_known():
    assert DenoiseOptions.of("arch1").rate == 3e-5
    assert DenoiseOptions.of("arch1", rate=0.01).rate == 0.01
    with pytest.raises(OptionsError, match="no architecture is called 'vgg'"):
        DenoiseOptions.of("vgg")


def test_the_package_imports_no_torch():
    import subprocess
    import sys

    code = "import napari_ptycho.denoise, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert callable(denoise.dip)
