"""From a reconstruction to an image and back."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_ptycho import io
from napari_ptycho.denoise import DenoiseOptions, dip
from napari_ptycho.denoise.subject import applied, subject_of
from napari_ptycho.errors import OptionsError
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Reconstruction

QUICK = DenoiseOptions(
    architecture="arch1-bilinear", iterations=6, stop="none", inputs=1, history_every=2
)


@pytest.fixture(scope="module")
def recon():
    """An object of 60 x 70 with a ramp, whose middle is lit."""
    rng = np.random.default_rng(0)
    phase = 0.4 * gaussian_filter(rng.normal(size=(60, 70)), 2) * 5
    y, x = np.mgrid[:60, :70]
    image = (1 - 0.1 * phase) * np.exp(1j * (phase + 0.05 * y - 0.03 * x + 1))
    py, px = np.mgrid[:24, :24] - 11.5
    probe = np.exp(-(py**2 + px**2) / 30)[None] * 10
    steps = np.stack(np.meshgrid(np.arange(4, 30, 3), np.arange(4, 40, 3), indexing="ij"), -1)
    return Reconstruction(image, probe, steps.reshape(-1, 2), name="thing")


def done(subject, options=QUICK, **more):
    return run_to_end(
        dip(
            subject.image,
            options,
            second=subject.copies,
            weight=subject.weight,
            device="cpu",
        )
    )


@pytest.mark.parametrize("channel", ["phase", "amplitude", "complex"])
def test_an_image_put_back_unchanged_changes_nothing(recon, channel):
    subject = subject_of(recon, channel)
    assert subject.image.shape < recon.object.shape
    back = applied(subject, done(subject), subject.image)
    np.testing.assert_allclose(back.object, recon.object, atol=2e-6)
    assert len(back.provenance["denoised"]) == 1
    assert "denoised" not in recon.provenance


def test_only_the_channel_asked_for_changes(recon):
    for channel, kept in (("phase", np.abs), ("amplitude", np.angle)):
        subject = subject_of(recon, channel)
        back = applied(subject, done(subject))
        np.testing.assert_allclose(kept(back.object), kept(recon.object), atol=1e-4)
        assert np.abs(back.object - recon.object).max() > 0.01


def test_what_is_not_lit_stays(recon):
    subject = subject_of(recon, "phase")
    back = applied(subject, done(subject))
    dark = np.ones(recon.object.shape, bool)
    dark[subject.box] = subject.weight == 0
    assert dark.any()
    np.testing.assert_allclose(back.object[dark], recon.object[dark], atol=2e-6)


def test_the_phase_has_no_ramp_and_is_unwrapped_where_it_wraps(recon):
    plain = subject_of(recon, "phase")
    assert plain.notes == ()
    steep = replace(recon, object=np.abs(recon.object) * np.exp(8j * np.angle(recon.object)))
    y, x = np.mgrid[:60, :70]
    hill = 9 * np.exp(-((y - 30) ** 2 + (x - 35) ** 2) / 200)
    wrapped = subject_of(replace(steep, object=np.exp(1j * hill)), "phase")
    assert "unwrapped" in wrapped.notes[0]
    rest = (wrapped.image - hill[wrapped.box])[wrapped.weight > 0]
    assert np.ptp(rest) < 1e-3 + np.ptp(np.gradient(rest)) + 2.0
    assert np.ptp(wrapped.image) > 7


def test_halves_are_second_copies_on_the_same_ramp(recon):
    rng = np.random.default_rng(1)
    halves = tuple(
        replace(recon, object=recon.object * np.exp(0.05j * rng.normal(size=recon.object.shape)))
        for _ in range(2)
    )
    subject = subject_of(recon, "phase", halves)
    lit = subject.weight > 0
    assert subject.second is not None
    assert np.std((subject.half - subject.second)[lit]) == pytest.approx(0.0707, rel=0.1)
    np.testing.assert_array_equal(subject.image, subject_of(recon, "phase").image)
    result = done(subject, replace(QUICK, stop="auto"))
    assert result.rule == "second-copy"
    assert applied(subject, result).provenance["denoised"][0]["halves"]
    small = replace(recon, object=recon.object[:55])
    with pytest.raises(OptionsError, match="both halves must be of the same scan"):
        subject_of(recon, "phase", (small, small))


def test_a_reference_has_the_shape_of_the_object_or_of_its_lit_part(recon):
    whole = np.angle(recon.object)
    part = subject_of(recon, "phase").image
    for reference in (whole, part):
        assert subject_of(recon, "phase", reference=reference).reference.shape == part.shape
    with pytest.raises(OptionsError, match=r"reference: \(9, 9\) pixels; need \(60, 70\)"):
        subject_of(recon, "phase", reference=np.eye(9))
    with pytest.raises(OptionsError, match="no channel is called 'colour'"):
        subject_of(recon, "colour")


def test_settings_history_and_spread_are_saved_and_read_again(recon, tmp_path):
    subject = subject_of(recon, "phase")
    result = done(subject, replace(QUICK, ensemble=2))
    io.write_reconstruction(applied(subject, result), tmp_path / "a.h5")
    again = io.read_reconstruction(tmp_path / "a.h5")
    entry = again.provenance["denoised"][0]
    assert entry["settings"]["architecture"] == "arch1-bilinear"
    assert entry["iteration"] == result.iteration
    assert entry["history_iterations"] == [2, 4, 6]
    assert entry["curves"]["loss"] == list(result.curves["loss"])
    past = again.extras["past_outputs"]
    assert past.shape == (3, 1, *subject.image.shape)
    lit = subject.weight > 0
    np.testing.assert_allclose(past[-1, 0][lit], result.at(6)[lit], atol=5e-3)
    np.testing.assert_array_equal(again.extras["spread"], result.spread)


def test_a_plain_image_has_no_reconstruction():
    from napari_ptycho.denoise.subject import Subject

    image = np.random.default_rng(0).normal(size=(20, 20))
    subject = Subject(image)
    result = done(subject)
    assert subject.whole(result.image) is result.image
    with pytest.raises(OptionsError, match="a plain image has no reconstruction"):
        applied(subject, result)
