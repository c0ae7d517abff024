"""What is inspected: images that are none, channels, what was done to them, equal pixels."""

from dataclasses import replace

import numpy as np
import pytest
import tifffile

from napari_ptycho import io
from napari_ptycho.assess.plane import (
    Plane,
    matched,
    plane_of,
    processing,
    read_plane,
    recipes,
)
from napari_ptycho.engines.options import DipOptions
from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.physics.align import illuminated
from napari_ptycho.samples import small_scan


@pytest.fixture(scope="module")
def truth():
    return small_scan("fibres")[1]


@pytest.fixture
def image(rng):
    return rng.normal(size=(20, 24))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (np.zeros((3, 20, 20)), r"float64 of shape \(3, 20, 20\); need one image"),
        (np.full((20, 20), "a"), "need one image"),
        (np.eye(20)[:15], "15 x 20 pixels; need at least 16 x 16: take a larger region"),
        (np.ones((20, 20)), "all pixels have the same value"),
        (np.where(np.eye(20) > 0, np.nan, 1.0), "20 pixels are NaN or infinite"),
        (np.where(np.eye(20) > 0, np.inf, 1.0), "20 pixels are NaN or infinite"),
    ],
)
def test_what_is_no_image_gets_a_sentence_with_its_name(data, said):
    with pytest.raises(OptionsError, match=f"^thing: .*{said}"):
        Plane(data, name="thing")


def test_only_what_is_known_must_be_an_image(image):
    area = np.ones(image.shape, bool)
    area[:3] = False
    image[0, 0] = np.nan
    plane = Plane(image, area=area)
    assert plane.data[0, 0] == 0
    np.testing.assert_array_equal(plane.data[area], image[area])
    with pytest.raises(OptionsError, match="all pixels have the same value; choose another"):
        Plane(np.where(area, 2.0, image), area=area)
    with pytest.raises(OptionsError, match="all pixels have the same value; choose another"):
        Plane(image, area=np.zeros(image.shape, bool))
    with pytest.raises(OptionsError, match=r"\(20, 24\) pixels, but where .*; need the same"):
        Plane(image, area=area[1:])


def test_it_is_kept_as_it_was_in_double_precision(image):
    plane = Plane(image)
    assert plane.area.all()
    before = plane.data[0, 0]
    image[0, 0] = 99
    assert plane.data[0, 0] == before
    assert not plane.data.flags.writeable
    assert Plane(np.eye(20, dtype=np.uint8)).data.dtype == np.float64
    assert Plane(np.eye(20, dtype=np.complex64)).data.dtype == np.complex128


def test_a_rectangle_of_it_keeps_everything_else(image):
    area = np.ones(image.shape, bool)
    area[:, 5] = False
    plane = Plane(image, name="x", pixel_m=(1e-9, 2e-9), area=area, processed="filtered")
    part = plane.cut(slice(1, 19), slice(2, 20))
    assert part.shape == (18, 18)
    assert not part.area[:, 3].any()
    assert (part.name, part.pixel_m, part.processed) == ("x", (1e-9, 2e-9), "filtered")
    with pytest.raises(OptionsError, match="x: 8 x 24 pixels"):
        plane.cut(slice(0, 8), slice(None))


def test_channels_of_a_reconstruction_have_no_ramp(truth):
    y, x = np.indices(truth.object.shape)
    turned = replace(truth, object=truth.object * np.exp(1j * (0.4 + 0.02 * y - 0.01 * x)))
    area = illuminated(truth)
    straight, tilted = (plane_of(one).data[area] for one in (truth, turned))
    assert np.ptp(tilted - straight) < 0.02
    amplitude, both, phasor = (
        plane_of(truth, channel) for channel in ("amplitude", "complex", "phasor")
    )
    np.testing.assert_allclose(amplitude.data, np.abs(truth.object), rtol=1e-5)
    np.testing.assert_allclose(np.abs(both.data), np.abs(truth.object), rtol=1e-5)
    np.testing.assert_allclose(np.abs(phasor.data), 1)
    np.testing.assert_allclose(np.angle(phasor.data), np.angle(both.data), atol=1e-6)
    assert phasor.channel == "phasor"
    np.testing.assert_array_equal(both.area, area)
    assert both.of is truth
    with pytest.raises(OptionsError, match="no channel is called 'blue'; there is phase, amplit"):
        plane_of(truth, "blue")


def test_a_phase_that_wraps_is_unwrapped(truth):
    y, x = np.indices(truth.object.shape) - 100
    bump = 9 * np.exp(-(y**2 + x**2) / 3000)
    area = illuminated(truth)
    shown = plane_of(replace(truth, object=np.exp(1j * bump).astype(np.complex64))).data[area]
    assert np.ptp(shown) == pytest.approx(np.ptp(bump[area]), abs=0.5)


