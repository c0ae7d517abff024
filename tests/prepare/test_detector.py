"""Cutting, centring, rebinning, masking: against sums written out, and against optics."""

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.prepare import (
    DetectorOptions,
    cut_detector,
    detector_report,
    fft_size,
    fft_sizes,
    find_centre,
    mask_pixels,
)
from napari_ptycho.prepare.bad_pixels import dead_pixels, hot_pixels
from napari_ptycho.prepare.detector_facts import DEAD, HOT, MASKED, SATURATED
from napari_ptycho.prepare.survey import LAZY_FRAMES, survey

FAR = Geometry(10e3, 2.0, (50e-6, 100e-6))
NEAR = Geometry(10e3, 2.0, (50e-6, 50e-6), "near")


def spot(shape, centre, width=6.0, photons=2000.0):
    y, x = np.indices(shape, dtype=float)
    light = np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * width**2))
    return photons * light / light.sum()


def scan_of(mean, rng, n=20, **more):
    patterns = rng.poisson(np.broadcast_to(mean, (n, *mean.shape))).astype(np.uint16)
    given = {"patterns": patterns, "positions_m": rng.normal(size=(n, 2))}
    return Scan(**{**given, **more})


def counted(rng, shape=(8, 10), n=3, **more):
    """A small scan of any counts."""
    patterns = rng.integers(0, 90, (n, *shape)).astype(np.uint8)
    return Scan(**{"patterns": patterns, "positions_m": rng.normal(size=(n, 2)), **more})


def lazily(scan, chunk=7):
    shape = scan.frame_shape
    valid = scan.valid
    if valid.ndim == 3:
        valid = da.from_array(valid, chunks=(chunk, *shape))
    patterns = da.from_array(np.asarray(scan.patterns), chunks=(chunk, *shape))
    return replace(scan, patterns=patterns, valid=valid)


def test_the_defaults_change_nothing(rng):
    scan = counted(rng)
    assert cut_detector(scan, DetectorOptions()) is scan


# -- the centre


@pytest.mark.parametrize("centre", [(32, 32), (20.3, 41.7), (46.5, 15.2), (10.0, 54.0)])
@pytest.mark.parametrize("background", [0.0, 3.0])
def test_the_centre_is_found_on_background_with_hot_pixels(centre, background, rng):
    mean = spot((64, 64), centre) + background
    mean[5, 60] = mean[60, 3] = 5000.0
    found = find_centre(scan_of(mean, rng))
    assert np.abs(np.subtract(found, centre)).max() < 0.5


@pytest.mark.parametrize("marked", [True, False])
def test_a_beamstop_and_a_gap_do_not_pull_the_centre(marked, rng):
    centre = (30.3, 36.6)
    mean = spot((64, 64), centre, width=8, photons=2e4) + 1.0
    missing = np.zeros(mean.shape, bool)
    missing[26:35, 30:40] = missing[30:33, 30:] = missing[:, 44:47] = True
    mean[missing] = 0
    scan = scan_of(mean, rng, valid=~missing if marked else None)
    assert np.abs(np.subtract(find_centre(scan), centre)).max() < 0.5


def test_what_is_found_comes_to_the_middle(rng):
    scan = scan_of(spot((64, 64), (25, 40), width=4), rng)
    new = cut_detector(scan, DetectorOptions(centre="auto", size=32))
    assert np.abs(np.subtract(find_centre(new), 16)).max() < 0.5
    np.testing.assert_array_equal(new.patterns, scan.patterns[:, 9:41, 24:56])
    assert new.notes[0].startswith("Zero frequency was found at row 2")
    assert "32 x 32 around row 25, column 40 were cut out." in new.notes[0]


def test_a_centre_that_cannot_be_found_is_told(rng):
    even = Scan(patterns=np.ones((2, 8, 8)), positions_m=np.zeros((2, 2)))
    with pytest.raises(ScanError, match="empty or even, so the centre cannot be found; give it"):
        find_centre(even)
    blind = da.zeros((2, 8, 8), dtype=bool, chunks=(1, 8, 8))
    masked = replace(even, patterns=da.from_array(even.patterns, chunks=(1, 8, 8)), valid=blind)
    with pytest.raises(ScanError, match="no valid pixel; correct the mask, or give the centre"):
        find_centre(masked)
    with pytest.raises(ScanError, match="near-field frames have no zero frequency"):
        cut_detector(replace(even, geometry=NEAR), DetectorOptions(centre="auto"))


# -- the window


