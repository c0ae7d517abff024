"""Half of the photons are denoised as the whole was: what of the recipe is kept, and what not."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.assess.again import denoised_half, recipe_options
from napari_ptycho.denoise import ClassicalOptions, DenoiseOptions, classical
from napari_ptycho.denoise.subject import subject_of
from napari_ptycho.errors import OptionsError
from napari_ptycho.samples import small_scan

from .scenes import last

NETWORK = DenoiseOptions.of("arch1-bilinear", iterations=900, seed=3)


def recipe(rule="holdout", iteration=300, notes=(), **settings):
    how = {"title": "as written", **NETWORK.as_dict(), **settings}
    return {"rule": rule, "iteration": iteration, "settings": how, "notes": list(notes)}


def classic(*notes, **options):
    settings = {"title": "Total variation", **ClassicalOptions(**options).as_dict()}
    return {"rule": "none", "iteration": 0, "settings": settings, "notes": list(notes)}


@pytest.mark.parametrize("rule", ["holdout", "discrepancy", "wmv", "loss"])
def test_rules_that_need_no_copy_stop_the_half_by_themselves(rule):
    assert recipe_options(recipe(rule)) == replace(NETWORK, stop=rule)


def test_without_such_a_rule_the_iterations_are_fixed():
    fixed = replace(NETWORK, stop="none", iterations=300)
    assert recipe_options(recipe("none")) == fixed
    # half of the photons are learnt sooner
    assert recipe_options(recipe("second-copy")) == replace(fixed, iterations=200)
    assert recipe_options(recipe("second-copy", 1)).iterations == 1


def test_noise_that_was_given_is_stronger_in_half_of_the_photons():
    for found in (
        recipe_options(recipe("discrepancy", sigma=0.2)),
        recipe_options(classic(sigma=0.2)),
    ):
        assert found.sigma == pytest.approx(0.2 * np.sqrt(2))
    assert recipe_options(recipe()).sigma == 0  # estimated again


@pytest.mark.parametrize(
    "unknown",
    [
        {},
        {"settings": "TV"},
        {"settings": {"title": "somebody's"}},
        recipe("second-copy", 0),
        recipe("none", None),
        recipe("none", "many"),
        recipe(architecture="arch9"),
        recipe(rate=-1),
        {"settings": {"method": "of a later version"}},
    ],
)
def test_what_is_no_recipe_of_ours_is_none(unknown):
    assert recipe_options(unknown) is None


def test_settings_of_another_version_that_are_not_known_are_left_out():
    assert recipe_options(recipe(colour="blue")) == replace(NETWORK, stop="holdout")


def test_classical_strength_that_a_second_copy_found_is_kept():
    plain = ClassicalOptions(method="nlm")
    assert recipe_options(classic("strength from: noise", "strength 1 of the noise", method="nlm"))
    assert recipe_options(classic("strength from: noise", method="nlm")) == plain
    told = ("strength from: second-copy", "strength 0.62 of the noise")
    assert recipe_options(classic(*told, method="nlm")) == replace(plain, strength=0.62)
    asked = recipe_options(classic(*told, calibrate="second-copy"))
    assert asked.strength == 0.62
    assert recipe_options(classic(calibrate="second-copy")) is None
    given = recipe_options(classic(calibrate="second-copy", strength=2.0))
    assert given.strength == 2


@pytest.fixture(scope="module")
def half():
    truth = small_scan("fibres", 1e3)[1]
    random = np.random.default_rng(0)
    noise = [0.1 * random.normal(size=truth.object.shape) for _ in range(2)]
    return replace(truth, object=(truth.object * np.exp(noise[0] + 1j * noise[1])).astype("c8"))


@pytest.mark.parametrize("channel", ["phase", "amplitude", "complex"])
def test_a_classical_denoiser_makes_what_it_makes_of_the_half(half, channel):
    options = ClassicalOptions(method="tv", calibrate="second-copy", strength=1.5)
    with pytest.raises(OptionsError, match="second copy"):
        last(denoised_half(half, channel, replace(options, strength=0.0)))
    update = last(denoised_half(half, channel, options))
    assert update.done == update.total
    subject = subject_of(half, channel)
    expected = classical(subject.image, options, weight=subject.weight).image
    found = subject_of(update.result, channel).image
    lit = subject.weight > 0
    np.testing.assert_allclose(np.abs(found)[lit], np.abs(expected)[lit], atol=0.05)
    assert update.result.provenance["denoised"][0]["channel"] == channel
    assert np.abs(update.result.object - half.object)[8:-8, 8:-8].max() > 1e-3


def test_a_network_makes_the_iterations_that_it_is_told(half):
    options = DenoiseOptions.of("arch1-bilinear", iterations=3, stop="none", inputs=1)
    updates = list(denoised_half(half, "phase", options, "cpu"))
    made = updates[-1].result.provenance["denoised"][0]
    assert made["iteration"] == made["iterations"] == 3
    assert made["settings"]["architecture"] == "arch1-bilinear"
    assert updates[-1].total == 3
    other = replace(half, provenance={"half": {"half": "B"}})
    again = last(denoised_half(other, "phase", options, "cpu")).result
    assert np.abs(again.object - updates[-1].result.object).max() > 1e-3  # a seed of its own