def test_files_are_images_or_reconstructions(truth, image, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", image.astype(np.float32))
    about = {"denoised": [{"settings": {"architecture": "arch1"}}]}
    io.write_image(image, tmp_path / "b.tif", about)
    np.save(tmp_path / "c.npy", image * 1j)
    io.write_reconstruction(truth, tmp_path / "d.h5")
    plain, done, both, phase = (
        read_plane(tmp_path / name) for name in ("a.tif", "b.tif", "c.npy", "d.h5")
    )
    assert (plain.name, plain.processed, plain.of) == ("a.tif", "", None)
    assert done.processed == "denoised (arch1)"
    assert np.iscomplexobj(both.data)
    np.testing.assert_allclose(phase.data, plane_of(truth).data, atol=1e-6)
    assert phase.name == "d.h5"
    amplitude = read_plane(tmp_path / "d.h5", "amplitude")
    np.testing.assert_allclose(amplitude.data, np.abs(truth.object), rtol=1e-5)
    with pytest.raises(FileError, match="no such file"):
        read_plane(tmp_path / "none.tif")


@pytest.mark.parametrize(
    ("provenance", "words"),
    [
        ({}, ""),
        ({"denoised": []}, ""),
        ({"denoised": [{"settings": {"architecture": "skip"}}]}, "denoised (skip)"),
        (
            {"denoised": [{"settings": {"method": "tv"}}, {"settings": {"title": "NLM"}}]},
            "denoised (tv, NLM)",
        ),
        ({"denoised": [{}], "predicted": True}, "denoised (unknown method), predicted"),
        ({"denoised": [{"settings": None}]}, "denoised (unknown method)"),
        ({"filtered": "gauss"}, "filtered"),
        ({"denoised": True}, "denoised (unknown method)"),
        ({"denoised": "by somebody"}, "denoised (unknown method)"),
        ({"denoised": ["TV"]}, "denoised (unknown method)"),
        ({"runs": [{"engine": "rPIE", "options": {"denoiser": "none", "smoothness": 0.0}}]}, ""),
        (
            {"runs": [{"engine": DipOptions.title}, {"engine": "rPIE", "options": {}}]},
            "regularised (Deep Image Prior (refine))",
        ),
        (
            {"runs": [{"options": {"denoiser": "dip", "total_variation": 0.01, "smoothness": 1}}]},
            "regularised (denoiser = dip, total_variation, smoothness)",
        ),
        ({"denoised": True, "runs": "many"}, "denoised (unknown method)"),
        ({"runs": ["rPIE", {"options": None}]}, ""),
    ],
)
def test_what_was_done_to_it_is_told_whoever_noted_it(provenance, words):
    assert processing(provenance) == words
    assert all(hasattr(step, "get") for step in recipes(provenance))


def wave(shape, pixel):
    """The same waves about the middle of an image, whatever its pixels: (H, W)."""
    y, x = ((np.arange(n) - (n - 1) / 2) * side for n, side in zip(shape, pixel, strict=True))
    return np.sin(y / 130 + 1)[:, None] * np.cos(x / 150 - 0.5)


@pytest.mark.parametrize("other", [(20.0, 20.0), (33.3, 33.3), (10.0, 23.0), (11.7, 10.0)])
def test_finer_pixels_are_resampled_to_just_the_coarser_ones(other):
    """A magnification that is off by 1 % blurs the edge of 100 pixels by one."""
    fine = Plane(wave((201, 150), (10, 10)), name="fine", pixel_m=(10e-9, 10e-9))
    shape = tuple(int(n * 10 / side) for n, side in zip((201, 150), other, strict=True))
    coarse = Plane(wave(shape, other), pixel_m=(other[0] * 1e-9, other[1] * 1e-9))
    for first, second in ((fine, coarse), (coarse, fine)):
        a, b, notes = matched(first, second)
        assert a.shape == b.shape == shape
        assert a.pixel_m == b.pixel_m == coarse.pixel_m
        inside = np.s_[3:-3, 3:-3]
        np.testing.assert_allclose(a.data[inside], b.data[inside], atol=0.02)
        assert notes[0].startswith("fine was resampled from 10 nm pixels to")
    both, _, _ = matched(replace(fine, data=fine.data * (1 + 2j)), coarse)
    np.testing.assert_allclose(both.data[inside], b.data[inside] * (1 + 2j), atol=0.05)


def test_where_it_is_known_is_resampled_too():
    area = np.zeros((64, 64), bool)
    area[16:48, 8:40] = True
    fine = Plane(wave((64, 64), (10, 10)), area=area, pixel_m=(10e-9, 10e-9))
    coarse = Plane(wave((32, 32), (20, 20)), pixel_m=(20e-9, 20e-9))
    found = matched(fine, coarse)[0].area
    expected = area[::2, ::2]
    assert (found != expected).sum() <= 4 * 16
    assert found[10:22, 6:18].all()
    assert not found[:6].any()


def test_of_other_shapes_the_middle_is_taken_and_said(rng):
    large, small = Plane(rng.normal(size=(40, 30))), Plane(rng.normal(size=(36, 32)))
    a, b, notes = matched(large, small)
    np.testing.assert_array_equal(a.data, large.data[2:38])
    np.testing.assert_array_equal(b.data, small.data[:, 1:31])
    assert notes == ("40 x 30 and 36 x 32 pixels: the middle 36 x 30 are compared",)
    same = matched(large, large)
    assert same == (large, large, ())


def test_an_unknown_pixel_matters_only_where_shapes_differ(rng):
    known = Plane(rng.normal(size=(40, 30)), name="k", pixel_m=(1e-9, 1e-9))
    with pytest.raises(OptionsError, match="the pixel size of u is unknown; need equal shapes"):
        matched(known, Plane(rng.normal(size=(36, 30)), name="u"))
    a, b, notes = matched(known, Plane(known.data * 2, name="u"))
    assert (a.shape, b.shape, notes) == ((40, 30), (40, 30), ())
    near = replace(known, pixel_m=(1.0005e-9, 1e-9))
    assert matched(known, near) == (known, near, ())