def test_a_cut_keeps_the_middle_and_metres_and_scales_pixels(rng):
    scan = counted(rng, geometry=FAR)
    new = cut_detector(scan, DetectorOptions(size=4))
    np.testing.assert_array_equal(new.patterns, scan.patterns[:, 2:6, 3:7])
    np.testing.assert_array_equal(new.positions_m, scan.positions_m)
    assert new.pixel_size_m == pytest.approx(np.multiply(scan.pixel_size_m, (8 / 4, 10 / 4)))
    in_px = replace(scan, positions_m=None, positions_px=scan.in_pixels())
    np.testing.assert_allclose(
        cut_detector(in_px, DetectorOptions(size=4)).positions_px, new.in_pixels()
    )


def test_what_lies_outside_the_frame_is_not_valid(rng):
    scan = counted(rng, (8, 8))
    given = DetectorOptions(centre="given", centre_y=2, centre_x=5)
    new = cut_detector(scan, given)
    assert new.frame_shape == (8, 8)
    expected, inside = np.zeros((3, 8, 8)), np.zeros((8, 8), bool)
    expected[:, 2:, :7] = scan.patterns[:, :6, 1:]
    inside[2:, :7] = True
    np.testing.assert_array_equal(new.patterns, expected)
    np.testing.assert_array_equal(new.valid, inside)
    assert new.patterns[1, 4, 4] == scan.patterns[1, 2, 5]
    assert "34.38% of that lies outside the frame and is masked" in new.notes[0]
    with pytest.raises(ScanError, match=r"centre \(50, 5\) lies outside the frames of 8 x 8"):
        cut_detector(scan, replace(given, centre_y=50, size=4))


def test_a_cut_without_a_valid_pixel_is_refused(rng):
    valid = np.zeros((8, 8), bool)
    valid[0, 0] = True
    with pytest.raises(ScanError, match=r"no valid pixel is left .*; choose a larger size"):
        cut_detector(counted(rng, (8, 8), valid=valid), DetectorOptions(size=4))


def test_the_probe_of_a_cut_makes_the_frames_of_the_cut(rng):
    wave = rng.normal(size=(2, 16, 12)) + 1j * rng.normal(size=(2, 16, 12))

    def far(probe):
        spectrum = np.fft.fft2(np.fft.ifftshift(probe, axes=(1, 2)), norm="ortho")
        return np.fft.fftshift(np.abs(spectrum) ** 2, axes=(1, 2))

    scan = counted(rng, (16, 12), probe=wave)
    new = cut_detector(scan, DetectorOptions(size=8))
    np.testing.assert_allclose(far(new.probe), far(wave)[:, 4:12, 2:10], rtol=1e-3, atol=1e-4)
    larger = cut_detector(scan, DetectorOptions(size=20))
    np.testing.assert_allclose(far(larger.probe)[:, 2:18, 4:16], far(wave), rtol=1e-3, atol=1e-4)
    assert new.notes[-1] == "The probe was brought onto the new pixels."


def test_a_cut_of_the_near_field_is_a_smaller_field(rng):
    wave = rng.normal(size=(1, 8, 8)) + 1j * rng.normal(size=(1, 8, 8))
    scan = counted(rng, (8, 8), geometry=NEAR, probe=wave)
    new = cut_detector(scan, DetectorOptions(size=4, centre="given", centre_y=3, centre_x=5))
    np.testing.assert_array_equal(new.patterns, scan.patterns[:, 1:5, 3:7])
    np.testing.assert_array_equal(new.probe, scan.probe[:, 1:5, 3:7])
    assert new.pixel_size_m == scan.pixel_size_m


# -- rebinning


def test_rebinning_sums_counts_and_keeps_the_object_pixel(rng):
    valid = np.ones((8, 10), bool)
    valid[3, 4] = False
    patterns = np.full((3, 8, 10), 255, np.uint8)
    wave = rng.normal(size=(1, 8, 10)) + 1j * rng.normal(size=(1, 8, 10))
    scan = Scan(patterns, np.zeros((3, 2)), valid=valid, geometry=FAR, probe=wave)
    scan = replace(scan, sources={"detector_pixel_m": "file"})
    new = cut_detector(scan, DetectorOptions(rebin=2))
    assert (new.patterns == 4 * 255).all()
    assert new.frame_shape == (4, 5)
    bad = np.zeros((4, 5), bool)
    bad[1, 2] = True
    np.testing.assert_array_equal(new.valid, ~bad)
    assert new.geometry.detector_pixel_m == (100e-6, 200e-6)
    assert new.sources["detector_pixel_m"] == "file, times 2"
    assert new.pixel_size_m == pytest.approx(scan.pixel_size_m)
    np.testing.assert_array_equal(new.probe, scan.probe[:, 2:6, 3:8])
    assert new.notes[0].startswith("Blocks of 2 x 2 detector pixels were summed")


