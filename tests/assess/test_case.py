"""An image beside its original: reconstructions, planes, images from elsewhere, and halves."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.assess.case import case_of
from napari_ptycho.assess.plane import Plane, plane_of
from napari_ptycho.denoise.subject import subject_of
from napari_ptycho.errors import OptionsError
from napari_ptycho.physics.align import illuminated
from napari_ptycho.samples import small_scan

from .scenes import lattice

ENTRY = {"channel": "phase", "settings": {"method": "tv"}, "iteration": 0}


@pytest.fixture(scope="module")
def original():
    """With a phase and ramp of its own, as reconstructions have them."""
    truth = small_scan("fibres")[1]
    y, x = np.indices(truth.object.shape)
    turn = np.exp(1j * (0.5 + 0.01 * y - 0.02 * x))
    return replace(truth, object=(truth.object * turn).astype(np.complex64), name="raw")


@pytest.fixture(scope="module")
def change(original):
    return lattice(original.object.shape, 8, 0.1)


def changed(original, change, entries=(ENTRY,), **more):
    image = (original.object * np.exp(1j * change)).astype(np.complex64)
    provenance = {"denoised": list(entries)}
    return replace(original, object=image, name="image", provenance=provenance, **more)


def test_of_a_reconstruction_the_difference_is_what_was_changed(original, change):
    case = case_of(changed(original, change), original)
    np.testing.assert_allclose(-case.residual, change, atol=1e-4)
    np.testing.assert_allclose(case.before, plane_of(original).data, atol=1e-5)
    np.testing.assert_array_equal(case.area, illuminated(original))
    np.testing.assert_allclose(case.shown(case.image), case.values, atol=1e-5)
    assert (case.name, case.channel, case.recipe) == ("image", "phase", ENTRY)
    assert case.original is original.object


def test_the_channel_is_that_of_the_recipe(original):
    darker = changed(original, 0, [ENTRY, {**ENTRY, "channel": "amplitude"}])
    darker = replace(darker, object=darker.object * np.float32(0.8))
    case = case_of(darker, original)
    assert case.channel == "amplitude"
    np.testing.assert_allclose(case.values, 0.8 * np.abs(original.object), rtol=1e-4)
    np.testing.assert_allclose(case.residual, 0.2 * np.abs(original.object), atol=1e-5)


@pytest.mark.parametrize("entries", [True, "TV", [], ["TV"]])
def test_what_others_noted_is_no_recipe(original, entries):
    denoised = replace(changed(original, 0), provenance={"denoised": entries})
    assert case_of(denoised, original).recipe is None


def test_a_phase_beyond_pi_lies_on_one_branch(original):
    y, x = np.indices(original.object.shape) - 100
    bump = 9 * np.exp(-(y**2 + x**2) / 3000)
    raw = replace(original, object=np.exp(1j * bump).astype(np.complex64))
    case = case_of(changed(raw, 0.3 * np.sin(y / 5)), raw)
    assert np.ptp(case.before[case.area]) > 2 * np.pi
    np.testing.assert_allclose(-case.residual[case.area], 0.3 * np.sin(y / 5)[case.area], atol=1e-3)


def test_without_an_original_the_mean_of_halves_is_it(original, change):
    case = case_of(changed(original, change))
    assert case.original is None
    assert case.residual is None
    halves = changed(original, 0.1), changed(original, -0.1)
    whole = case.with_halves(halves)
    np.testing.assert_allclose(whole.original, original.object * np.cos(0.1), atol=1e-5)
    np.testing.assert_allclose(-whole.residual, change, atol=1e-3)
    assert whole.notes == ("the original is the mean of two half reconstructions: none was given",)
    known = case_of(changed(original, change), original)
    assert known.with_halves(halves) is known


def test_a_plane_of_a_reconstruction_is_taken_with_its_recipe(original, change):
    denoised = changed(original, change)
    shown = replace(plane_of(original), data=plane_of(original).data + change, of=denoised)
    case = case_of(shown, original)
    np.testing.assert_allclose(-case.residual[case.area], change[case.area], atol=1e-6)
    assert case.recipe == ENTRY
    assert case.notes == ()
    assert case.of is original
    alone = case_of(replace(plane_of(denoised), name="layer"))
    assert alone.name == "layer"
    assert alone.of is denoised
    assert alone.recipe == ENTRY


def test_of_a_phase_from_elsewhere_offset_and_ramp_are_removed(original, change):
    y, x = np.indices(change.shape)
    phase = plane_of(original).data + change + 0.7 + 0.01 * y - 0.005 * x
    case = case_of(Plane(phase, name="a.tif"), original)
    area = case.area
    np.testing.assert_allclose(-case.residual[area], change[area], atol=2e-3)
    assert case.notes == (
        "an offset of 0.7 rad and a ramp of (0.01, -0.005) rad per pixel from the original were "
        "removed",
    )
    turned = np.angle(case.image * original.object.conj())
    np.testing.assert_allclose(turned[area], change[area], atol=2e-3)
    np.testing.assert_allclose(np.abs(case.image), np.abs(original.object), rtol=1e-5)
    np.testing.assert_allclose(case.image[~area], original.object[~area], atol=1e-6)
    assert case.recipe is None
    assert case.spread is None


def test_an_amplitude_replaces_the_amplitude_alone(original, change):
    amplitude = np.abs(original.object) * (1 + change)
    case = case_of(Plane(amplitude, channel="amplitude"), original)
    area = case.area
    np.testing.assert_allclose(np.abs(case.image)[area], amplitude[area], rtol=1e-5)
    np.testing.assert_allclose(case.values[area], amplitude[area], rtol=1e-5)
    turned = np.angle(case.image * original.object.conj())
    np.testing.assert_allclose(turned, 0, atol=1e-5)
    assert case.notes == ()


def test_where_the_plane_is_unknown_the_original_stays(original, change):
    area = np.ones(change.shape, bool)
    area[:, :110] = False
    case = case_of(Plane(plane_of(original).data + change, area=area), original)
    assert not case.area[:, :110].any()
    np.testing.assert_allclose(case.image[:, :110], original.object[:, :110], atol=1e-6)


def test_what_does_not_fit_is_refused_with_a_sentence(original):
    phase = plane_of(original).data
    with pytest.raises(OptionsError, match=r"a\.tif: a plain image; the photons need the recon"):
        case_of(Plane(phase, name="a.tif"))
    with pytest.raises(OptionsError, match="a plain image"):
        case_of(plane_of(original))  # nothing says that it was denoised
    with pytest.raises(OptionsError, match=r"a\.tif: \(\d+, \d+\) pixels; the original 'raw' has"):
        case_of(Plane(phase[1:], name="a.tif"), original)
    with pytest.raises(OptionsError, match="need a real image of the same pixels"):
        case_of(Plane(phase * 1j), original)
    other = replace(original, object=original.object[:-1])
    with pytest.raises(OptionsError, match=r"image: object of .* but the original 'raw' has"):
        case_of(changed(original, 0), other)


def test_the_spread_of_an_ensemble_lies_where_it_belongs(original, rng):
    box = subject_of(original, "amplitude").box
    spread = rng.random(original.object[box].shape).astype(np.float32)
    assert spread.shape != original.object.shape
    case = case_of(changed(original, 0, extras={"spread": spread}))
    np.testing.assert_allclose(case.spread[box], spread)
    assert case.spread.sum() == pytest.approx(spread.sum())
    assert case_of(changed(original, 0, extras={"spread": spread[1:]})).spread is None
    denoised = changed(original, 0, extras={"spread": spread})
    shown = Plane(plane_of(original).data + 0.1 * spread[0, 0], of=denoised, channel="phase")
    np.testing.assert_allclose(case_of(shown, original).spread[box], spread)