def test_rebinning_places_each_count_in_its_block(rng):
    scan = counted(rng, (9, 12))
    new = cut_detector(scan, DetectorOptions(rebin=3, size=6))
    cut = scan.patterns[:, 1:7, 3:9].astype(int)
    expected = np.zeros((3, 2, 2), int)
    for y in range(6):
        for x in range(6):
            expected[:, y // 3, x // 3] += cut[:, y, x]
    np.testing.assert_array_equal(new.patterns, expected)


def test_rebinning_the_near_field_makes_larger_object_pixels(rng):
    scan = counted(rng, (8, 8), geometry=NEAR, probe=np.ones((1, 8, 8)))
    new = cut_detector(scan, DetectorOptions(rebin=2))
    assert new.pixel_size_m == pytest.approx(np.multiply(scan.pixel_size_m, 2))
    np.testing.assert_allclose(new.probe, 2)  # the same photons on a fourth of the pixels
    in_px = replace(scan, positions_m=None, positions_px=scan.in_pixels())
    np.testing.assert_allclose(
        cut_detector(in_px, DetectorOptions(rebin=2)).positions_px, new.in_pixels()
    )


def test_a_size_below_one_block_is_refused(rng):
    with pytest.raises(OptionsError, match="4 x 4 pixels holds no block of 8 x 8; choose a larger"):
        cut_detector(counted(rng), DetectorOptions(size=4, rebin=8))


def test_electron_angles_are_rebinned_too(rng):
    electrons = Geometry(80e3, particle="electron", detector_pixel_rad=(1e-3, 2e-3))
    new = cut_detector(counted(rng, geometry=electrons), DetectorOptions(rebin=2))
    assert new.geometry.detector_pixel_rad == (2e-3, 4e-3)


# -- pixels that do not measure


def test_hot_pixels_are_found_and_nothing_else(rng):
    mean = spot((64, 64), (30, 30), photons=2e4)
    mean[10, 50] = mean[50, 10] = mean[50, 11] = 40.0
    scan = scan_of(mean, rng)
    found = np.argwhere(hot_pixels(survey(scan), 10)).tolist()
    assert found == [[10, 50], [50, 10], [50, 11]]
    new = cut_detector(scan, DetectorOptions(hot=10))
    assert not new.valid[10, 50]
    assert new.notes == (
        "3 pixels were masked (hot: more than 10 times the counts of their neighbours).",
    )
    assert new.sources["valid"] == "default, and masked since"


def test_a_masked_area_makes_no_hot_neighbours(rng):
    mean = np.full((32, 32), 20.0)
    valid = np.ones((32, 32), bool)
    valid[:, 10:16] = False
    assert not hot_pixels(survey(scan_of(mean, rng, valid=valid)), 3).any()


def test_dead_pixels_are_found_and_no_dark_surroundings(rng):
    mean = spot((96, 96), (48, 48), width=9, photons=3e5)
    dead = np.zeros(mean.shape, bool)
    dead[40, 40] = True
    dead[52:56, :] = True
    dead[44:50, 45:51] = True
    mean[dead] = 0
    found = dead_pixels(survey(scan_of(mean, rng)))
    lit = spot((96, 96), (48, 48), width=9, photons=3e5) * 20 > 60
    np.testing.assert_array_equal(found[lit], dead[lit])
    assert not found[~dead].any()


def test_the_dark_around_a_sharp_disc_is_not_dead(rng):
    y, x = np.indices((64, 64)) - 32
    assert not dead_pixels(survey(scan_of(20.0 * (y**2 + x**2 < 400), rng))).any()


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("stack", [False, True])
def test_saturated_pixels_are_masked_frame_by_frame(lazy, stack, rng):
    valid = np.ones((3, 8, 10) if stack else (8, 10), bool)
    valid[..., 0, 0] = False
    scan = counted(rng, valid=valid)
    new = cut_detector(lazily(scan) if lazy else scan, DetectorOptions(saturation=80))
    np.testing.assert_array_equal(np.asarray(new.valid), valid & (scan.patterns < 80))
    np.testing.assert_array_equal(np.asarray(new.patterns), scan.patterns)
    assert new.notes[0].startswith("Pixels of 80 counts or more were masked, frame by frame")


def test_an_unsaturated_scan_keeps_one_mask_for_all(rng):
    new = cut_detector(counted(rng), DetectorOptions(saturation=1000))
    assert new.valid.ndim == 2
    assert new.notes == ("No pixel reaches 1000 counts.",)


def test_saturation_is_judged_before_pixels_are_summed(rng):
    patterns = np.zeros((1, 4, 4), np.uint8)
    patterns[0, 0, 0] = 9
    patterns[0, 2:, 2:] = 4
    scan = Scan(patterns, np.zeros((1, 2)))
    new = cut_detector(scan, DetectorOptions(saturation=9, rebin=2))
    assert new.valid[0].tolist() == [[False, True], [True, True]]


def test_painted_pixels_are_masked_and_others_given_back(rng):
    valid = np.ones((8, 10), bool)
    valid[1, 1] = False
    bad, good = np.zeros((2, 8, 10), bool)
    bad[2, 3] = good[1, 1] = True
    for scan in (counted(rng, valid=valid), counted(rng, valid=np.stack([valid] * 3))):
        for given in (scan, lazily(scan)):
            new = mask_pixels(given, bad, "Painted.", good)
            expected = np.ones((8, 10), bool)
            expected[2, 3] = False
            assert (np.asarray(new.valid) == expected).all()
            assert new.notes == ("Painted.",)
    assert mask_pixels(scan, np.zeros((8, 10), bool), "Nothing.") is scan
    with pytest.raises(OptionsError, match=r"shape \(2, 2\); need that of a frame, \(8, 10\)"):
        mask_pixels(scan, np.ones((2, 2), bool), "Painted.")
    with pytest.raises(ScanError, match="every pixel would be masked"):
        mask_pixels(scan, np.ones((8, 10), bool), "Painted.")


# -- lazy scans


def test_a_lazy_scan_gives_what_the_same_scan_in_memory_gives(rng):
    mean = spot((32, 40), (14.0, 22.0), photons=2e4)
    mean[3, 3] = 300.0
    valid = rng.random((20, 32, 40)) > 0.01
    scan = scan_of(mean, rng, valid=valid, geometry=FAR)
    options = DetectorOptions(centre="auto", size=24, rebin=2, hot=10, dead=True, saturation=100)
    eager, lazy = cut_detector(scan, options), cut_detector(lazily(scan), options)
    assert lazy.is_lazy
    assert isinstance(lazy.valid, da.Array)
    np.testing.assert_array_equal(np.asarray(lazy.patterns), eager.patterns)
    np.testing.assert_array_equal(np.asarray(lazy.valid), eager.valid)
    np.testing.assert_array_equal(np.asarray(lazy.patterns[5]), eager.patterns[5])
    assert lazy.geometry == eager.geometry


def test_of_a_long_lazy_scan_a_sample_is_looked_at(rng):
    frames = da.ones((1000, 8, 8), chunks=(10, 8, 8), dtype=np.uint16)
    scan = Scan(frames, np.zeros((1000, 2)))
    assert survey(scan).frames == LAZY_FRAMES
    new = cut_detector(scan, DetectorOptions(hot=5))
    assert new is scan  # none is hot
    assert survey(scan) is survey(scan)


def test_sizes_that_fourier_transforms_like():
    assert fft_sizes(30) == (30, 28, 24, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2)
    assert [fft_size(n) for n in (2, 127, 515, 1030, 1)] == [2, 126, 512, 1024, 2]


# -- the report


def test_the_report_tells_what_the_cut_does(rng):
    mean = spot((64, 64), (30, 34), photons=3e4)
    mean[10, 50] = 60.0
    mean[30, 38] = 0.0
    valid = np.ones((64, 64), bool)
    valid[20, 20] = False
    scan = scan_of(mean, rng, valid=valid, geometry=FAR)
    top = float(scan.patterns[:, 30, 34].max())
    options = DetectorOptions(
        centre="given",
        centre_y=30,
        centre_x=34,
        size=48,
        rebin=2,
        hot=10,
        dead=True,
        saturation=top,
    )
    report, new = detector_report(scan, options), cut_detector(scan, options)
    assert report.shape == new.frame_shape == (24, 24)
    assert report.pixel_m[1] == pytest.approx(new.pixel_size_m)
    assert report.flags[10, 50] == HOT
    assert report.flags[30, 38] == DEAD
    assert report.flags[30, 34] == SATURATED
    assert report.flags[20, 20] == MASKED
    always_bad = ~new.valid.any(axis=0)
    assert report.masked == pytest.approx(always_bad.mean())
    lines = [line.split(maxsplit=1) for line in report.lines()]
    assert ["pattern", "24 x 24"] in lines
    assert lines[-1][1].startswith("1 hot pixel, 1 dead pixel, ")
    assert report.warnings == ()


def test_the_report_warns(rng):
    valid = np.zeros((22, 22), bool)
    valid[:3] = True
    report = detector_report(counted(rng, (22, 22), valid=valid), DetectorOptions())
    assert report.warnings == (
        "More than half is masked; is the mask inverted, or the centre wrong?",
        "Fourier transforms of 22 pixels are slow; 20 are quick.",
    )
    assert "object pixel  unknown" in report.lines()
